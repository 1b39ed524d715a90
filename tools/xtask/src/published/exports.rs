//! The embedding networks by other frameworks' exporters (`tools/published/export.py`), held against
//! the files that they were made of by their embeddings.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::Bench;
use super::packages::{FACENET_PYTORCH, KERAS_FACENET};
use super::table::{Difference, Row};
use crate::python::{self, Pins};
use crate::shell::{self, program, say};

/// How far a value may be off what the file's own runtime gives, both L2-normalized: those sum in other orders.
const OWN: f64 = 1e-6;

/// What the script exports: the file, who writes it, how, and how far values may be off.
const OF_TORCH: [(&str, &str, &str, f64); 3] = [
    ("torchscript.onnx", "torch", "ONNX, the older exporter, batch norms folded", 1e-6),
    ("training.onnx", "torch", "ONNX, the older exporter, batch norms kept", 1e-6),
    ("dynamo.onnx", "torch", "ONNX, the newer exporter, data in a second file", 1e-6),
];
const OF_KERAS: [(&str, &str, &str, f64); 3] = [
    ("f32.tflite", "tensorflow-cpu", "TFLite, f32", 1e-6),
    ("f16.tflite", "tensorflow-cpu", "TFLite, f16", 1e-3),
    ("tf2onnx.onnx", "tf2onnx", "ONNX by tf2onnx", 1e-6),
];

/// Each export beside the file that it was made of, on crops of the sample photographs.
pub fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let tools = shell::root().join("tools/published");
    let requirements = tools.join("requirements.txt");
    let python = python::environment(&shell::root(), "published-venv", &requirements, Pins::All, "7 GB")?;
    let pins = fs::read_to_string(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let model = bench.work.join("graph_final.pt");
    let original = bench.weights.join("graph_final.pb");
    say("exporting the embedding networks");
    bench.warpface(&["convert", "--overwrite", "--model", Bench::text(&original)?], &[&model])?;
    let mut export = program(&python, &["-B"]);
    export.arg(tools.join("export.py")).arg(FACENET_PYTORCH.unpacked(&bench.work)?);
    export.arg(KERAS_FACENET.unpacked(&bench.work)?).arg(&bench.weights).arg(&model).arg(&bench.work);
    shell::run(export.stdout(std::io::stderr()))?;

    say("comparing their embeddings");
    let crops = bench.work.join("crops");
    let _ = fs::remove_dir_all(&crops);
    bench.warpface(&["align", "--image-size", "160", "--margin", "32"], &[&bench.photos, &crops])?;
    let mut rows = Vec::new();
    for (name, standardize, exports) in
        [("graph_final.pb", "fixed", OF_TORCH), ("facenet_keras.h5", "prewhiten", OF_KERAS)]
    {
        let original = embed(bench, &crops, &bench.weights.join(name), standardize)?;
        for (file, package, layout, allowed) in exports {
            let path = bench.work.join(file);
            let found = embed(bench, &crops, &path, standardize);
            let differences = found.and_then(|found| {
                let script = tools.join("values.py");
                let mut compare = program(&python, &["-B"]);
                compare.arg(&script).args([&found, &original, &path]).arg(standardize);
                let said = shell::output(&mut compare).with_context(|| format!("{} failed", script.display()))?;
                let [of_original, of_own] = differences(&said)?;
                let measured = |found, allowed| Some(Difference { found, allowed });
                Ok([measured(of_original, allowed), measured(of_own, OWN)])
            });
            let layout = format!("{layout}, of {name}");
            rows.push(Row::new(package, version(&pins, package), &layout, differences));
        }
    }
    Ok(rows)
}

/// The folder of the embeddings of all crops by a model.
fn embed(bench: &Bench, crops: &Path, model: &Path, standardize: &str) -> Result<PathBuf> {
    let name = model.file_name().context("a model without a name")?;
    let vectors = bench.work.join("vectors").join(name);
    let _ = fs::remove_dir_all(&vectors);
    let flags = ["embed", "--aligned", "--standardize", standardize, "--model", Bench::text(model)?];
    bench.warpface(&[&flags[..], &["-o", Bench::text(&vectors)?]].concat(), &[crops])?;
    Ok(vectors)
}

/// The script's two numbers.
fn differences(said: &str) -> Result<[f64; 2]> {
    let numbers: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    numbers.try_into().map_err(|_| anyhow!("`{said}` should be two numbers"))
}

/// The version that a package is pinned at.
fn version<'a>(pins: &'a str, package: &str) -> &'a str {
    let pinned = |line: &'a str| line.strip_prefix(package)?.strip_prefix("==");
    pins.lines().find_map(pinned).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exporter_is_pinned() {
        let pins = fs::read_to_string(shell::root().join("tools/published/requirements.txt")).unwrap();
        for (_, package, ..) in OF_TORCH.iter().chain(&OF_KERAS) {
            assert_ne!(version(&pins, package), "unknown", "{package}");
        }
        assert_eq!(differences("1e-7 0.5").unwrap(), [1e-7, 0.5]);
        assert!(differences("1").is_err() && differences("1 x").is_err());
        assert_eq!(version("a-b==1\na==2\n", "a"), "2");
    }
}
