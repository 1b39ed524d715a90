//! From tensors under anybody's names to the models' weights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use warpface::graph::{Node, Source};
use warpface::models::{embedding_network, embedding_network_of};
use warpface::weights::EmbeddingNetwork;
use warpface::weights::facenet::{self, ConvSpec};
use warpface::weights::{self, ConvWeights, DenseWeights, Format, TensorMap, manifest, mtcnn};
use warpface::{Device, Graph, Tensor};

/// Reproducible values in -0.5..0.5, different for each name.
fn values(name: &str, n: usize) -> Vec<f32> {
    let mut state = name.bytes().fold(0x9e37_79b9u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193)) | 1;
    let mut next = || {
        state = state.wrapping_mul(0x0001_9660).wrapping_add(0x3c6e_f35f) ^ (state >> 13);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

fn map(format: Format, tensors: BTreeMap<String, Tensor>) -> TensorMap {
    TensorMap::new("model.file", format, tensors)
}

/// A tensor made under its canonical name, so that every naming gives the same values.
fn tensor<const N: usize>(name: &str, shape: [usize; N]) -> Tensor {
    Tensor::new(shape, values(name, shape.iter().product()))
}

/// TensorFlow's names for a whole network of this embedding size, batch norm not folded.
fn tensorflow(size: usize) -> TensorMap {
    let mut tensors = BTreeMap::new();
    let mut add =
        |name: String, tensor: Tensor| assert!(tensors.insert(format!("InceptionResnetV1/{name}"), tensor).is_none());
    for ConvSpec { name, c_out, k_h, k_w, c_in, bias_only } in facenet::layers() {
        add(format!("{name}/weights"), tensor(&name, [k_h, k_w, c_in, c_out]));
        if bias_only {
            add(format!("{name}/biases"), tensor(&format!("{name}/biases"), [c_out]));
        } else {
            norm(&name, c_out, &mut add);
        }
    }
    add("Bottleneck/weights".into(), tensor("Bottleneck", [1792, size]));
    norm("Bottleneck", size, &mut add);
    map(Format::Npz, tensors)
}

fn norm(scope: &str, n: usize, add: &mut impl FnMut(String, Tensor)) {
    for parameter in ["beta", "moving_mean"] {
        add(format!("{scope}/BatchNorm/{parameter}"), tensor(&format!("{scope}/{parameter}"), [n]));
    }
    let variance = values(&format!("{scope}/variance"), n).into_iter().map(|v| v + 0.6).collect();
    add(format!("{scope}/BatchNorm/moving_variance"), Tensor::new([n], variance));
}

#[test]
fn batch_norm_is_folded() {
    for size in [128, 512] {
        let map = tensorflow(size);
        let net = weights::embedding_network(&map).unwrap();
        assert_eq!(net.network.embedding_size, size);
        assert_eq!(net.layers.len(), 132);
        assert_eq!(net.bottleneck.w.dims(), [size, 1792]);
        let name = "Repeat_1/block17_3/Branch_1/Conv2d_0b_1x7";
        let get = |p: &str| map.read(&format!("InceptionResnetV1/{name}/{p}")).unwrap().into_data();
        let (o, x, i) = (5, 4, 7);
        let scale = 1.0 / (f64::from(get("BatchNorm/moving_variance")[o]) + 0.001).sqrt();
        let conv = &net.layers[name];
        assert_eq!(conv.w.dims(), [128, 1, 7, 128]);
        let w = f64::from(get("weights")[(x * 128 + i) * 128 + o]) * scale;
        assert_eq!(conv.w.data()[(o * 7 + x) * 128 + i], w as f32);
        let b = f64::from(get("BatchNorm/beta")[o]) - f64::from(get("BatchNorm/moving_mean")[o]) * scale;
        assert_eq!(conv.b.data()[o], b as f32);
        let up = &net.layers["Block8/Conv2d_1x1"];
        assert_eq!(up.b.data(), map.read("InceptionResnetV1/Block8/Conv2d_1x1/biases").unwrap().data());
    }
}

#[test]
fn training_state_is_harmless_and_gamma_counts() {
    let mut map = tensorflow(128);
    let plain = weights::embedding_network(&map).unwrap();
    for name in ["weights/Adam", "weights/ExponentialMovingAverage", "BatchNorm/beta/RMSProp_1"] {
        map.tensors.insert(format!("InceptionResnetV1/Conv2d_1a_3x3/{name}"), tensor("slot", [3]).into());
    }
    map.tensors.insert("Logits/weights".into(), tensor("logits", [128, 10]).into());
    map.tensors.insert("beta1_power".into(), tensor("power", []).into());
    assert_eq!(weights::embedding_network(&map).unwrap(), plain);
    map.tensors
        .insert("InceptionResnetV1/Conv2d_1a_3x3/BatchNorm/gamma".into(), Tensor::new([32], vec![2.0; 32]).into());
    let scaled = weights::embedding_network(&map).unwrap();
    let (a, b) = (&plain.layers["Conv2d_1a_3x3"].w, &scaled.layers["Conv2d_1a_3x3"].w);
    assert!(a.data().iter().zip(b.data()).all(|(a, b)| (2.0 * a - b).abs() <= 1e-6 * b.abs()));
}

#[test]
fn missing_misshapen_and_extra_tensors_are_named() {
    let mut map = tensorflow(128);
    let error = |map: &TensorMap| weights::embedding_network(map).unwrap_err().to_string();
    let name = "InceptionResnetV1/Repeat/block35_2/Branch_1/Conv2d_0b_3x3/weights";
    let whole = map.tensors.remove(name).unwrap();
    let text = error(&map);
    assert!(text.contains("block35_2/Branch_1/Conv2d_0b_3x3/weights") && text.contains("missing"), "{text}");
    assert!(text.contains("[3, 3, 32, 32]") && text.contains("model.file"), "{text}");
    map.tensors.insert(name.into(), tensor("bad", [3, 3, 32, 31]).into());
    let text = error(&map);
    assert!(text.contains("expected [3, 3, 32, 32]") && text.contains("found [3, 3, 32, 31]"), "{text}");
    map.tensors.insert(name.into(), whole);
    map.tensors.insert("InceptionResnetV1/Block9/weights".into(), tensor("extra", [3]).into());
    assert!(error(&map).contains("InceptionResnetV1/Block9/weights"));
    map.tensors.remove("InceptionResnetV1/Block9/weights");
    let variance = "InceptionResnetV1/Conv2d_1a_3x3/BatchNorm/moving_variance";
    map.tensors.insert(variance.into(), Tensor::new([32], vec![-1.0; 32]).into());
    assert!(error(&map).contains("no variance"));
    let other = self::map(Format::Npz, BTreeMap::from([("foo".to_owned(), tensor("foo", [1]))]));
    assert!(error(&other).contains("no Inception-ResNet-v1"));
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    let refused = |name: &str, bad: f32| {
        let mut map = tensorflow(128);
        let name = format!("InceptionResnetV1/{name}");
        let mut tensor = map.read(&name).unwrap();
        let last = tensor.data().len() - 1;
        tensor.data_mut()[last] = bad;
        map.tensors.insert(name.clone(), tensor.into());
        let graph =
            embedding_network_of(&map, |_| None).and_then(|(graph, _)| Device::cpu(2)?.backend().load(graph.into()));
        let unfolded = weights::network::unfolded(&map);
        for error in [graph.err().unwrap().to_string(), unfolded.err().unwrap().to_string()] {
            assert!(error.contains(&name) && error.contains("model.file"), "{error}");
            assert!(error.contains(&format!("{bad} at {last}")), "{error}");
        }
    };
    refused("Repeat_1/block17_3/Branch_1/Conv2d_0b_1x7/weights", f32::NAN);
    refused("Bottleneck/weights", f32::INFINITY);
    refused("Block8/Conv2d_1x1/biases", f32::NAN);
    refused("Conv2d_2a_3x3/BatchNorm/moving_mean", f32::NEG_INFINITY);
    refused("Mixed_7a/Branch_0/Conv2d_1a_3x3/BatchNorm/moving_variance", f32::NAN);
    let mut tensors = pnet_tensors();
    tensors.get_mut("conv3/weights").unwrap().data_mut()[7] = f32::NAN;
    let error = mtcnn::pnet(&map(Format::Npy, tensors)).unwrap_err().to_string();
    assert!(error.contains("`conv3/weights`") && error.contains("NaN at 7"), "{error}");
}

/// Filters that stay in the file until they are packed must be those that are read at once.
#[test]
fn the_graph_of_a_file_is_the_graph_of_its_weights() {
    let map = tensorflow(128);
    let constants = |graph: &Graph| {
        let constant = |node: &Node| match &node.source {
            Source::Param(constant) => Some((node.name.clone(), constant.value().unwrap())),
            _ => None,
        };
        graph.nodes().iter().filter_map(constant).collect::<Vec<_>>()
    };
    let (stored, _) = embedding_network_of(&map, |_| None).unwrap();
    let read = embedding_network(&weights::embedding_network(&map).unwrap()).unwrap();
    assert_eq!(stored.parameters(), read.parameters());
    assert_eq!(constants(&stored).len(), 2 * 133);
    assert!(constants(&stored) == constants(&read), "the constants differ");
}

fn pnet_tensors() -> BTreeMap<String, Tensor> {
    let mut tensors = BTreeMap::new();
    for (name, k, c_in, c_out, prelu) in [
        ("conv1", 3, 3, 10, 1),
        ("conv2", 3, 10, 16, 2),
        ("conv3", 3, 16, 32, 3),
        ("conv4-1", 1, 32, 2, 0),
        ("conv4-2", 1, 32, 4, 0),
    ] {
        tensors.insert(format!("{name}/weights"), tensor(name, [k, k, c_in, c_out]));
        tensors.insert(format!("{name}/biases"), tensor(&format!("{name}b"), [c_out]));
        if prelu > 0 {
            tensors.insert(format!("PReLU{prelu}/alpha"), tensor(&format!("{name}a"), [c_out]));
        }
    }
    tensors
}

#[test]
fn mtcnn_filters_are_transposed() {
    let tensors = pnet_tensors();
    let net = mtcnn::pnet(&map(Format::Npy, tensors.clone())).unwrap();
    let (source, w) = (&tensors["conv2/weights"], &net.conv2.w);
    assert_eq!(w.dims(), [16, 3, 3, 10]);
    for (o, h, x, i) in [(0, 0, 1, 0), (15, 2, 0, 9), (7, 1, 2, 3)] {
        assert_eq!(w.data()[((o * 3 + h) * 3 + x) * 10 + i], source.data()[((x * 3 + h) * 10 + i) * 16 + o]);
    }
    assert_eq!(net.conv2.alpha.as_ref().unwrap().data(), tensors["PReLU2/alpha"].data());
    assert_eq!(net.conv4_1.alpha, None);
    // The same network inside the whole cascade's scopes.
    let scoped = tensors.iter().map(|(name, tensor)| (format!("pnet/{name}:0"), tensor.clone()));
    let mut scoped: BTreeMap<_, _> = scoped.collect();
    scoped.insert("rnet/conv1/weights:0".into(), tensor("r", [3, 3, 3, 28]));
    assert_eq!(mtcnn::pnet(&map(Format::Checkpoint, scoped)).unwrap(), net);
}

#[test]
fn mtcnn_errors_name_the_tensor() {
    let error = |tensors| mtcnn::pnet(&map(Format::Npy, tensors)).unwrap_err().to_string();
    let mut tensors = pnet_tensors();
    tensors.insert("conv9/weights".into(), tensor("extra", [2]));
    assert!(error(tensors).contains("`conv9/weights`"));
    let mut tensors = pnet_tensors();
    tensors.remove("PReLU2/alpha");
    let text = error(tensors);
    assert!(text.contains("prelu2/alpha") && text.contains("[16]"), "{text}");
    let text = mtcnn::rnet(&map(Format::Npy, pnet_tensors())).unwrap_err().to_string();
    assert!(
        text.contains("conv1/weights") && text.contains("[3, 3, 3, 28]") && text.contains("[3, 3, 3, 10]"),
        "{text}"
    );
}

/// A file beside the manifest (or in `WARPFACE_WEIGHTS`), or nothing, loudly.
fn published(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("WARPFACE_WEIGHTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("weights"), PathBuf::from);
    let path = folder.join(name);
    let there = path.is_file();
    if !there {
        eprintln!("SKIPPED: {} is not there; `cargo xtask weights` fetches the published ones", path.display());
    }
    there.then_some(path)
}

fn floats(map: &TensorMap) -> usize {
    map.tensors.values().map(|tensor| tensor.shape().elements()).sum()
}

#[test]
fn published_weights_load_whole() {
    for (name, tensors, count) in [
        ("det1.npy", 13, 6_632),
        ("det2.npy", 16, 100_178),
        ("det3.npy", 21, 389_040),
        ("facenet_keras.h5", 490, 22_808_144),
        // 23,468,871 are stored; the bottleneck's constant gamma is one of them and stands for 512.
        ("graph_final.pb", 291, 23_468_871 + 511),
    ] {
        let Some(path) = published(name) else { continue };
        assert_eq!(manifest::verify(&path, false).unwrap().unwrap().name, name);
        let map = weights::load(&path).unwrap();
        assert_eq!((map.tensors.len(), floats(&map)), (tensors, count), "{name}");
    }
}

#[test]
fn published_embedding_networks_are_complete() {
    for (name, size) in [("facenet_keras.h5", 128), ("graph_final.pb", 512)] {
        let Some(path) = published(name) else { continue };
        let net = weights::embedding_network(&weights::load(&path).unwrap()).unwrap();
        assert_eq!((net.network.embedding_size, net.layers.len()), (size, 132));
        let finite = |conv: &ConvWeights| conv.w.data().iter().chain(conv.b.data()).all(|v| v.is_finite());
        assert!(net.layers.values().all(finite));
    }
}

fn worst(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn same_conv(a: &ConvWeights, b: &ConvWeights) -> f32 {
    let alpha = a.alpha.as_ref().zip(b.alpha.as_ref()).map_or(0.0, |(a, b)| worst(a, b));
    worst(&a.w, &b.w).max(worst(&a.b, &b.b)).max(alpha)
}

fn same_dense(a: &DenseWeights, b: &DenseWeights) -> f32 {
    let alpha = a.alpha.as_ref().zip(b.alpha.as_ref()).map_or(0.0, |(a, b)| worst(a, b));
    worst(&a.w, &b.w).max(worst(&a.b, &b.b)).max(alpha)
}

/// facenet-pytorch ships the same networks as pnet.pt, rnet.pt and onet.pt, which may be laid beside the others.
#[test]
fn facenet_pytorchs_mtcnn_is_the_same() {
    let pair =
        |a: &str, b: &str| Some((weights::load(&published(a)?).unwrap(), weights::load(&published(b)?).unwrap()));
    if let Some((a, b)) = pair("det1.npy", "pnet.pt") {
        let (a, b) = (mtcnn::pnet(&a).unwrap(), mtcnn::pnet(&b).unwrap());
        let convs = [(&a.conv1, &b.conv1), (&a.conv2, &b.conv2), (&a.conv3, &b.conv3)];
        let heads = [(&a.conv4_1, &b.conv4_1), (&a.conv4_2, &b.conv4_2)];
        assert!(convs.iter().chain(&heads).all(|(a, b)| same_conv(a, b) <= 1e-6));
    }
    if let Some((a, b)) = pair("det2.npy", "rnet.pt") {
        let (a, b) = (mtcnn::rnet(&a).unwrap(), mtcnn::rnet(&b).unwrap());
        let convs = [(&a.conv1, &b.conv1), (&a.conv2, &b.conv2), (&a.conv3, &b.conv3)];
        assert!(convs.iter().all(|(a, b)| same_conv(a, b) <= 1e-6));
        let dense = [(&a.conv4, &b.conv4), (&a.conv5_1, &b.conv5_1), (&a.conv5_2, &b.conv5_2)];
        assert!(dense.iter().all(|(a, b)| same_dense(a, b) <= 1e-6));
    }
    if let Some((a, b)) = pair("det3.npy", "onet.pt") {
        let (a, b) = (mtcnn::onet(&a).unwrap(), mtcnn::onet(&b).unwrap());
        let convs = [(&a.conv1, &b.conv1), (&a.conv2, &b.conv2), (&a.conv3, &b.conv3), (&a.conv4, &b.conv4)];
        assert!(convs.iter().all(|(a, b)| same_conv(a, b) <= 1e-6));
        let dense =
            [(&a.conv5, &b.conv5), (&a.conv6_1, &b.conv6_1), (&a.conv6_2, &b.conv6_2), (&a.conv6_3, &b.conv6_3)];
        assert!(dense.iter().all(|(a, b)| same_dense(a, b) <= 1e-6));
    }
}

/// The Keras file's weights, written again by PyTorch under facenet-pytorch's names and by TensorFlow's saver under
/// facenet's, may be laid beside it: all must become the same network.
#[test]
fn every_naming_gives_the_same_network() {
    let Some(path) = published("facenet_keras.h5") else { return };
    let load = |path: &Path| weights::embedding_network(&weights::load(path).unwrap()).unwrap();
    let keras: EmbeddingNetwork = load(&path);
    for name in ["facenet_keras.pt", "facenet_keras.ckpt.index"] {
        let Some(path) = published(name) else { continue };
        let other = load(&path);
        assert_eq!(other.network, keras.network);
        assert!(same_dense(&keras.bottleneck, &other.bottleneck) <= 1e-6);
        for (layer, conv) in &keras.layers {
            assert!(same_conv(conv, &other.layers[layer]) <= 1e-6, "{name}: {layer}");
        }
    }
}
