//! Virtual environments with pinned packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::shell::{self, program, say};

/// What pip resolves by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pins {
    /// The packages that others need.
    Direct,
    /// Nothing: every package is listed.
    All,
}

/// The Python of the environment `target/NAME` with exactly the packages of `requirements`; made anew when they change.
pub fn environment(root: &Path, name: &str, requirements: &Path, pins: Pins, size: &str) -> Result<PathBuf> {
    let venv = root.join("target").join(name);
    let wanted = fs::read_to_string(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let installed = venv.join("installed.txt");
    let python = venv.join("bin/python");
    if fs::read_to_string(&installed).is_ok_and(|have| have == wanted) && python.exists() {
        return Ok(python);
    }
    say(format!("a Python environment in target/{name} (about {size}, once)"));
    shell::run(program("python3", &["-m", "venv", "--clear"]).arg(&venv))
        .context("python3 with its venv module is needed (Debian and Ubuntu: `apt-get install python3-venv`)")?;
    let mut pip = program(&python, &["-m", "pip", "install", "--disable-pip-version-check"]);
    if pins == Pins::All {
        pip.arg("--no-deps");
    }
    // Standard output is for results; pip's progress is not one.
    shell::run(pip.arg("--requirement").arg(requirements).stdout(std::io::stderr()))?;
    ensure!(python.exists(), "{} is missing", python.display());
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(python)
}
