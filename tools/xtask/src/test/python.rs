//! The Python package: laid out as it is installed, and tested by pytest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::required;
use super::times::Target;
use crate::python::{Pins, environment};
use crate::shell::{self, program, root};

/// Below the root.
const PACKAGE: &str = "bindings/python";

/// What the tests run with, and how large it is.
const REQUIREMENTS: [(&str, &str, &str); 2] =
    [("python-venv", "requirements.txt", "60 MB"), ("python-long-venv", "long-requirements.txt", "700 MB")];

/// Builds the library beside the other tests, and runs the package's on it.
pub fn check(target: &Target, require: &str) -> Result<()> {
    let Some(python) = python(0, require)? else { return Ok(()) };
    // With the tests' features, so that only the package itself is new.
    shell::run(&mut target.cargo(&["build", "--workspace", "--lib", "--tests"]))?;
    let package = lay_out(target)?;
    let mut tests = pytest(&python, &[]);
    shell::run(tests.env("PYTHONPATH", &package).env("WARPFACE_COMMAND", target.built("debug/warpface")))
}

/// Builds the wheel, installs it, and runs what needs heavy packages, too.
pub fn check_long(require: &str) -> Result<String> {
    let Some(python) = python(1, require)? else { return Ok("skipped: no Python".to_owned()) };
    let wheels = root().join("target/wheels");
    let _ = fs::remove_dir_all(&wheels);
    let build = ["-m", "maturin", "build", "--profile", "dev", "--manifest-path"];
    shell::run(program(&python, &build).arg(format!("{PACKAGE}/Cargo.toml")).arg("--out").arg(&wheels))?;
    let wheel = fs::read_dir(&wheels)?.flatten().map(|entry| entry.path()).next().context("maturin left no wheel")?;
    let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-deps", "--force-reinstall"];
    shell::run(program(&python, &pip).arg(&wheel))?;
    let mut tests = pytest(&python, &["--long"]);
    tests.env("WARPFACE_COMMAND", python.with_file_name("warpface"));
    match torch_packages() {
        Some(packages) => drop(tests.env("PYTHONPATH", packages)),
        None => eprintln!("  nothing is compared with facenet-pytorch: `cargo xtask peers` installs torch"),
    }
    shell::run(&mut tests)?;
    Ok("the wheel's tests passed".to_owned())
}

/// Where the environment of `cargo xtask peers` has torch, which is too large to have twice.
fn torch_packages() -> Option<PathBuf> {
    let versions = fs::read_dir(root().join("target/peers-venv/lib")).ok()?.flatten();
    versions.map(|version| version.path().join("site-packages")).find(|packages| packages.join("torch").is_dir())
}

/// The Python of an environment; none, loudly, where there cannot be one and none is required.
fn python(which: usize, require: &str) -> Result<Option<PathBuf>> {
    let (name, requirements, size) = REQUIREMENTS[which];
    let requirements = root().join(PACKAGE).join("tests").join(requirements);
    let made = environment(&root(), name, &requirements, Pins::All, size).and_then(|python| {
        let usable = shell::succeeds(&mut program(&python, &["-c", "import numpy, PIL, pytest"]));
        ensure!(usable, "target/{name} lacks numpy, Pillow or pytest; can pip reach its index?");
        Ok(python)
    });
    match made {
        Ok(python) => Ok(Some(python)),
        Err(error) if required(require, "python") => Err(error.context("the Python package's tests are required")),
        Err(error) => {
            eprintln!("  SKIPPED: the Python package's tests: {error:#}");
            Ok(None)
        }
    }
}

/// Lays the package out in `target/python`; what is to be searched for packages.
fn lay_out(target: &Target) -> Result<PathBuf> {
    let folder = root().join("target/python");
    let _ = fs::remove_dir_all(&folder);
    let to = folder.join("warpface");
    fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
    let from = root().join(PACKAGE).join("python/warpface");
    let entries = fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))?;
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
        copy(&path, &to.join(path.file_name().unwrap_or_default()))?;
    }
    let [prefix, suffix] = [std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX];
    let name = if cfg!(windows) { "_native.pyd" } else { "_native.abi3.so" };
    copy(&target.built("debug/warpface").with_file_name(format!("{prefix}_native{suffix}")), &to.join(name))?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The package's tests; why one is skipped is told.
fn pytest(python: &Path, arguments: &[&str]) -> std::process::Command {
    let mut tests = program(python, &["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]);
    tests.args(arguments).arg(format!("{PACKAGE}/tests"));
    tests.env("WARPFACE_WEIGHTS", root().join("weights")).env("PYTHONDONTWRITEBYTECODE", "1");
    tests
}
