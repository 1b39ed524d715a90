//! `cargo xtask model`: how long a network may take on a GPU that is not here, by `tools/model`.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::{self, cargo, program};

#[derive(clap::Args)]
pub struct Args {
    /// The card: h100, h200, a100, l40s, rtx4090 or rtx5090
    #[arg(long)]
    gpu: String,
    /// Images at once
    #[arg(long, default_value_t = 1, value_name = "N")]
    batch: usize,
    /// f16, bf16, tf32 or f32
    #[arg(long, default_value = "f16")]
    precision: String,
    /// An embedding network, as `warpface plan` names it
    #[arg(long, default_value = "inception_resnet_v1")]
    network: String,
    /// Print what each kernel asks for, and the lines that ask for more than they need
    #[arg(long)]
    kernels: bool,
    /// Add the rows to this CSV file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    // The simulator is optimised in each profile.
    shell::run(cargo(&["build", "--package", "model"]).stdout(std::io::stderr()))?;
    let Args { gpu, batch, precision, network, kernels, csv } = args;
    let batch = batch.to_string();
    let line = ["--gpu", gpu, "--batch", &batch, "--precision", precision, "--network", network];
    let mut model = program(shell::built("debug/model"), &line);
    if *kernels {
        model.arg("--kernels");
    }
    if let Some(path) = csv {
        model.arg("--csv").arg(path);
    }
    shell::run(&mut model)
}
