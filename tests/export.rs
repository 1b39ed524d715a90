//! Networks as graphs that others run: read back by warpface, and run by ONNX Runtime, OpenVINO and TensorFlow. The latter needs a
//! Python that has them: `WARPFACE_RUNTIMES`, else the environment that `cargo xtask peers` makes.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Noise, files};
use warpface::backend::cpu::{ConvAlgorithm, Cpu};
use warpface::graph::Constant;
use warpface::models::{embedding_network, embedding_network_of};
use warpface::networks::{ModelDef, NetworkSpec, Width};
use warpface::ops::{Dense, Flatten, L2Normalize, PRelu, Standardize};
use warpface::weights::export::Export;
use warpface::weights::{self, ConvWeights, DenseWeights, EmbeddingNetwork, ModelFacts, write};
use warpface::{Error, Graph, Precision, Shape, Tensor};

/// A narrow network of each definition, in small crops.
fn narrow(def: ModelDef) -> NetworkSpec {
    let side = if def.is_openface() { 96 } else { 80 };
    NetworkSpec::new(def).width(Width::of_stem(4).unwrap()).side(side)
}

/// Its weights by a seed; no bias is 0.
fn drawn(network: NetworkSpec) -> EmbeddingNetwork {
    let mut noise = Noise::new(5);
    let mut layers = network.layers().unwrap();
    let last = layers.pop().unwrap();
    let mut draw = |dims: &[usize], bias: &[usize]| {
        let limit = (6.0 / dims[bias.len()..].iter().product::<usize>() as f32).sqrt();
        (noise.tensor(dims, -limit, limit), noise.tensor(bias, -0.1, 0.1))
    };
    let layers = layers.into_iter().map(|layer| {
        let (w, b) = draw(&layer.w, layer.bias());
        (layer.name, ConvWeights { w, b, alpha: None })
    });
    let layers = layers.collect();
    let (w, b) = draw(&last.w, last.bias());
    EmbeddingNetwork { network, layers, bottleneck: DenseWeights { w, b, alpha: None } }
}

/// Writes a network in each format; the files.
fn write_all(export: &Export, folder: &Path) -> [PathBuf; 3] {
    let paths = ["model.onnx", "model.pb", "model/1"].map(|name| folder.join(name));
    let written = [
        export.onnx(&paths[0]).unwrap(),
        export.frozen_graph(&paths[1]).unwrap(),
        export.saved_model(&paths[2]).unwrap(),
    ];
    for (path, written) in [&paths[0], &paths[1], &paths[2].join("saved_model.pb")].into_iter().zip(written) {
        assert_eq!(fs::metadata(path).unwrap().len(), written.bytes, "{}", path.display());
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 3, "nothing lies beside");
    paths
}

#[test]
fn what_is_written_is_read_to_the_bit() {
    for def in ModelDef::ALL {
        let network = narrow(def);
        let weights = drawn(network);
        let facts = ModelFacts::default().standardize(Some(Standardize::Unit)).align(def.alignment());
        let folder = tempfile::tempdir().unwrap();
        let export = Export::new(embedding_network(&weights).unwrap(), network, facts);
        for path in write_all(&export, folder.path()) {
            let map = weights::load(&path).unwrap();
            assert_eq!(&map.facts, export.facts(), "{}", path.display());
            assert_eq!((map.facts.model_def, map.facts.image_size), (Some(def), Some(network.side)));
            let (_, found) = embedding_network_of(&map, |_| map.facts.image_size).unwrap();
            assert_eq!(found, network);
            let mut read = weights::embedding_network(&map).unwrap();
            read.network = read.network.side(network.side);
            assert!(read == weights, "{def}: {} has other weights", path.display());
            let survey = weights::survey::survey(&map);
            assert!(survey.problem.is_none() && survey.missing.is_empty(), "{def}: {survey:?}");
        }
    }
}

/// Whatever a damaged file says, there is an end, and no panic.
#[test]
fn damaged_files_do_no_harm() {
    let network = NetworkSpec::new(ModelDef::Squeezenet).width(Width::of_stem(2).unwrap()).side(80).embedding_size(4);
    let export = Export::new(embedding_network(&drawn(network)).unwrap(), network, ModelFacts::default());
    let folder = tempfile::tempdir().unwrap();
    let [onnx, pb, saved] = write_all(&export, folder.path());
    for path in [onnx, pb, saved.join("saved_model.pb")] {
        let whole = fs::read(&path).unwrap();
        let network = |bytes: &[u8]| weights::embedding_network(&weights::load_bytes("damaged", bytes)?);
        assert!(network(&whole).is_ok() && network(&whole[..whole.len() / 2]).is_err());
        for at in (0..whole.len()).step_by(23).chain(0..200).chain(whole.len() - 3000..whole.len()) {
            for mask in [0xff, 0x80, 0x01] {
                let mut bytes = whole.clone();
                bytes[at] ^= mask;
                drop(network(&bytes));
            }
            drop(network(&whole[..at]));
        }
    }
}

/// Input and output of a model of pictures that a few runtimes understand.
fn save(path: &Path, dims: &[usize], values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(path, [write::npy_header("<f4", dims), bytes].concat()).unwrap();
}

/// Writes a network, three images, and what the CPU makes of them with direct convolutions.
fn lay_out(folder: &Path, graph: Graph, network: NetworkSpec, facts: ModelFacts) {
    fs::create_dir(folder).unwrap();
    write_all(&Export::new(graph.clone(), network, facts), folder);
    let shape = Shape::from([3, network.side, network.side, 3]);
    let images = Noise::new(9).signed(shape.dims());
    let cpu = warpface::Device::from_backend(Cpu::new(2).unwrap().conv(ConvAlgorithm::Direct));
    let module = cpu.backend().load_in(graph.into(), Precision::F32).unwrap();
    let expected = module.plan(std::slice::from_ref(&shape)).unwrap().run(&[images.data()]).unwrap().swap_remove(0);
    save(&folder.join("images.npy"), shape.dims(), images.data());
    save(&folder.join("expected.npy"), &[3, expected.len() / 3], &expected);
}

