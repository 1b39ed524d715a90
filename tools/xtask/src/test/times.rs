//! How long each part of the tests takes, beside what it may.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::shell::{self, cargo};

/// A part of the tests with a budget of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Kernels, lints, all tests.
    Core,
    /// Combinations of features, documentation, the package.
    Builds,
    /// What other languages call.
    Bindings,
}

impl Part {
    /// In the order in which they run.
    pub const ALL: [Part; 3] = [Part::Core, Part::Builds, Part::Bindings];

    fn name(self) -> &'static str {
        match self {
            Part::Core => "core",
            Part::Builds => "features and docs",
            Part::Bindings => "bindings",
        }
    }

    /// Minutes that it may take from nothing on two processors.
    fn budget(self) -> f64 {
        match self {
            Part::Core => 22.0,
            Part::Builds => 3.0,
            Part::Bindings => 3.0,
        }
    }
}

/// Where cargo builds.
#[derive(Clone, Debug)]
pub struct Target(Option<PathBuf>);

impl Target {
    /// A cargo that builds there.
    pub fn cargo(&self, args: &[&str]) -> Command {
        let mut cargo = cargo(args);
        if let Some(folder) = &self.0 {
            cargo.env("CARGO_TARGET_DIR", folder);
        }
        cargo
    }

    /// A program that was built there, by its profile's folder and name.
    pub fn built(&self, program: &str) -> PathBuf {
        match &self.0 {
            Some(folder) => folder.join(program).with_extension(std::env::consts::EXE_EXTENSION),
            None => shell::built(program),
        }
    }
}

/// The times so far.
pub struct Times {
    target: Target,
    steps: Vec<(Part, String, Duration)>,
}

impl Times {
    /// With `cold`, everything is built anew in a folder of its own, and the times are printed at the end.
    pub fn new(cold: bool) -> Result<Times> {
        let folder = cold.then(|| shell::root().join("target/times"));
        if let Some(folder) = folder.as_ref().filter(|folder| folder.exists()) {
            fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        Ok(Times { target: Target(folder), steps: Vec::new() })
    }

    /// Runs a step of a part.
    pub fn step(&mut self, part: Part, what: &str, work: impl FnOnce(&Target) -> Result<()>) -> Result<()> {
        shell::say(what);
        let start = Instant::now();
        work(&self.target)?;
        self.steps.push((part, what.to_owned(), start.elapsed()));
        Ok(())
    }

    /// Prints the table, if it was asked for, and gives the folder's space back.
    pub fn finish(&self) {
        let Some(folder) = &self.target.0 else { return };
        print!("{}", table(&self.steps));
        let _ = fs::remove_dir_all(folder);
    }
}

/// The parts that ran, their steps, and the whole.
fn table(steps: &[(Part, String, Duration)]) -> String {
    let of = |part: Part| steps.iter().filter(move |(of, ..)| *of == part);
    let minutes = |time: Duration| time.as_secs_f64() / 60.0;
    let mut text = "| part | minutes | budget |\n|---|--:|--:|\n".to_owned();
    let (mut whole, mut budget) = (0.0, 0.0);
    for part in Part::ALL.into_iter().filter(|&part| of(part).next().is_some()) {
        let sum = minutes(of(part).map(|(.., time)| *time).sum());
        text += &format!("| {} | {sum:.1} | {} |\n", part.name(), part.budget());
        of(part).for_each(|(_, what, time)| text += &format!("| – {what} | {:.1} | |\n", minutes(*time)));
        (whole, budget) = (whole + sum, budget + part.budget());
    }
    text + &format!("| the whole | {whole:.1} | {budget} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_summed_beside_their_budgets() {
        let step = |part, what: &str, seconds| (part, what.to_owned(), Duration::from_secs(seconds));
        let steps = [step(Part::Core, "lints", 90), step(Part::Builds, "docs", 30), step(Part::Core, "tests", 120)];
        let text = table(&steps);
        for line in [
            "| core | 3.5 | 22 |",
            "| features and docs | 0.5 | 3 |",
            "| – tests | 2.0 | |",
            "| the whole | 4.0 | 25 |",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let text = table(&steps[1..2]);
        assert!(!text.contains("core") && text.contains("| the whole | 0.5 | 3 |"), "{text}");
    }
}
