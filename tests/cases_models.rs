//! What a model knows goes with it, on real photographs (`../shared/cases`): two commands, one answer.

#[path = "common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use common::command::{DONE, NOTHING, Run, text, with};
use common::shared;

/// A folder of cases and the weights, or a loud skip.
fn cases() -> Option<(PathBuf, PathBuf)> {
    Some((
        shared("cases")?,
        common::weights(&["det1.npy", "det2.npy", "det3.npy", "facenet_keras.h5", "graph_final.pb"])?,
    ))
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The distance of two crops.
fn distance(weights: &Path, crops: [&Path; 2], flags: &[&str]) -> f64 {
    let args = ["compare", "--json", "--aligned", text(crops[0]), text(crops[1])];
    let line = with(weights, &[&args[..], flags].concat()).expect(DONE).json().remove(0);
    line["distances"][0][1].as_f64().unwrap()
}

fn figures(run: &Run) -> Value {
    run.json().pop().unwrap()
}

#[test]
fn crops_of_another_size_give_their_middle() {
    let Some((cases, weights)) = cases() else { return };
    let person = cases.join("crops182/Ariel_Sharon");
    let [a, b] = ["Ariel_Sharon_0001.png", "Ariel_Sharon_0002.png"].map(|name| person.join(name));
    let crops = [a.as_path(), b.as_path()];
    // The original's distance on the middle 160, and the one that rescaling gives.
    for (flags, expected) in [(&[][..], 0.3391), (&["--resize"], 0.2834)] {
        let found = distance(&weights, crops, flags);
        assert!((found - expected).abs() < 5e-5, "{flags:?}: {found}, expected {expected}");
    }
}

/// On the development folds, crops of 182 pixels as the original makes them.
#[test]
fn larger_crops_are_half_as_often_wrong_unscaled() {
    let (Some((_, weights)), Some(lfw)) = (cases(), shared("lfw")) else { return };
    if !common::full() {
        return common::skip("full", "1,583 photographs are aligned and embedded with WARPFACE_FULL=1");
    }
    let (out, images, pairs) = (folder(), lfw.join("images"), lfw.join("pairs.txt"));
    let crops = out.path().join("crops");
    with(&weights, &["align", text(&images), text(&crops), "--image-size", "182", "--margin", "44"]).expect(DONE);
    for (flags, expected) in [(&[][..], 0.99500), (&["--resize"], 0.98916)] {
        let args = ["lfw", "--json", text(&crops), "--pairs", text(&pairs), "--aligned"];
        let figures = figures(&with(&weights, &[&args[..], flags].concat()));
        let accuracy = figures["accuracy"]["mean"].as_f64().unwrap();
        assert!((accuracy - expected).abs() < 1e-5, "{flags:?}: {accuracy}, expected {expected}");
    }
}

#[test]
fn a_small_network_is_measured_as_it_was_trained() {
    let (Some((cases, weights)), Some(photographs)) = (cases(), shared("lfw_color")) else { return };
    let out = folder();
    let at = |inside: &str| out.path().join(inside);
    let (crops, models, logs, pairs) = (at("c80"), at("m"), at("l"), cases.join("pairs10.txt"));
    with(&weights, &["align", text(&photographs), text(&crops), "--image-size", "80"]).expect(DONE);
    let freeze = cases.join("freeze.txt");
    let settings = "--width 0.0625 --image-size 80 --batch-size 50 --epoch-size 700 --max-nrof-epochs 2 --optimizer ADAM \
                    --learning-rate -1 --moving-average-decay 0 --validate-every-n-epochs 2 --name r80";
    let kept = ["--models-base-dir", text(&models), "--logs-base-dir", text(&logs)];
    let rates = ["--learning-rate-schedule-file", text(&freeze)];
    let measured = ["--lfw-dir", text(&crops), "--lfw-pairs", text(&pairs)];
    let begin = ["train", "softmax", text(&crops)];
    let settings: Vec<&str> = settings.split_whitespace().collect();
    with(&weights, &[&begin[..], &settings, &kept, &rates, &measured].concat()).expect(DONE);

    let model = models.join("r80/step-00001400.safetensors");
    let json: Value = serde_json::from_slice(&std::fs::read(model.with_extension("json")).unwrap()).unwrap();
    let trained = json["run"]["history"]["epochs"].as_array().unwrap().last().unwrap()["accuracy"].clone();
    // Fifty photographs are learned by heart; half of the pairs would be chance.
    assert!(trained.as_f64().unwrap() > 0.8, "{trained}");
    // Moved without its JSON it knows as much.
    let moved = at("moved.safetensors");
    std::fs::copy(&model, &moved).unwrap();
    for model in [&model, &moved] {
        let args = ["lfw", "--json", text(&crops), "--pairs", text(&pairs), "--aligned", "--model", text(model)];
        let run = with(&weights, &args).expect(DONE);
        run.says(&["crops of 80 pixels, as it was trained", "fixed standardization, as it was trained"]);
        assert_eq!(figures(&run)["accuracy"]["mean"], trained);
    }
}

#[test]
fn converted_files_are_used_as_their_source() {
    let Some((cases, weights)) = cases() else { return };
    let crops = ["Ariel_Sharon/Ariel_Sharon_0001.png", "Colin_Powell/Colin_Powell_0001.png"];
    let crops = crops.map(|name| cases.join("crops182").join(name));
    let crops = [crops[0].as_path(), crops[1].as_path()];
    let out = folder();
    let expected = distance(&weights, crops, &[]);
    for (file, flags) in [("m.npz", &[][..]), ("u.npz", &["--unfolded"]), ("m.pt", &[])] {
        let file = out.path().join(file);
        with(&weights, &[&["convert", text(&file)], flags].concat()).expect(DONE);
        let found = distance(&weights, crops, &["--model", text(&file)]);
        assert!((found - expected).abs() < 2e-6, "{}: {found}, expected {expected}", file.display());
    }
}

/// Files as other programs rewrite them: `pt.py` needs Python with NumPy.
#[test]
fn pytorch_files_load_however_they_are_wrapped() {
    let Some((cases, weights)) = cases() else { return };
    let out = folder();
    let kept = out.path().join("out");
    std::fs::create_dir(&kept).unwrap();
    with(&weights, &["convert", text(&kept.join("g.pt")), "--model", text(&weights.join("graph_final.pb"))])
        .expect(DONE);
    let python = std::env::var("WARPFACE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Command::new(python).arg(cases.join("pt.py")).current_dir(out.path()).output();
    if !script.as_ref().is_ok_and(|output| output.status.success()) {
        return common::skip("numpy", "python3 with NumPy is not here; WARPFACE_PYTHON names another");
    }
    let crops = ["Ariel_Sharon/Ariel_Sharon_0001.png", "Colin_Powell/Colin_Powell_0001.png"];
    let crops = crops.map(|name| cases.join("crops182").join(name));
    let crops = [crops[0].as_path(), crops[1].as_path()];
    let fixed = ["--standardize", "fixed"];
    let expected = distance(&weights, crops, &[&fixed[..], &["--model", text(&kept.join("g.pt"))]].concat());
    let mut found: Vec<PathBuf> = std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let (nan, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|file| file.ends_with("w_nan.pt"));
    assert!(nan.len() == 1 && found.len() > 8, "{found:?}");
    for file in &found {
        let name = file.file_stem().unwrap().to_str().unwrap();
        // Eight bits of mantissa, or eleven.
        let allowed = if name.contains("bf16") {
            0.05
        } else if name.contains("half") {
            0.005
        } else {
            1e-6
        };
        let got = distance(&weights, crops, &[&fixed[..], &["--model", text(file)]].concat());
        assert!((got - expected).abs() <= allowed, "{name}: {got}, expected {expected}");
    }

    // Weights that are not finite are refused by every command, naming the tensor.
    let (model, vectors) = (text(&nan[0]), out.path().join("vectors"));
    let (photographs, pairs) = (text(crops[0]), cases.join("pairs10.txt"));
    let (people, Some(photographed)) = (cases.join("crops182"), shared("lfw_color")) else { return };
    let models = out.path().join("models");
    for args in [
        &["compare", "--aligned", photographs, photographs, "--model", model][..],
        &["embed", "--aligned", photographs, "-o", text(&vectors), "--model", model],
        &["lfw", text(&photographed), "--pairs", text(&pairs), "--aligned", "--model", model],
        &["bench", "embed", photographs, "--seconds", "0", "--model", model],
        &["convert", text(&vectors.with_extension("npz")), "--model", model],
        &["train", "softmax", text(&people), "--pretrained-model", model, "--models-base-dir", text(&models)],
    ] {
        let run = with(&weights, args);
        assert_eq!(run.code, NOTHING, "{args:?}");
        run.says(&["w_nan.pt", "last_linear.weight", "NaN"]);
        assert!(!run.err.contains("learning"), "{}", run.err);
    }
}
