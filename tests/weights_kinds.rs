//! Files as Keras 3, TensorFlow 2 and training scripts leave them, by their own writers; and what is no weights file that
//! can be read, called by its name.

mod common;

use std::path::PathBuf;

use warpface::Tensor;
use warpface::weights::{self, Format, TensorMap};

use common::files;

fn golden(name: &str) -> PathBuf {
    files::golden("weights").join(name)
}

fn load(name: &str) -> TensorMap {
    weights::load(golden(name)).unwrap_or_else(|e| panic!("{e}"))
}

/// The writers' rule: element `i` is `i / 4 - 3`.
fn expected<const N: usize>(shape: [usize; N]) -> Tensor {
    let n: usize = shape.iter().product();
    Tensor::new(shape, (0..n).map(|i| i as f32 / 4.0 - 3.0).collect())
}

fn check<const N: usize>(map: &TensorMap, name: &str, shape: [usize; N]) {
    let found = map.tensors.keys().cloned().collect::<Vec<_>>().join(" ");
    let tensor = map.get(name, shape).unwrap_or_else(|e| panic!("{e}: {found}"));
    assert_eq!(tensor, expected(shape), "{name}");
}

#[test]
fn keras_has_numbers_for_names() {
    for file in ["keras3.keras", "keras3.weights.h5", "keras2.keras"] {
        let map = load(file);
        assert_eq!(map.format, Format::Keras, "{file}");
        // Within the outer model's, whose group is called after its class.
        let inner = "layers/functional/layers";
        check(&map, &format!("{inner}/conv/kernel"), [3, 3, 3, 2]);
        check(&map, &format!("{inner}/conv/bias"), [2]);
        for parameter in ["beta", "moving_mean", "moving_variance"] {
            check(&map, &format!("{inner}/norm/{parameter}"), [2]);
            check(&map, &format!("layers/scaled/{parameter}"), [2]);
        }
        check(&map, "layers/scaled/gamma", [2]);
        check(&map, "layers/head/kernel", [2, 2]);
        check(&map, "layers/head/bias", [2]);
        assert_eq!(map.tensors.len(), 11, "{file}");
    }
}

#[test]
fn tensorflow_2_has_names_in_its_graph_of_objects() {
    for (file, folder) in [("objects.ckpt", false), ("saved_model", true)] {
        let map = load(file);
        assert_eq!(map.format, Format::Checkpoint, "{file}");
        check(&map, "conv/weights", [2, 3, 4, 5]);
        check(&map, "conv/biases", [5]);
        check(&map, "empty", [0, 3]);
        check(&map, "scalar", []);
        // An optimizer's are called as the variables they belong to, and keep their keys.
        assert_eq!(map.tensors.keys().any(|name| name.starts_with("optimizer/")), !folder, "{file}");
        assert_eq!(map.tensors.len(), if folder { 4 } else { 8 }, "{file}: {:?}", map.tensors.keys());
    }
    assert!(load("objects.ckpt").skipped.contains_key("Variable"));
}

#[test]
fn a_training_scripts_dict() {
    let map = load("beside_optimizer.pt");
    assert_eq!(map.tensors.keys().collect::<Vec<_>>(), ["conv.biases", "conv.weights"]);
    check(&map, "conv.weights", [2, 3, 4, 5]);
    for key in ["epoch", "optimizer", "best"] {
        assert_eq!(map.skipped[key], "beside the network's dict");
    }
    let map = load("two_dicts.pt");
    check(&map, "net.conv.weights", [2, 3, 4, 5]);
    check(&map, "ema.conv.weights", [2, 3, 4, 5]);
}

#[test]
fn what_cannot_be_read_is_called_by_its_name() {
    for (file, words) in [
        ("first.ckpt", &["TensorFlow V1 checkpoint", "V2"][..]),
        ("first.ckpt.meta", &[".meta", "checkpoint's prefix"]),
        ("unfrozen.pb", &["not frozen", "8 variables", "checkpoint"]),
        ("saved_model/saved_model.pb", &["SavedModel", "folder"]),
        ("quantized.pt", &["quantized to 8 bits", "f32"]),
        ("keras2.weights.h5", &["no names of its layers", "`.keras`"]),
        ("float8.pt", &["float8_e4m3fn", "f32"]),
        ("float8.safetensors", &["F8_E4M3", "f32"]),
        ("list.pt", &["list of 1", "state_dict()"]),
        ("exported.pt2", &["torch.export", "state_dict()"]),
        ("script.pt", &["TorchScript", "state_dict()"]),
    ] {
        let error = weights::load(golden(file)).map(|_| ()).expect_err(file).to_string();
        for word in words.iter().chain([&file]) {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
    let error = weights::load(golden("")).unwrap_err().to_string();
    assert!(error.contains("folder") && error.contains("no SavedModel"), "{error}");
}

/// The graph of objects has no checksum that is looked at: whatever it says, there is an end, and no panic.
#[test]
fn a_damaged_graph_of_objects_does_no_harm() {
    let index = std::fs::read(golden("objects.ckpt.index")).unwrap();
    let data = std::fs::read(golden("objects.ckpt.data-00000-of-00001")).unwrap();
    let whole = weights::load_checkpoint_bytes("whole", &index, &[&data]).unwrap();
    for at in 0..data.len() {
        for mask in [0xff, 0x01, 0x80] {
            let mut data = data.clone();
            data[at] ^= mask;
            let Ok(map) = weights::load_checkpoint_bytes("damaged", &index, &[&data]) else { continue };
            assert_eq!(map.tensors.len(), whole.tensors.len(), "byte {at}");
            map.tensors.keys().for_each(|name| drop(map.read(name)));
        }
    }
    for n in 0..data.len() {
        assert!(weights::load_checkpoint_bytes("cut", &index, &[&data[..n]]).is_err(), "cut to {n}");
    }
}
