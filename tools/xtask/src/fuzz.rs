//! `cargo xtask fuzz`: every target of `tools/fuzz`, built and run with the fixtures as seeds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{self, cargo, say};

#[derive(clap::Args)]
pub struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub seconds: u64,
    /// Only these targets
    #[arg(long, value_name = "TARGET", value_delimiter = ',')]
    pub only: Vec<String>,
}

/// What a target came to.
pub struct Row {
    /// Its name.
    pub target: String,
    /// Inputs that were tried.
    pub runs: u64,
    /// Edges of the program's graph that were reached.
    pub edges: u64,
}

pub fn run(args: &Args) -> Result<()> {
    print!("{}", table(&all(args)?));
    Ok(())
}

/// Builds and runs the targets; fails at the end if one found a crash.
pub fn all(args: &Args) -> Result<Vec<Row>> {
    install()?;
    let folder = shell::root().join("tools/fuzz");
    let names = targets(&folder)?;
    if let Some(unknown) = args.only.iter().find(|only| !names.contains(only)) {
        bail!("--only: there is no target `{unknown}`; there are {}", names.join(", "));
    }
    say("building the fuzz targets");
    shell::run(fuzz(&folder, &["build"]).stdout(std::io::stderr()))?;
    let (mut rows, mut crashed) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| args.only.is_empty() || args.only.contains(name)) {
        say(format!("fuzzing {name} for {} s", args.seconds));
        match target(&folder, name, args.seconds)? {
            Some(row) => rows.push(row),
            None => crashed.push(name.as_str()),
        }
    }
    ensure!(crashed.is_empty(), "crashed: {}; the inputs lie in tools/fuzz/artifacts", crashed.join(", "));
    Ok(rows)
}

/// The rows for people.
pub fn table(rows: &[Row]) -> String {
    let line = |Row { target, runs, edges }: &Row| format!("| {target} | {runs} | {edges} |\n");
    "| target | inputs | edges |\n|---|--:|--:|\n".to_owned() + &rows.iter().map(line).collect::<String>()
}

/// cargo-fuzz, from the registry if it is missing.
fn install() -> Result<()> {
    if shell::succeeds(&mut cargo(&["fuzz", "--version"])) {
        return Ok(());
    }
    say("installing cargo-fuzz, once");
    shell::run(&mut cargo(&["install", "cargo-fuzz", "--locked"]))
}

/// `cargo fuzz` with the installed toolchain: the sanitizer's flags are not stable yet. mozjpeg defines some globals
/// twice, which AddressSanitizer would take for a bug.
fn fuzz(folder: &Path, command: &[&str]) -> Command {
    let mut cargo = cargo(&["fuzz"]);
    cargo.args(command).current_dir(folder).arg("--fuzz-dir").arg(folder);
    cargo.env("RUSTC_BOOTSTRAP", "1").env("ASAN_OPTIONS", "detect_odr_violation=0");
    cargo
}

/// The targets' names.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder.join("fuzz_targets")).context("tools/fuzz/fuzz_targets cannot be listed")?;
    let names =
        entries.flatten().map(|entry| entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    ensure!(!names.is_empty(), "tools/fuzz/fuzz_targets is empty");
    Ok(names)
}

/// Runs a target on its corpus and the fixtures; `None` after a crash.
fn target(folder: &Path, name: &str, seconds: u64) -> Result<Option<Row>> {
    let corpus = folder.join("corpus").join(name);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    plant(name, &corpus)?;
    let mut run = fuzz(folder, &["run", name]);
    run.arg(&corpus).args(seeds(name)).arg("--");
    run.args([
        format!("-max_total_time={seconds}"),
        "-print_final_stats=1".to_owned(),
        "-rss_limit_mb=4096".to_owned(),
    ]);
    let output = run.stdin(Stdio::null()).stdout(Stdio::inherit()).output().context("cannot start cargo fuzz")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprint!("{text}");
        return Ok(None);
    }
    let (runs, edges) = told(&text).with_context(|| format!("{name}: libFuzzer printed no figures:\n{text}"))?;
    eprintln!("  {runs} inputs, {edges} edges");
    Ok(Some(Row { target: name.to_owned(), runs, edges }))
}

/// Folders of fixtures that a target begins with: weights of every format, photographs.
fn seeds(name: &str) -> Vec<PathBuf> {
    let folder = match name {
        "decode" => "tests/golden/image/decode",
        "packed" => "tests/golden/packed",
        "landmarks" => "tests/golden/landmarks",
        "checkpoint" | "manifest" | "pairs" => return Vec::new(),
        "onnx" | "tflite" | "caffe" | "joblib" => "tests/golden/weights/mtcnn",
        _ => "tests/golden/weights",
    };
    vec![shell::root().join(folder)]
}

/// Seeds that are no fixture as it lies there, written to the target's corpus.
fn plant(name: &str, corpus: &Path) -> Result<()> {
    let root = shell::root();
    let read = |path: &str| fs::read(root.join(path)).with_context(|| format!("cannot read {path}"));
    let write = |to: &str, bytes: &[u8]| fs::write(corpus.join(to), bytes).context("cannot write to the corpus");
    match name {
        "manifest" => write("seed-manifest", &read("weights/MANIFEST")?)?,
        "pairs" => {
            write("seed-pairs", b"2\t2\nAda\t1\t2\nBo\t3\t1\nAda\t1\tBo\t2\nAda\t2\tBo\t1\n")?;
            write("seed-list", b"Ada_0001.jpg 1\nAda_0002.jpg 1\nAda_0001.jpg 0\nBo_0001.jpg 0\n")?;
            write("seed-paths", b"1\t1\tpaths\na/1.png\ta/2.png\tsame\na/1.png\tb/1.png\tdifferent\n")?;
        }
        "checkpoint" => {
            let fixture = "tests/golden/weights/model.ckpt";
            let (index, data) = (read(&format!("{fixture}.index"))?, read(&format!("{fixture}.data-00000-of-00001"))?);
            // The target's own form: the index's length before both.
            let length = u16::try_from(index.len()).context("the fixture's index is short")?.to_le_bytes();
            write("seed-model", &[&length[..], &index, &data].concat())?;
            // Two tensors, f32 `[2, 3]` and `[1]`, as the target builds them.
            let tensors = [1, 2, 3, 0, 0, 24, 0, 2, 1, 1, 0, 0, 4, 4, 0, 1];
            write("seed-tensors", &[&[tensors.len() as u8, 0][..], &tensors, &data[..data.len().min(64)]].concat())?;
        }
        _ => {}
    }
    Ok(())
}

/// Inputs and edges of libFuzzer's output: the last `#N … cov: N` line.
fn told(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "))?;
    let runs = line.trim_start_matches('#').split_whitespace().next()?.parse().ok()?;
    let edges = line.split(" cov: ").nth(1)?.split_whitespace().next()?.parse().ok()?;
    Some((runs, edges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let text = "INFO: seed\n#2\tINITED cov: 10 ft: 11 corp: 1/1b\n#4096\tpulse  cov: 134 ft: 200\n\
                    #9000\tDONE   cov: 140 ft: 210 corp: 3/9b\nDone 9000 runs in 2 second(s)\nstat::peak: 5\n";
        assert_eq!(told(text), Some((9000, 140)));
        assert_eq!(told("nothing"), None);
    }

    #[test]
    fn every_target_is_listed_in_the_manifest() {
        let folder = shell::root().join("tools/fuzz");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for name in targets(&folder).unwrap() {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        }
    }
}
