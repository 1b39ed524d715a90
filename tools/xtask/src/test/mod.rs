//! `cargo xtask test`: what the tests need, then everything that must hold, part by part.

mod builds;
mod long;
mod package;
mod python;
mod times;

use anyhow::{Result, bail, ensure};

use crate::shell::{self, cargo};
use crate::{load, ptx, vulkan, web, weights};
use times::{Part, Times};

#[derive(clap::Args)]
pub struct Args {
    /// Backends whose tests must not be skipped (sets WARPFACE_REQUIRE); `ptx` is the comparison of the shipped PTX with
    /// what its compiler makes, `python` the package for Python, `web` the package in Chromium
    #[arg(long, value_name = "cpu,wgpu,ptxsim,ptx,python,web")]
    require: Option<String>,
    /// Only this part
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Build everything anew, in target/times, and print the minutes of each part beside its budget
    #[arg(long)]
    times: bool,
    /// What takes too long for every change: fuzzing, the full references, ignored tests; kept in benches/runs/long.md
    #[arg(long, conflicts_with_all = ["times", "only"])]
    long: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let require = args.require.clone().or_else(|| std::env::var("WARPFACE_REQUIRE").ok()).unwrap_or_default();
    prepare(&require)?;
    if args.long {
        return long::run(&require);
    }
    let mut times = Times::new(args.times)?;
    for part in Part::ALL.into_iter().filter(|part| args.only.is_none_or(|only| only == *part)) {
        match part {
            Part::Core => core(&require, &mut times)?,
            Part::Builds => {
                times.step(part, "combinations of features", builds::features)?;
                times.step(part, "the library's documentation", builds::documentation)?;
                times.step(part, "the package", package::check)?;
            }
            Part::Bindings => times.step(part, "the Python package", |target| python::check(target, &require))?,
        }
    }
    times.finish();
    shell::say("all is well");
    Ok(())
}

/// What the tests need: a Vulkan driver, weights.
fn prepare(require: &str) -> Result<()> {
    if vulkan::is_there() {
        shell::say("a Vulkan driver is there");
    } else if let Err(error) = vulkan::install() {
        if required(require, "wgpu") {
            bail!("{error:#}");
        }
        eprintln!("  {error:#}\n  the WGSL tests will be skipped");
    }
    weights::fill(&shell::root().join("weights"))
}

fn required(list: &str, what: &str) -> bool {
    list.split(',').any(|backend| backend.trim() == what)
}

/// Kernels, formatting, lints, tests.
fn core(require: &str, times: &mut Times) -> Result<()> {
    times.step(Part::Core, "the shipped PTX", |_| {
        if ptx::check()?.is_none() {
            ensure!(!required(require, "ptx"), "the kernels' compiler is required, but cannot be had");
            eprintln!("  the shipped PTX is not compared with its sources' compilation");
        }
        Ok(())
    })?;
    times.step(Part::Core, "the package for browsers", |_| match web::prepare() {
        Err(error) if required(require, "web") => Err(error.context("the package for browsers is required")),
        Err(error) => {
            eprintln!("  {error:#}\n  the tests in a browser will be skipped");
            Ok(())
        }
        Ok(()) => Ok(()),
    })?;
    let tests = tests();
    // A use of the standard library that the crate's `rust-version` does not have is a warning; it is named here because
    // nothing else would notice it with a newer toolchain.
    let lints = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings", "-D", "clippy::incompatible_msrv"];
    let steps: [(&str, &[&str]); 4] = [
        ("formatting", &["fmt", "--all", "--check"]),
        ("lints", &lints),
        ("tests", tests),
        ("examples in the documentation", &["test", "--doc", "--package", "warpface"]),
    ];
    for (what, step) in steps {
        times.step(Part::Core, what, |target| {
            let mut step = target.cargo(step);
            if !require.is_empty() {
                step.env("WARPFACE_REQUIRE", require);
            }
            shell::run(&mut step)
        })?;
    }
    times.step(Part::Core, "the server under load", |target| load::briefly(target.built("debug/warpface")))
}

/// The command that runs the tests: nextest's where it is installed.
fn tests() -> &'static [&'static str] {
    match shell::succeeds(&mut cargo(&["nextest", "--version"])) {
        true => &["nextest", "run", "--workspace"],
        false => &["test", "--workspace", "--lib", "--bins", "--tests", "--examples"],
    }
}
