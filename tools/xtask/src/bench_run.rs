//! `cargo xtask bench-run`: `cargo bench`, with its tables and their raw rows kept under `benches/runs/`.

use anyhow::Result;

use crate::runs::{self, Run};
use crate::shell::{self, cargo, say};

#[derive(clap::Args)]
pub struct Args {
    /// Names the machine in the file's name, such as `cpu-2x-zen3`
    device: String,
    /// What else `cargo bench` is given, such as `--bench ops`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    bench: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let run = Run::new(None, &args.device, "")?;
    let mut command = cargo(&["bench"]);
    command.args(&args.bench);
    let words = ["cargo", "bench"].into_iter().chain(args.bench.iter().map(String::as_str));
    let line = words.collect::<Vec<_>>().join(" ");
    runs::write(&run.page(), &run.header(&line))?;
    runs::write(&run.with("csv"), "bench,device,precision,case,seconds,flops,bytes,roofline_seconds\n")?;
    command.env("WARPFACE_BENCH_RUN", run.page()).env("WARPFACE_BENCH_ROWS", run.with("csv"));
    shell::run(&mut command)?;
    say(format!("kept in {} and {}", run.page().display(), run.with("csv").display()));
    Ok(())
}
