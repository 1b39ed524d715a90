//! Weight files: converted, damaged, swapped.

use super::*;

#[test]
fn converted_weights_are_the_model() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    let convert = |precision: &str| {
        let to = folder.path().join(format!("{precision}.npz"));
        let model = weights.join("graph_final.pb");
        let args = ["convert", text(&to), "--precision", precision, "--model", text(&model), "--json"];
        let run = with(&weights, &args).expect(DONE);
        assert_eq!(run.json()[0]["tensors"], 2 * 133);
        let loaded = warpface::weights::load(&to).unwrap();
        (warpface::weights::embedding_network(&loaded).unwrap(), fs::metadata(&to).unwrap().len())
    };
    let published = warpface::weights::load(weights.join("graph_final.pb")).unwrap();
    let published = warpface::weights::embedding_network(&published).unwrap();
    let (exact, bytes) = convert("f32");
    assert_eq!(exact, published);
    let (half, half_bytes) = convert("f16");
    assert!(half_bytes < bytes * 51 / 100, "{half_bytes} of {bytes}");
    for (name, conv) in &half.layers {
        let expected = &published.layers[name];
        assert_eq!(conv.b, expected.b, "{name}");
        for (a, b) in conv.w.data().iter().zip(expected.w.data()) {
            assert!((a - b).abs() <= b.abs() / 2048.0 + 3e-8, "{name}: {a}, expected {b}");
        }
    }
    let to = folder.path().join("bf16.npz");
    with(&weights, &["convert", text(&to), "--precision", "bf16"]).expect(USAGE).says(&["--precision", "bf16"]);
    let run = with(&weights, &["convert", "/nowhere/at/all.npz"]).expect(NOTHING);
    run.says(&["/nowhere/at/all.npz", "cannot create"]);
}

