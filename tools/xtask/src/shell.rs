//! Running other programs, and saying so.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// Announces a stage of a command.
pub fn say(what: impl std::fmt::Display) {
    eprintln!("==> {what}");
}

/// A program to be run in the repository's root.
pub fn program(name: impl AsRef<OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(root());
    command
}

/// The cargo that runs us.
pub fn cargo(args: &[&str]) -> Command {
    program(std::env::var_os("CARGO").unwrap_or("cargo".into()), args)
}

/// Runs a program with its output shown; its line is printed first.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    eprintln!("  $ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Whether a program runs and succeeds, with its output thrown away.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// What a program prints on standard output, trimmed; `None` if it fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The commit that is checked out, short; with `+` if files have been changed since, but for the pages of runs: what is measured
/// does not depend on them, and a run replaces its own.
pub fn commit() -> String {
    let git = |args: &[&str]| output(&mut program("git", args));
    let Some(hash) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)benches/runs"])
        .is_none_or(|status| !status.is_empty());
    if changed { hash + "+" } else { hash }
}

/// Builds the binary for release, and says where it lies.
pub fn build_warpface() -> Result<PathBuf> {
    run(cargo(&["build", "--release", "--package", "warpface", "--bin", "warpface"]).stdout(std::io::stderr()))?;
    Ok(built("release/warpface"))
}

/// Where cargo puts a program, by its profile's folder and name.
pub fn built(program: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir));
    target.join(program).with_extension(std::env::consts::EXE_EXTENSION)
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        if word.is_empty() || word.contains([' ', '"', '\'', '$']) { format!("'{word}'") } else { word.into_owned() }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
