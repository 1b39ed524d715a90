//! The command `warpface`; see `warpface --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    warpface::cli::main()
}
