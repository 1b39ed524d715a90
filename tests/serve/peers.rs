//! Programs of others: Triton's client, and what checks descriptions. They need a Python that has them: `WARPFACE_CLIENTS`,
//! else the environment that `cargo xtask clients` makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use warpface::serve::Token;
use warpface::weights::write;

use crate::common;
use crate::predict::{embeddings, standardized};
use crate::served::{DIM, SIZE, Small, crop, png};

/// A Python with these modules, or a loud skip.
fn python(modules: &str) -> Option<PathBuf> {
    let made = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/serve-venv/bin/python");
    let python = std::env::var_os("WARPFACE_CLIENTS").map_or_else(made, PathBuf::from);
    match Command::new(&python).args(["-c", &format!("import {modules}")]).output() {
        Ok(output) if output.status.success() => Some(python),
        _ => {
            let why = format!("{} has not {modules}", python.display());
            common::skip(
                "clients",
                format!("{why}; `cargo xtask clients` makes such a Python, WARPFACE_CLIENTS names one"),
            );
            None
        }
    }
}

fn save(path: &Path, dims: &[usize], values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(path, [write::npy_header("<f4", dims), bytes].concat()).unwrap();
}

#[test]
fn tritons_client_is_served_unchanged() {
    let Some(python) = python("tritonclient.http") else { return };
    let token = "0123456789abcdef";
    let Some(server) = Small::start(|options| options.token = Some(Token::new(token).unwrap())) else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    save(&at("images.npy"), &[3, SIZE, SIZE, 3], &(0..3).flat_map(standardized).collect::<Vec<f32>>());
    save(&at("expected.npy"), &[3, DIM], &embeddings(0..3).concat());
    (0..3).for_each(|seed| fs::write(at(&format!("{seed}.png")), png(&crop(seed))).unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/serving/triton.py");
    let mut command = Command::new(python);
    command.arg(script).arg(server.address.to_string()).arg(folder.path()).arg(token);
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = &lines[0];
    for (key, expected) in [("live", true), ("ready", true), ("model_ready", true), ("other_ready", false)] {
        assert_eq!(told[key], expected, "{key}: {told}");
    }
    assert_eq!((&told["server"]["name"], &told["model"]["inputs"][0]["name"]), (&"warpface".into(), &"input".into()));
    let ways = &lines[1..lines.len() - 1];
    assert_eq!(ways.len(), 14, "{out}");
    for way in ways {
        assert_eq!(way["same"], true, "{way}");
    }
    assert!(ways.iter().any(|way| way["id"] == "seven"), "{out}");
    let refused = lines[lines.len() - 1]["refused"].as_array().unwrap();
    for (refused, words) in refused.iter().zip(["400: expected floats of the shape", "404: ", "NaN in row 0"]) {
        assert!(refused.as_str().is_some_and(|refused| refused.contains(words)), "{refused}");
    }
}

#[test]
fn the_description_is_what_is_served() {
    let Some(python) = python("schemathesis") else { return };
    let Some(server) = Small::start(|_| {}) else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/serving/schemathesis.toml");
    let program = python.with_file_name("schemathesis");
    let mut command = Command::new(program);
    command.arg("--config-file").arg(config).arg("run").arg(format!("http://{}/openapi.json", server.address));
    let examples = if common::full() { "200" } else { "15" };
    command.args(["--checks", "all", "--max-examples", examples, "--seed", "1", "--no-color", "--workers", "1"]);
    let output =
        command.current_dir(folder.path()).env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    eprintln!("{}", out.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
}
