//! The embedding network under the names of every publisher, and beside whatever else a file holds.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use warpface::Tensor;
use warpface::weights::network::{Norm, Unfolded, unfolded};
use warpface::weights::{self, Format, TensorMap};

use common::files;

/// A network of two channels that TensorFlow drew.
fn network() -> Unfolded {
    let map = weights::load(files::golden("training/weights.npz")).unwrap();
    let network = unfolded(&map).unwrap();
    Unfolded { logits: None, ..network }
}

/// As PyTorch files have it: a scale of one in every norm.
fn with_scales(mut network: Unfolded) -> Unfolded {
    for layer in network.layers.values_mut().chain([&mut network.bottleneck]) {
        if let Norm::Batch(norm) = &mut layer.norm {
            let n = norm.beta.data().len();
            norm.gamma.get_or_insert_with(|| Tensor::new([n], vec![1.0; n]));
        }
    }
    network
}

fn map(format: Format, tensors: impl IntoIterator<Item = (String, Tensor)>) -> TensorMap {
    TensorMap::new("model.file", format, tensors.into_iter().collect())
}

/// Names as a package's own model has them, in the order of the network.
fn names(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(files::golden("weights").join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn deepfaces_pytorch_model() {
    let network = with_scales(network());
    let names = names("deepface_torch.txt").into_iter().filter(|name| !name.ends_with("num_batches_tracked"));
    let tensors = network.torch().unwrap();
    let names: Vec<String> = names.collect();
    assert_eq!(names.len(), tensors.len());
    let renamed: Vec<_> = names.into_iter().zip(tensors).map(|(name, (_, tensor))| (name, tensor)).collect();
    let read = unfolded(&map(Format::Torch, renamed.clone())).unwrap();
    assert!(read == network, "another network");
    // Within a training script's model, and with its counters.
    let mut within: BTreeMap<_, _> =
        renamed.into_iter().map(|(name, tensor)| (format!("module.backbone.{name}"), tensor)).collect();
    within.insert("module.backbone.block8.0.up.num_batches_tracked".into(), Tensor::new([1], vec![3.0]));
    within.insert("module.head.weight".into(), Tensor::new([2, 2], vec![0.0; 4]));
    assert!(unfolded(&map(Format::Torch, within)).unwrap() == network, "another network");
}

#[test]
fn deepfaces_keras_model() {
    let (network, known) = (network(), names("deepface_keras.txt").into_iter().collect::<BTreeSet<_>>());
    let keras = |name: String| {
        let name = name.strip_prefix("InceptionResnetV1/").unwrap().replace("Block8/", "Block8_6/");
        let name = match name.split_once("/block") {
            Some((_, rest)) => format!("Block{rest}"),
            None => name,
        };
        let (layer, parameter) = name.rsplit_once('/').unwrap();
        let layer = layer.replace('/', "_").replace("_BatchNorm", "");
        // The blocks' own numbers stand where the branch's should.
        let layer = match layer.split_once("_Branch_1_") {
            Some((block, rest))
                if block.starts_with("Block17_") || (block < "Block8_6" && block.starts_with("Block8")) =>
            {
                format!("{block}_Branch_{}_{rest}", block.rsplit_once('_').unwrap().1)
            }
            _ => layer,
        };
        match parameter {
            "weights" => format!("{layer}/kernel"),
            "biases" => format!("{layer}/bias"),
            other => format!("{layer}_BatchNorm/{other}"),
        }
    };
    let renamed: Vec<_> =
        network.tensorflow().unwrap().into_iter().map(|(name, tensor)| (keras(name), tensor)).collect();
    let unknown: Vec<_> = renamed.iter().filter(|(name, _)| !known.contains(name)).collect();
    assert!(unknown.is_empty() && renamed.len() == known.len(), "{unknown:?}");
    // As Keras 2 and 3 write them, alone and within another model, beside a head and an optimizer.
    for [begin, end] in [["", ""], ["model_weights/", ":0"], ["model_weights/facenet/", ":0"]] {
        let tensors = renamed.iter().map(|(name, tensor)| {
            let layer = name.split_once('/').unwrap().0;
            let twice = if begin.is_empty() { String::new() } else { format!("{layer}/") };
            (format!("{begin}{twice}{name}{end}"), tensor.clone())
        });
        let mut tensors: BTreeMap<_, _> = tensors.collect();
        tensors.insert(format!("{begin}people/people/kernel{end}"), Tensor::new([1, 2], vec![0.0; 2]));
        tensors.insert("optimizer_weights/Adam/m/Conv2d_1a_3x3/kernel:0".into(), Tensor::new([1], vec![0.0]));
        let read = unfolded(&map(Format::Keras, tensors)).unwrap();
        assert!(read == network, "another network under {begin}");
    }
}

#[test]
fn any_prefix_of_one_network() {
    let network = with_scales(network());
    let under =
        |prefix: &str| network.torch().unwrap().into_iter().map(|(name, t)| (format!("{prefix}{name}"), t)).collect();
    for prefix in ["", "_orig_mod.", "model.", "backbone.", "module.model.", "0.", "net.", "ema.", "student."] {
        let mut tensors: BTreeMap<String, Tensor> = under(prefix);
        for head in ["centers", "fc.weight", "fc.bias", "arcface.kernel"] {
            tensors.insert(format!("{prefix}{head}"), Tensor::new([2, 2], vec![0.0; 4]));
        }
        tensors.insert("optimizer.state.exp_avg".into(), Tensor::new([2], vec![0.0; 2]));
        let read = unfolded(&map(Format::Torch, tensors.clone())).unwrap_or_else(|e| panic!("under `{prefix}`: {e}"));
        assert!(read == network, "another network under `{prefix}`");
        // A part that the network does not have makes it another one.
        tensors.insert(format!("{prefix}repeat_4.0.branch0.conv.weight"), Tensor::new([1], vec![0.0]));
        let error = unfolded(&map(Format::Torch, tensors)).unwrap_err().to_string();
        assert!(error.contains("repeat_4.0.branch0.conv.weight"), "under `{prefix}`: {error}");
    }
    let two: BTreeMap<String, Tensor> =
        [under("net."), under("ema.")].into_iter().flatten().collect::<BTreeMap<_, _>>();
    let error = unfolded(&map(Format::Torch, two)).unwrap_err().to_string();
    for word in ["model.file", "2 times", "`ema.conv2d_1a", "`net.conv2d_1a", "save only"] {
        assert!(error.contains(word), "{word} is not in {error}");
    }
}
