//! Builds that are promised: combinations of features without a warning, and the documentation.

use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::times::Target;
use crate::shell;
use crate::wasm::Wasm;

/// A combination of features, and where it is to run.
struct Combination {
    features: &'static str,
    wasm: bool,
}

/// What must build, at most eight; the defaults are what every other step builds.
const COMBINATIONS: [Combination; 8] = [
    native(""),
    native("cuda"),
    native("wgpu"),
    native("cuda,wgpu"),
    native("decode"),
    native("decode,ndarray,parquet,cuda"),
    native("cli"),
    Combination { features: "wgpu", wasm: true },
];

const fn native(features: &'static str) -> Combination {
    Combination { features, wasm: false }
}

/// Checks each combination; a warning fails, too.
pub fn features(target: &Target) -> Result<()> {
    for combination in &COMBINATIONS {
        check(target, combination)?;
    }
    Ok(())
}

fn check(target: &Target, combination: &Combination) -> Result<()> {
    let Combination { features, wasm } = combination;
    let line = ["check", "--package", "warpface", "--lib", "--bins", "--no-default-features", "--features", features];
    let mut cargo = target.cargo(&line);
    if *wasm {
        let Some(toolchain) = Wasm::find() else {
            eprintln!("  SKIPPED: {features} for wasm32: {}", Wasm::MISSING);
            return Ok(());
        };
        toolchain.apply(&mut cargo);
    }
    let name = if features.is_empty() { "no features" } else { features };
    eprintln!("  {name}");
    let output = cargo.env("CARGO_TERM_COLOR", "never").stdin(Stdio::null()).output().context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || warns(&text) {
        eprint!("{text}");
        bail!("`cargo {}` fails or warns", line.join(" "));
    }
    Ok(())
}

/// Whether cargo's output holds a warning; it repeats those of what it had built before.
fn warns(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("warning"))
}

/// The documentation without a warning, links above all.
pub fn documentation(target: &Target) -> Result<()> {
    let mut doc = target.cargo(&["doc", "--no-deps", "--lib", "--package", "warpface", "--package", "ptxsim"]);
    shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_seen() {
        assert!(warns("    Checking warpface\nwarning: unused import: `x`\n  --> src/lib.rs\n"));
        assert!(!warns("    Checking warpface\n    Finished `dev` profile\n"));
    }

    #[test]
    fn combinations_are_few() {
        assert!(COMBINATIONS.len() <= 8);
    }
}
