//! `cargo xtask test --long`: what takes too long for every change; its last run is kept.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::python as package;
use crate::fuzz;
use crate::python::{self, Pins};
use crate::runs::{self, Run, csv};
use crate::shell::{self, cargo};

/// Seconds of each fuzz target.
const FUZZ: u64 = 20;

/// What came of a part.
struct Row {
    what: &'static str,
    result: Result<String>,
    seconds: f64,
}

pub fn run(require: &str) -> Result<()> {
    let mut rows = Vec::new();
    let mut part = |what: &'static str, work: &mut dyn FnMut() -> Result<String>| {
        shell::say(what);
        let start = Instant::now();
        let result = work();
        if let Err(error) = &result {
            eprintln!("  {error:#}");
        }
        rows.push(Row { what, result, seconds: start.elapsed().as_secs_f64() });
    };
    part("the full references", &mut || tests(require, &["--test", "reference"]));
    part("ignored tests", &mut || tests(require, &["--workspace", "--run-ignored", "only"]));
    part("the Python wheel", &mut || package::check_long(require));
    part("Parquet in other programs", &mut || {
        let root = shell::root();
        let requirements = root.join("tools/readers/requirements.txt");
        let python = python::environment(&root, "readers-venv", &requirements, Pins::Direct, "400 MB")?;
        tests_in(&python, "readers", &["--features", "parquet", "--test", "parquet"])
    });
    let mut edges = String::new();
    part("fuzzing", &mut || {
        let found = fuzz::all(&fuzz::Args { seconds: FUZZ, only: Vec::new() })?;
        edges = fuzz::table(&found);
        Ok(format!("{} targets of {FUZZ} s", found.len()))
    });
    keep(&rows, &edges)?;
    let failed: Vec<&str> = rows.iter().filter(|row| row.result.is_err()).map(|row| row.what).collect();
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    shell::say("all is well");
    Ok(())
}

/// Tests in their long forms.
fn tests(require: &str, which: &[&str]) -> Result<String> {
    let mut tests = cargo(&["nextest", "run"]);
    tests.args(which).args(["--no-fail-fast"]).env("WARPFACE_FULL", "1");
    if !require.is_empty() {
        tests.env("WARPFACE_REQUIRE", require);
    }
    shell::run(&mut tests)?;
    Ok("all passed".to_owned())
}

/// Tests that take a Python which must be there.
fn tests_in(python: &Path, what: &str, which: &[&str]) -> Result<String> {
    let mut tests = cargo(&["nextest", "run"]);
    tests.args(which).env(format!("WARPFACE_{}", what.to_uppercase()), python).env("WARPFACE_REQUIRE", what);
    shell::run(&mut tests)?;
    Ok("all passed".to_owned())
}

/// Writes the page and its rows over those of the last run.
fn keep(rows: &[Row], edges: &str) -> Result<()> {
    let run = Run::last("long")?;
    let (page, lines) = texts(rows, edges);
    runs::write(&run.page(), &format!("{}\n{page}", run.header("cargo xtask test --long")))?;
    runs::write(&run.with("csv"), &lines)
}

/// The page's tables, and the rows as CSV.
fn texts(rows: &[Row], edges: &str) -> (String, String) {
    let mut page = "| part | minutes | |\n|---|--:|---|\n".to_owned();
    let mut lines = "part,seconds,passed,remark\n".to_owned();
    for Row { what, result, seconds } in rows {
        let remark = result.as_ref().map_or_else(|error| format!("failed: {error:#}"), String::clone);
        let _ = writeln!(page, "| {what} | {:.1} | {} |", seconds / 60.0, remark.replace('|', "/"));
        let _ = writeln!(lines, "{what},{seconds:.1},{},{}", result.is_ok(), csv(&remark));
    }
    if !edges.is_empty() {
        let _ = write!(page, "\n{edges}");
    }
    (page, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_kept_too() {
        let good = Row { what: "fuzzing", result: Ok("10 targets".to_owned()), seconds: 90.0 };
        let bad = Row { what: "ignored tests", result: Err(anyhow::anyhow!("`a|b` failed, badly")), seconds: 6.0 };
        let (page, lines) = texts(&[good, bad], "| target |\n");
        assert!(page.contains("| fuzzing | 1.5 | 10 targets |\n"), "{page}");
        assert!(page.contains("| ignored tests | 0.1 | failed: `a/b` failed, badly |\n\n| target |"), "{page}");
        assert_eq!(lines.lines().nth(2), Some("ignored tests,6.0,false,\"failed: `a|b` failed, badly\""));
    }
}
