//! `cargo xtask foreign-ptx`: PTX by other compilers, run in the simulator, by `tools/ptxsim/foreign/run.py`.

use anyhow::{Context, Result};

use crate::python::{self, Pins};
use crate::shell::{self, program, say};

#[derive(clap::Args)]
pub struct Args {
    /// The compute capabilities compiled for, such as `90 100` [default: all that the script knows]
    targets: Vec<u32>,
}

pub fn run(args: &Args) -> Result<()> {
    let root = shell::root();
    let tools = root.join("tools/ptxsim/foreign");
    let requirements = tools.join("requirements.txt");
    let python = python::environment(&root, "foreign-ptx-venv", &requirements, Pins::Direct, "1.3 GB").context(
        "the compilers come as Python packages: this command needs python3 with pip and a network; there are packages for \
         Linux alone",
    )?;
    say("building ptxsim");
    // It is optimised in each profile.
    shell::run(shell::cargo(&["build", "--package", "ptxsim"]).stdout(std::io::stderr()))?;
    say("compiling by Triton and NVRTC, and running in ptxsim");
    let mut run = program(&python, &["-B"]);
    run.arg(tools.join("run.py"))
        .arg("--ptxsim")
        .arg(shell::built("debug/ptxsim"))
        .arg("--kernels")
        .arg(root.join("kernels"));
    run.arg("--work").arg(root.join("target/foreign-ptx"));
    if !args.targets.is_empty() {
        run.arg("--targets").args(args.targets.iter().map(u32::to_string));
    }
    shell::run(&mut run)
}