/// What is known of a published file travels with its weights: no other standardization, and so no other distance.
#[test]
fn converted_weights_know_how_they_were_trained() {
    let Some(weights) = common::weights(&["facenet_keras.h5"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let crops = [5, 6].map(|seed| {
        let path = folder.path().join(format!("{seed}.png"));
        save(&path, &noise(160, 160, seed));
        path
    });
    let compare = |model: &Path, more: &[&str]| {
        let args = ["compare", "--aligned", text(&crops[0]), text(&crops[1]), "--json", "--model", text(model)];
        let run = with(&weights, &[&args[..], more].concat()).expect(DONE);
        (run.json()[0]["pairs"][0]["distance"].as_f64().unwrap(), run.err)
    };
    let published = weights.join("facenet_keras.h5");
    let (expected, _) = compare(&published, &[]);
    let (other, _) = compare(&published, &["--standardize", "fixed"]);
    assert!((expected - other).abs() > 1e-3, "the standardization shows: {expected} and {other}");
    let files = ["model.npz", "model.pt", "model.safetensors", "model.onnx", "model.pb", "facenet/1"];
    for name in files {
        let to = folder.path().join(name);
        let format: &[&str] = if name.ends_with("/1") { &["--format", "saved-model"] } else { &[] };
        let convert = ["convert", text(&published), "-o", text(&to), "--json"];
        let run = with(&weights, &[&convert[..], format].concat()).expect(DONE);
        assert_eq!((&run.json()[0]["standardize"], &run.json()[0]["image_size"]), (&"prewhiten".into(), &160.into()));
        let (distance, err) = compare(&to, &[]);
        assert!((distance - expected).abs() < 2e-6, "{name}: {distance}, expected {expected}");
        assert!(err.contains("prewhiten standardization, as it was trained") && !err.contains("warning"), "{err}");
    }

    // Where nothing is known, both choices are named, and 128 values are taken to want prewhitened crops.
    let map = warpface::weights::load(folder.path().join("model.npz")).unwrap();
    let tensors: Vec<_> = map.tensors.keys().map(|name| (name.clone(), map.read(name).unwrap())).collect();
    let bare = folder.path().join("bare.npz");
    warpface::weights::write::npz(&bare, &tensors, &Default::default(), false, &bare).unwrap();
    let (distance, err) = compare(&bare, &[]);
    assert!((distance - expected).abs() < 2e-6, "{distance}, expected {expected}");
    for word in ["bare.npz", "warning", "fixed, prewhiten or unit", "--standardize", "a guess"] {
        assert!(err.contains(word), "{word} is not in {err}");
    }
}

#[test]
fn what_it_becomes_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let model = files::golden("training/weights.npz");
    let convert = |name: &str, more: &[&str]| {
        let to = folder.path().join(name);
        with(folder.path(), &[&["convert", text(&model), "-o", text(&to)], more].concat())
    };
    convert("model", &[]).expect(NOTHING).says(&["/model:", ".onnx", "--format saved-model"]);
    convert("model.pb", &["--format", "onnx"]).expect(USAGE).says(&["--format", "model.pb"]);
    convert("model.onnx", &["--precision", "f16"]).expect(USAGE).says(&["--precision", "f32, not f16"]);
    convert("model.pb", &["--precision", "tf32"]).expect(USAGE).says(&["--precision"]);
    convert("model.onnx", &["--unfolded"]).expect(USAGE).says(&["--unfolded", ".npz"]);
    convert("model.onnx", &["--model", text(&model)]).expect(USAGE).says(&["--model", "weights.npz"]);
    convert("graph_final.pb", &[]).expect(NOTHING).says(&["graph_final.pb", "name it otherwise"]);
    with(folder.path(), &["convert"]).expect(USAGE);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    convert("model", &["--format", "onnx"]).expect(DONE);
    convert("model", &["--format", "onnx"]).expect(NOTHING).says(&["is there already", "--overwrite"]);
    convert("1", &["--format", "saved-model"]).expect(DONE);
    convert("1", &["--format", "saved-model"]).expect(NOTHING).says(&["is there already", "--overwrite"]);
    convert("1", &["--format", "saved-model", "--overwrite"]).expect(DONE);
    fs::write(folder.path().join("1/notes.txt"), "mine").unwrap();
    convert("1", &["--format", "saved-model", "--overwrite"]).expect(NOTHING).says(&["notes.txt"]);
    let formats = ["model", "1"].map(|name| warpface::weights::load(folder.path().join(name)).unwrap().format);
    assert_eq!(formats.map(|format| format.to_string()), ["ONNX", "TensorFlow frozen graph"]);
}

/// A copy of the weights folder in which one file has other bytes.
fn tampered(weights: &Path, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in files::MTCNN {
        let from = weights.join(name).canonicalize().unwrap();
        if name != file {
            std::os::unix::fs::symlink(from, folder.path().join(name)).unwrap();
        }
    }
    let mut bytes = Vec::new();
    // The first megabyte is enough to be damaged.
    File::open(weights.join(file)).unwrap().take(1 << 20).read_to_end(&mut bytes).unwrap();
    fs::write(folder.path().join(file), change(bytes)).unwrap();
    folder
}

#[test]
fn bad_weights() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let picture = decode("png_rgb.png");
    let detect = |folder: &Path, more: &[&str]| with(folder, &[&["detect", text(&picture)], more].concat());

    let none = tempfile::tempdir().unwrap();
    detect(none.path(), &[]).expect(NOTHING).says(&[text(none.path()), "det1.npy", "`warpface weights`"]);

    let cut = tampered(&weights, "det2.npy", |bytes| bytes[..bytes.len() - 1000].to_vec());
    detect(cut.path(), &[]).expect(NOTHING).says(&["det2.npy", "--allow-modified-weights"]);
    detect(cut.path(), &["--allow-modified-weights"]).expect(NOTHING).says(&["det2.npy"]);

    let flipped = tampered(&weights, "det1.npy", |mut bytes| {
        // Among the floats: the file's end is the pickle's.
        let at = bytes.len() / 2;
        bytes[at] ^= 0x01;
        bytes
    });
    detect(flipped.path(), &[]).expect(NOTHING).says(&["det1.npy", "SHA-256", "--allow-modified-weights"]);
    detect(flipped.path(), &["--allow-modified-weights"]).expect(DONE);

    let swapped = tampered(&weights, "det1.npy", |_| fs::read(weights.join("det2.npy")).unwrap());
    detect(swapped.path(), &[]).expect(NOTHING).says(&["det1.npy", "is not the published det1.npy"]);
    let anyway = detect(swapped.path(), &["--allow-modified-weights"]).expect(NOTHING);
    anyway.says(&["det1.npy", "conv1/weights", "expected"]);

    let cut = tampered(&weights, "graph_final.pb", |bytes| bytes);
    let model = cut.path().join("graph_final.pb");
    let compare = ["compare", "--aligned", text(&picture), text(&picture), "--model", text(&model)];
    with(&weights, &compare).expect(NOTHING).says(&["graph_final.pb", "--allow-modified-weights"]);
    with(&weights, &[&compare[..], &["--allow-modified-weights"]].concat()).expect(NOTHING).says(&["graph_final.pb"]);
    let other = ["compare", "--aligned", text(&picture), text(&picture), "--model", text(&picture)];
    with(&weights, &other).expect(NOTHING).says(&["png_rgb.png"]);
}
