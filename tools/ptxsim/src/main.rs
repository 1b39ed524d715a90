//! The command line of the simulator.

use clap::Parser;
use cli::Failure;
use std::process::ExitCode;

mod cli;
mod npy;

fn main() -> ExitCode {
    let (message, code) = match cli::run(&cli::Arguments::parse()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Fault(message)) => (message, 1),
        // As for options that clap does not know.
        Err(Failure::Input(message)) => (message, 2),
    };
    eprintln!("ptxsim: {message}");
    ExitCode::from(code)
}
