//! `cargo xtask golden`: runs `tools/golden/*.py`, each with the folder of the dumps as its argument.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::python::{self, Pins};
use crate::shell::{self, program, say};

#[derive(clap::Args)]
pub struct Args {
    /// Only the scripts with these names, such as `eval`; all by default
    names: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let root = shell::root();
    let scripts = scripts(&root.join("tools/golden"), &args.names)?;
    let python =
        python::environment(&root, "golden-venv", &root.join("tools/golden/requirements.txt"), Pins::Direct, "2 GB")?;
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
