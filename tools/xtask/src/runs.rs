//! Measured runs: a page and its raw rows under `benches/runs/`, by date and the machine's name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Where a run's files go; they differ by their suffixes.
#[derive(Debug)]
pub struct Run {
    stem: PathBuf,
    title: String,
}

impl Run {
    /// A run of today on the machine of this name; `what` tells it from the machine's other runs.
    pub fn new(folder: Option<&Path>, machine: &str, what: &str) -> Result<Run> {
        if machine.is_empty() || !machine.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            bail!("`{machine}` should be a name of letters, digits, `-`, `_` and `.`");
        }
        let date = date()?;
        let folder = folder.map_or_else(|| shell::root().join("benches/runs"), Path::to_owned);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let name = [machine, what].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
        Ok(Run { stem: folder.join(format!("{date}-{name}")), title: format!("{date}, {name}") })
    }

    /// A run of which the last one alone is kept.
    pub fn last(name: &str) -> Result<Run> {
        let stem = shell::root().join("benches/runs").join(name);
        Ok(Run { stem, title: format!("{}, {name}", date()?) })
    }

    /// The page for people.
    pub fn page(&self) -> PathBuf {
        self.with("md")
    }

    /// A file of raw rows beside the page.
    pub fn with(&self, suffix: &str) -> PathBuf {
        // Names have dots: what follows the last one is no suffix.
        let mut name = self.stem.clone().into_os_string();
        name.push(format!(".{suffix}"));
        name.into()
    }

    /// The page's first lines: date, machine, commit, command.
    pub fn header(&self, command: &str) -> String {
        format!("# {}\n\nCommit {}, `{command}`.\n", self.title, shell::commit())
    }
}

fn date() -> Result<String> {
    shell::output(Command::new("date").arg("+%F")).context("`date` is missing")
}

/// Writes a file of a run, and says so.
pub fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    shell::say(format!("kept in {}", path.display()));
    Ok(())
}

/// A field of a CSV file; quoted where it must be.
pub fn csv(field: &str) -> String {
    match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::new(Some(folder.path()), "cpu-2.5ghz", "pairs").unwrap();
        let name = run.page().file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with("-cpu-2.5ghz-pairs.md"), "{name}");
        assert_eq!(run.with("csv").with_extension(""), run.page().with_extension(""));
        assert!(run.header("x").contains(", cpu-2.5ghz-pairs\n"));
        assert!(Run::new(Some(folder.path()), "a b", "").is_err());
        assert_eq!(csv("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
