//! `cargo xtask golden`: runs `tools/golden/*.py`, each with the folder of the dumps as its argument.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{self, program, say};

#[derive(clap::Args)]
pub struct Args {
    /// Only the scripts with these names, such as `eval`; all by default
    names: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let root = shell::root();
    let scripts = scripts(&root.join("tools/golden"), &args.names)?;
    let python = environment(&root)?;
    for script in scripts {
        say(script.file_name().unwrap_or_default().display());
        shell::run(program(&python, &[]).arg(script).arg(root.join("tests/golden")))?;
    }
    Ok(())
}

/// The scripts to run; names beginning with `_` are modules that scripts share.
fn scripts(folder: &Path, names: &[String]) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let stem = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut scripts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|e| e == "py") && !stem(path).starts_with('_'));
    scripts.sort();
    if let Some(unknown) = names.iter().find(|name| !scripts.iter().any(|path| stem(path) == **name)) {
        let known: Vec<String> = scripts.iter().map(stem).collect();
        bail!("there is no `{unknown}`; there are {}", known.join(", "));
    }
    scripts.retain(|path| names.is_empty() || names.contains(&stem(path)));
    Ok(scripts)
}

/// The Python of a virtual environment with exactly the pinned packages; made anew when the pins change.
fn environment(root: &Path) -> Result<PathBuf> {
    let venv = root.join("target/golden-venv");
    let pins = root.join("tools/golden/requirements.txt");
    let wanted = fs::read_to_string(&pins).with_context(|| format!("cannot read {}", pins.display()))?;
    let installed = venv.join("installed.txt");
    let python = venv.join("bin/python");
    if fs::read_to_string(&installed).is_ok_and(|have| have == wanted) && python.exists() {
        return Ok(python);
    }
    say("a Python environment in target/golden-venv (about 2 GB, once)");
    shell::run(program("python3", &["-m", "venv", "--clear"]).arg(&venv))
        .context("python3 with its venv module is needed (Debian and Ubuntu: `apt-get install python3-venv`)")?;
    shell::run(program(&python, &["-m", "pip", "install", "--disable-pip-version-check", "--requirement"]).arg(&pins))?;
    ensure!(python.exists(), "{} is missing", python.display());
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_sorted_and_chosen_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["b.py", "a.py", "_common.py", "requirements.txt"] {
            fs::write(dir.path().join(file), "").unwrap();
        }
        let names = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|s| s.to_string()).collect();
            scripts(dir.path(), &wanted)
                .map(|s| s.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["a.py", "b.py"]);
        assert_eq!(names(&["b"]).unwrap(), ["b.py"]);
        assert!(names(&["c"]).unwrap_err().to_string().contains("there are a, b"));
    }
}
