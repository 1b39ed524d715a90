//! `cargo xtask bench-run`: `cargo bench`, with its tables kept under `benches/runs/`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

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
    if args.device.is_empty() || !args.device.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        bail!("`{}` should be a name of letters, digits, `-`, `_` and `.`", args.device);
    }
    let date = shell::output(Command::new("date").arg("+%F")).context("`date` is missing")?;
    let path = shell::root().join("benches/runs").join(format!("{date}-{}.md", args.device));
    let mut command = cargo(&["bench"]);
    command.args(&args.bench);
    let words = ["cargo", "bench"].into_iter().chain(args.bench.iter().map(String::as_str));
    let line = words.collect::<Vec<_>>().join(" ");
    let header = format!("# {date}, {}\n\nCommit {}, `{line}`.\n", args.device, shell::commit());
    fs::write(&path, header).with_context(|| format!("cannot write {}", path.display()))?;
    shell::run(command.env("WARPFACE_BENCH_RUN", &path))?;
    say(format!("kept in {}", path.display()));
    Ok(())
}