/// A Python with the runtimes, or a loud skip.
fn python() -> Option<PathBuf> {
    let made = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers-venv/bin/python");
    let python = std::env::var_os("WARPFACE_RUNTIMES").map_or_else(made, PathBuf::from);
    let found = Command::new(&python).args(["-c", "import onnx, onnxruntime, openvino, tensorflow"]).output();
    match found {
        Ok(output) if output.status.success() => Some(python),
        _ => {
            let why = format!("{} has not onnx, onnxruntime, openvino and tensorflow", python.display());
            common::skip(
                "runtimes",
                format!("{why}; `cargo xtask peers` makes such a Python, WARPFACE_RUNTIMES names one"),
            );
            None
        }
    }
}

#[test]
fn other_programs_give_the_same_embeddings() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    for def in ModelDef::ALL {
        let network = narrow(def);
        let graph = embedding_network(&drawn(network)).unwrap();
        lay_out(&folder.path().join(def.name()), graph, network, ModelFacts::default());
    }
    for name in ["facenet_keras.h5", "graph_final.pb"] {
        let Some(weights) = common::weights(&[name]) else { continue };
        let (graph, network) = embedding_network_of(&weights::load(weights.join(name)).unwrap(), |_| None).unwrap();
        lay_out(&folder.path().join(name), graph, network, ModelFacts::default());
    }
    let networks = fs::read_dir(folder.path()).unwrap().count();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/peers/exported.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 7 * networks, "{out}");
    for line in lines {
        let difference = line["difference"].as_f64();
        assert!(difference.is_none_or(|difference| difference <= 1e-6), "{line}");
        eprintln!("{line}");
    }
}

/// A graph of an input that is flattened, and what `add` makes of it.
fn flattened(add: impl FnOnce(&mut Graph, warpface::graph::NodeId) -> warpface::graph::NodeId) -> Export {
    let mut graph = Graph::new();
    let x = graph.input("image");
    let x = graph.op("features", Flatten, &[x]);
    let x = add(&mut graph, x);
    let x = graph.op("embeddings", L2Normalize { epsilon: 1e-10 }, &[x]);
    graph.output(x);
    Export::new(graph, NetworkSpec::new(ModelDef::Squeezenet).side(8), ModelFacts::default())
}

/// Tries each format; the errors. Nothing is left.
fn refused(export: &Export) -> [Error; 3] {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let errors = [
        export.onnx(at("x.onnx")).unwrap_err(),
        export.frozen_graph(at("x.pb")).unwrap_err(),
        export.saved_model(at("above/x")).unwrap_err(),
    ];
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    errors
}

#[test]
fn ops_that_a_format_does_not_have_are_named() {
    let export = flattened(|graph, x| {
        let alpha = graph.param("slopes", Tensor::zeros([192]));
        graph.op("odd", PRelu, &[x, alpha])
    });
    for error in refused(&export) {
        let error = error.to_string();
        assert!(error.contains("`odd`") && error.contains("prelu"), "{error}");
    }
}

#[test]
fn what_no_protocol_buffer_holds_is_refused_unread() {
    let export = flattened(|graph, x| {
        let unread = || Err(Error::invalid("a test", "the weights were read"));
        let w = graph.param("dense/w", Constant::stored([3 << 20, 192], unread));
        graph.op("dense", Dense { bias: false, activation: Default::default() }, &[x, w])
    });
    for error in refused(&export) {
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
        assert!(error.to_string().contains("2.4 GB") && error.to_string().contains(".safetensors"), "{error}");
    }
}

#[test]
fn weights_that_cannot_be_read_leave_nothing() {
    let export = flattened(|graph, x| {
        let unread = || Err(Error::invalid("a test", "this weight is no number"));
        let w = graph.param("dense/w", Constant::stored([4, 192], unread));
        graph.op("dense", Dense { bias: false, activation: Default::default() }, &[x, w])
    });
    for error in refused(&export) {
        assert!(error.to_string().contains("this weight is no number"), "{error}");
    }
}

#[test]
fn a_saved_model_replaces_one_and_nothing_else() {
    let network = narrow(ModelDef::Squeezenet);
    let export = Export::new(embedding_network(&drawn(network)).unwrap(), network, ModelFacts::default());
    let folder = tempfile::tempdir().unwrap();
    // An earlier model of another kind: what TensorFlow itself saved.
    let model = folder.path().join("facenet/1");
    fs::create_dir_all(model.join("variables")).unwrap();
    for name in ["saved_model.pb", "variables/variables.index"] {
        fs::copy(files::golden("weights/saved_model").join(name), model.join(name)).unwrap();
    }
    export.saved_model(&model).unwrap();
    let names = |folder: &Path| -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    };
    assert_eq!(
        (names(&model), names(&folder.path().join("facenet"))),
        (vec!["saved_model.pb".into()], vec!["1".into()])
    );
    // With a slash behind it, and by a link.
    export.saved_model(format!("{}/", model.display())).unwrap();
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&model, &link).unwrap();
        export.saved_model(&link).unwrap();
        assert!(link.is_symlink() && weights::load(&link).is_ok());
    }
    fs::write(model.join("notes.txt"), "mine").unwrap();
    let error = export.saved_model(&model).unwrap_err().to_string();
    assert!(error.contains("notes.txt") && model.join("notes.txt").exists(), "{error}");
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    assert!(export.saved_model(&file).unwrap_err().to_string().contains("is a file"));
}
