//! Virtual environments with pinned packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::shell::{self, program, say};

/// How packages are installed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pins {
    /// What the listed packages need comes along; all must succeed.
    Direct,
    /// Every package is listed; one that cannot be had is told, and left out.
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
    ensure!(python.exists(), "{} is missing", python.display());
    let pip = || {
        let mut pip = program(&python, &["-m", "pip", "install", "--disable-pip-version-check"]);
        if pins == Pins::All {
            pip.arg("--no-deps");
        }
        // Standard output is for results; pip's progress is not one.
        pip.stdout(std::io::stderr());
        pip
    };
    if let Err(error) = shell::run(pip().arg("--requirement").arg(requirements)) {
        if pins == Pins::Direct {
            return Err(error);
        }
        let packages = wanted.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let missing: Vec<&str> = packages.filter(|package| shell::run(pip().arg(package)).is_err()).collect();
        eprintln!("  not to be had here: {}", missing.join(", "));
        // The next run tries again: this one is not noted as complete.
        return Ok(python);
    }
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(python)
}
