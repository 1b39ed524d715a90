//! `cargo xtask test`: what the tests need, then fmt, clippy and all tests.

use anyhow::{Result, bail};

use crate::shell::{self, cargo};
use crate::{vulkan, weights};

#[derive(clap::Args)]
pub struct Args {
    /// Backends whose tests must not be skipped (sets WARPFACE_REQUIRE)
    #[arg(long, value_name = "cpu,wgpu")]
    require: Option<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let require = args.require.clone().or_else(|| std::env::var("WARPFACE_REQUIRE").ok()).unwrap_or_default();
    if vulkan::is_there() {
        shell::say("a Vulkan driver is there");
    } else if let Err(error) = vulkan::install() {
        if require.split(',').any(|backend| backend.trim() == "wgpu") {
            bail!("{error:#}");
        }
        eprintln!("  {error:#}\n  the WGSL tests will be skipped");
    }
    weights::fill(&shell::root().join("weights"))?;

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
