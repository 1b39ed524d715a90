//! What a weights file is taken for.

use super::*;

use warpface::Tensor;
use warpface::weights::{self, ModelFacts, write};

fn inspect(file: &Path) -> Run {
    warpface(&["inspect", text(file), "--json"])
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

#[test]
fn a_published_model_is_known() {
    let Some(folder) = common::weights(&["facenet_keras.h5", "det1.npy"]) else { return };
    let run = inspect(&folder.join("facenet_keras.h5")).expect(DONE);
    let json = &run.json()[0];
    assert_eq!((&json["format"], &json["embedding"]), (&"Keras HDF5".into(), &128.into()));
    assert_eq!((&json["standardize"], &json["problem"]), (&"prewhiten".into(), &Value::Null));
    assert_eq!(strings(&json["networks"]), ["Inception-ResNet-v1"]);
    assert!(json["published"].as_str().unwrap().contains("facenet_keras.h5"));
    assert_eq!(json["tensors"].as_array().unwrap().len(), 490);
    let said = warpface(&["inspect", text(&folder.join("det1.npy"))]).expect(DONE).out;
    for words in ["MTCNN's P-Net", "npy, 13 tensors: 13 f32", "conv4-2/weights", "[1, 1, 32, 4]", "det1.npy of "] {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
}

#[test]
fn every_format_is_listed() {
    for (file, format, tensors) in [
        ("plain_f4.npy", "npy", 1),
        ("dict.npy", "npy", 4),
        ("stored.npz", "npz", 4),
        ("groups.h5", "Keras HDF5", 4),
        ("keras3.keras", "Keras HDF5", 11),
        ("keras3.weights.h5", "Keras HDF5", 11),
        ("graph.pb", "TensorFlow frozen graph", 8),
        ("model.ckpt", "TensorFlow checkpoint", 7),
        ("objects.ckpt", "TensorFlow checkpoint", 8),
        ("saved_model", "TensorFlow checkpoint", 4),
        ("state.pt", "PyTorch state dict", 10),
        ("state_legacy.pt", "PyTorch state dict", 10),
        ("mixed.safetensors", "safetensors", 6),
        ("network.t7", "Torch7", 12),
        ("network_ascii.t7", "Torch7", 12),
        ("csv", "folder of CSV files", 2),
    ] {
        let run = inspect(&files::golden("weights").join(file)).expect(DONE);
        let json = &run.json()[0];
        assert_eq!(json["format"], format, "{file}");
        let listed = json["tensors"].as_array().unwrap();
        assert_eq!(listed.len(), tensors, "{file}: {listed:?}");
        assert!(listed.iter().all(|tensor| tensor["shape"].is_array() && tensor["dtype"].is_string()), "{file}");
        // Of Keras-OpenFace's two that are in the folder, one has its name and another size.
        let taken_for = if file == "csv" { &["nn4.small2"][..] } else { &[] };
        assert_eq!(strings(&json["networks"]), taken_for, "{file}");
        assert!(json["problem"].is_string(), "{file}");
    }
    let run = inspect(&files::golden("weights/network.t7"));
    let modules = run.json()[0]["modules"].clone();
    assert_eq!((&modules[1]["class"], &modules[1]["numbers"]["kW"]), (&"nn.SpatialConvolutionMM".into(), &3.0.into()));
    let said = warpface(&["inspect", text(&files::golden("weights/network.t7"))]).expect(DONE).out;
    assert!(said.contains("model/modules/4 nn.SpatialMaxPooling ceil_mode=0 dH=2"), "{said}");
    let run = inspect(&files::golden("weights/state.pt"));
    assert_eq!(run.json()[0]["skipped"]["num_batches_tracked"], "integers");
    let half = run.json()[0]["tensors"].as_array().unwrap().iter().find(|t| t["name"] == "half").unwrap().clone();
    assert_eq!((&half["dtype"], &half["shape"]), (&"f16".into(), &serde_json::json!([2, 3, 4, 5])));
}

#[test]
fn what_is_missing_and_what_is_extra() {
    let folder = tempfile::tempdir().unwrap();
    let map = weights::load(files::golden("training/weights.npz")).unwrap();
    let network = weights::network::unfolded(&map).unwrap();
    let mut tensors = network.torch().unwrap();
    let facts = ModelFacts::default().image_size(Some(80));
    let file = folder.path().join("network.pt");
    write::torch(&file, &tensors, &facts).unwrap();
    let whole = inspect(&file).expect(DONE);
    let json = &whole.json()[0];
    assert_eq!((&json["naming"], &json["image_size"]), (&"facenet-pytorch".into(), &80.into()));
    assert_eq!((&json["stem_channels"], &json["problem"]), (&2.into(), &Value::Null));
    assert_eq!(json["standardize"], Value::Null);
    assert!(["missing", "extra"].iter().all(|list| strings(&json[*list]).is_empty()));

    tensors.retain(|(name, _)| !["repeat_1.2.branch1.1.conv.weight", "block8.conv2d.bias"].contains(&name.as_str()));
    for name in ["repeat_9.weight", "centers", "fc.weight"] {
        tensors.push((name.to_owned(), Tensor::new([2, 2], vec![0.0; 4])));
    }
    write::torch(&file, &tensors, &facts).unwrap();
    let run = inspect(&file).expect(DONE);
    let json = &run.json()[0];
    assert_eq!(strings(&json["missing"]), ["repeat_1.2.branch1.1.conv.weight", "block8.conv2d.bias"]);
    assert_eq!(strings(&json["extra"]), ["repeat_9.weight"]);
    assert_eq!(strings(&json["passed_over"]), ["centers", "fc.weight"]);
    assert!(json["problem"].as_str().unwrap().contains("repeat_1.2.branch1.1.conv.weight"));
    let said = warpface(&["inspect", text(&file)]).expect(DONE).out;
    for words in ["missing      block8.conv2d.bias", "extra        repeat_9.weight", "passed over  centers", "80 x 80"]
    {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
}

#[test]
fn damage_and_names_that_are_others_show() {
    let Some(weights) = common::weights(&["det1.npy"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(weights.join("det1.npy")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let file = folder.path().join("det1.npy");
    fs::write(&file, bytes).unwrap();
    let json = &inspect(&file).expect(DONE).json()[0];
    assert!(json["not_published"].as_str().unwrap().contains("SHA-256"), "{json}");
    assert_eq!(json["published"], Value::Null);

    // What cannot be read gives the error that every command gives.
    for file in
        [folder.path(), &folder.path().join("absent.pt"), &decode("png_rgb.png"), &files::golden("weights/list.pt")]
    {
        let run = inspect(file).expect(NOTHING);
        run.says(&[text(file), "error: "]);
        let error = run.err.lines().find(|line| line.starts_with("error: ")).unwrap().to_owned();
        let picture = decode("png_rgb.png");
        let other = ["compare", "--aligned", text(&picture), text(&picture), "--model", text(file), "--device", "cpu"];
        warpface(&other).expect(NOTHING).says(&[&error]);
    }
}
