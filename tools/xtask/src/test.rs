//! `cargo xtask test`: what the tests need, then fmt, clippy and all tests.

use anyhow::{Result, bail, ensure};

use crate::shell::{self, cargo};
use crate::{ptx, vulkan, weights};

#[derive(clap::Args)]
pub struct Args {
    /// Backends whose tests must not be skipped (sets WARPFACE_REQUIRE); `ptx` is the comparison of the shipped PTX with
    /// what its compiler makes
    #[arg(long, value_name = "cpu,wgpu,ptxsim,ptx")]
    require: Option<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let require = args.require.clone().or_else(|| std::env::var("WARPFACE_REQUIRE").ok()).unwrap_or_default();
    let required = |what: &str| require.split(',').any(|backend| backend.trim() == what);
    if vulkan::is_there() {
        shell::say("a Vulkan driver is there");
    } else if let Err(error) = vulkan::install() {
        if required("wgpu") {
            bail!("{error:#}");
        }
        eprintln!("  {error:#}\n  the WGSL tests will be skipped");
    }
    weights::fill(&shell::root().join("weights"))?;
    shell::say("the shipped PTX");
    if ptx::check()?.is_none() {
        ensure!(!required("ptx"), "the kernels' compiler is required, but cannot be had");
        eprintln!("  the shipped PTX is not compared with its sources' compilation");
    }

    let nextest = shell::succeeds(&mut cargo(&["nextest", "--version"]));
    let tests: &[&str] = if nextest {
        &["nextest", "run", "--workspace"]
    } else {
        &["test", "--workspace", "--lib", "--bins", "--tests", "--examples"]
    };
    let steps: [(&str, &[&str]); 4] = [
        ("formatting", &["fmt", "--all", "--check"]),
        ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        ("tests", tests),
        ("examples in the documentation", &["test", "--doc", "--package", "warpface"]),
    ];
    for (what, step) in steps {
        shell::say(what);
        let mut step = cargo(step);
        if !require.is_empty() {
            step.env("WARPFACE_REQUIRE", &require);
        }
        shell::run(&mut step)?;
    }
    shell::say("all is well");
    Ok(())
}
