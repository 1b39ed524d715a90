//! A narrow network of each definition against `tools/golden/networks.py` and `tools/golden/nn4.py`: embeddings, loss, and the gradient of every
//! tensor, on every device. Weights and pictures are drawn here as there.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::npz::{self, Arrays};
use common::step::{self, distance, farthest, norm, wide};
use common::{Tolerance, assert_close, files};
use warpface::models::embedding_network;
use warpface::networks::{ModelDef, NetworkSpec, Width};
use warpface::ops::OptimizerKind;
use warpface::random::{Stream, purpose};
use warpface::train::network::{Loss, NetworkOptions, Output};
use warpface::train::parameters::{Parameters, Place, Spec, Values};
use warpface::weights::network::{Norm, Unfolded};
use warpface::{Device, DeviceKind, Precision, Shape, Tensor, weights};

const SEED: u64 = 12;
const BATCH: usize = 6;
const CLASSES: usize = 3;
/// Pictures that are embedded.
const EMBEDDED: usize = 2;

/// The first number of a place, and what is drawn there.
const OTHERS: u64 = 1000;
const STATISTICS: u64 = 2000;
const PICTURES: u64 = 3000;

/// The narrow networks of the dumps.
fn networks() -> [NetworkSpec; 5] {
    let narrow = |def, stem, side| NetworkSpec::new(def).width(Width::of_stem(stem).unwrap()).side(side);
    [
        narrow(ModelDef::InceptionResnetV2, 2, 80).embedding_size(8),
        narrow(ModelDef::Squeezenet, 4, 64).embedding_size(8),
        narrow(ModelDef::DeepFace, 4, 80).embedding_size(64),
        narrow(ModelDef::Nn4Small2, 2, 96).embedding_size(8),
        narrow(ModelDef::Nn4Small2Torch, 2, 96).embedding_size(8),
    ]
}

fn uniform(place: u64, count: usize) -> Vec<f32> {
    let mut stream = Stream::new(SEED, purpose::INIT, place);
    (0..count).map(|_| stream.uniform()).collect()
}

/// A network with its numbers, and what the dump says of it.
struct Golden {
    parameters: Parameters,
    values: Values,
    pixels: Vec<f32>,
    labels: Vec<u32>,
    arrays: Arrays,
}

impl Golden {
    fn load(network: NetworkSpec) -> Golden {
        let gamma = network.def.has_gamma();
        let parameters = Parameters::new(Spec { network, classes: Some(CLASSES), gamma }).unwrap();
        let mut values = parameters.initial(SEED);
        let weights = |place: &Place| place.name.ends_with("/weights");
        for (i, place) in parameters.weights().iter().enumerate().filter(|(_, place)| !weights(place)) {
            let drawn = uniform(OTHERS + i as u64, place.shape.elements());
            let to = &mut values.weights[place.offset..][..drawn.len()];
            let middle = if place.name.ends_with("/gamma") { 1.0 } else { 0.0 };
            to.iter_mut().zip(drawn).for_each(|(to, u)| *to = middle + 0.2 * (u - 0.5));
        }
        for (i, place) in parameters.norms().iter().enumerate() {
            let c = place.shape.last();
            let drawn = uniform(STATISTICS + i as u64, 2 * c);
            let to = &mut values.norms[place.offset..][..3 * c];
            for k in 0..c {
                to[k] = 0.2 * (drawn[k] - 0.5);
                to[c + k] = 0.25 * drawn[c + k] + 0.125;
                to[2 * c + k] = to[c + k];
            }
        }
        let arrays = npz::load(&files::golden(&format!("networks/{}.npz", network.def)));
        let labels = (0..BATCH as u32).map(|i| i % CLASSES as u32).collect();
        Golden { parameters, values, pixels: pictures(network.side), labels, arrays }
    }

    fn network(&self) -> NetworkSpec {
        self.parameters.spec().network
    }

    /// The gradient of every tensor by its name, turned to be as ours.
    fn gradients(&self) -> BTreeMap<String, Tensor> {
        let gradients = self.arrays["gradients"].f32();
        let (mut rest, mut found) = (&gradients[..], BTreeMap::new());
        for (place, name) in self.parameters.weights().iter().zip(self.arrays["tensors"].strings()) {
            assert_eq!(place.name, name, "the definition has its tensors in another order");
            let (these, others) = rest.split_at(place.shape.elements());
            rest = others;
            let tensor = match *place.shape.dims() {
                [c_out, k_h, k_w, c_in] => Tensor::new([k_h, k_w, c_in, c_out], these.to_vec()).permute(&[3, 0, 1, 2]),
                [out, k] => Tensor::new([k, out], these.to_vec()).permute(&[1, 0]),
                _ => Tensor::new(place.shape.clone(), these.to_vec()),
            };
            found.insert(name, tensor);
        }
        assert!(rest.is_empty(), "the definition has other tensors");
        found
    }
}

/// Noise on patches of 8 pixels, `[BATCH, side, side, 3]`.
fn pictures(side: usize) -> Vec<f32> {
    let patches = side.div_ceil(8);
    let coarse = uniform(PICTURES, BATCH * patches * patches * 3);
    let fine = uniform(PICTURES + 1, BATCH * side * side * 3);
    let pixel = |(i, fine): (usize, f32)| {
        let (channel, x, y, image) = (i % 3, i / 3 % side, i / 3 / side % side, i / 3 / side / side);
        let coarse = coarse[((image * patches + y / 8) * patches + x / 8) * 3 + channel];
        (192.0 * f64::from(coarse) + 64.0 * f64::from(fine)).floor() as f32 / 128.0 - 1.0
    };
    fine.into_iter().enumerate().map(pixel).collect()
}

fn options() -> NetworkOptions {
    NetworkOptions {
        loss: Loss::Softmax { center_factor: 0.0, center_alfa: 0.9, norm_factor: 0.0, norm_p: 1.0 },
        optimizer: OptimizerKind::Momentum,
        average: false,
        weight_decay: 0.0,
        keep_probability: 1.0,
        seed: 0,
        batch: BATCH,
        recompute: Vec::new(),
    }
}

/// The embeddings by the running statistics, folded.
fn embeddings(device: &Device, golden: &Golden) {
    let network = golden.network();
    let graph = embedding_network(&golden.parameters.unfolded(&golden.values).fold()).unwrap();
    let module = device.backend().load(Arc::new(graph)).unwrap();
    let shape = Shape::from([EMBEDDED, network.side, network.side, 3]);
    let got = module.plan(std::slice::from_ref(&shape)).unwrap();
    let got = got.run(&[&golden.pixels[..shape.elements()]]).unwrap().remove(0);
    let expected = golden.arrays["embeddings"].f32();
    let who = format!("{}, {}", device.info().kind, network.def);
    println!("{who}: embeddings are apart by {:.1e} of their norm", distance(&got, &expected) / norm(wide(&expected)));
    assert_close(&format!("{who}, embeddings"), &got, &expected, Tolerance { atol: 2e-6, rtol: 2e-5 });
    let [one, two] = [0, 1].map(|i| &expected[i * network.embedding_size..][..network.embedding_size]);
    assert!(distance(one, two) > 1e-3, "{who}: the pictures are not told apart");
}

/// Loss and gradients by the batch's statistics.
fn gradients(device: &Device, golden: &Golden) {
    let Golden { parameters, values, pixels, labels, .. } = golden;
    let step = step::first(device, parameters, values, &options(), (pixels, labels), Precision::F32);
    let who = format!("{}, {}", device.info().kind, golden.network().def);
    let loss = step.outputs.iter().find(|(output, _)| *output == Output::Loss).expect("a loss");
    let tolerance = Tolerance { atol: 2e-5, rtol: 1e-4 };
    assert_close(&format!("{who}, loss"), &loss.1, &golden.arrays["loss"].f32(), tolerance);
    let expected = golden.gradients();
    let worst = farthest(parameters, &step.gradient, |place| expected[&place.name].data());
    println!("{who}: the gradient of {} is the farthest, by {:.1e} of its norm", worst.1, worst.0);
    assert!(worst.0 <= 3e-4, "{who}: {worst:?}");
}

fn all_networks(device: &Device) {
    for network in networks() {
        let golden = Golden::load(network);
        embeddings(device, &golden);
        gradients(device, &golden);
    }
}

#[test]
fn cpu_networks() {
    all_networks(&Device::cpu(2).unwrap());
}

#[test]
fn wgpu_networks() {
    if let Some(device) = common::device(DeviceKind::Wgpu) {
        all_networks(&device);
    }
}

#[test]
fn cuda_networks() {
    if let Some(device) = common::device(DeviceKind::Cuda) {
        all_networks(&device);
    }
}

#[cfg(feature = "cuda")]
#[test]
fn ptxsim_networks() {
    all_networks(&common::simulated::device((7, 5)));
}

/// The cosine of the angle between two vectors.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| wide(a).zip(wide(b)).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// In 16 bits embeddings and the whole gradient point where they do in f32; the gradient of batch norms over six values far
/// less than the rest.
#[cfg(feature = "cuda")]
fn in_16_bits(capability: (u32, u32), precision: Precision, least: [f64; 2]) {
    let device = common::simulated::device(capability);
    for network in networks() {
        let golden = Golden::load(network);
        let Golden { parameters, values, pixels, labels, .. } = &golden;
        let graph = embedding_network(&parameters.unfolded(values).fold()).unwrap();
        let module = device.backend().load_in(Arc::new(graph), precision).unwrap();
        let shape = Shape::from([EMBEDDED, network.side, network.side, 3]);
        let plan = module.plan(std::slice::from_ref(&shape)).unwrap();
        let got = plan.run(&[&pixels[..shape.elements()]]).unwrap().remove(0);
        let embedded = cosine(&got, &golden.arrays["embeddings"].f32());
        let step = step::first(&device, parameters, values, &options(), (pixels, labels), precision);
        let cpu = Device::cpu(2).unwrap();
        let exact = step::first(&cpu, parameters, values, &options(), (pixels, labels), Precision::F32);
        let learned = cosine(&step.gradient, &exact.gradient);
        let apart = [1.0 - embedded, 1.0 - learned];
        println!(
            "{}, {precision}: 1 - cosine of embeddings {:.1e}, of the gradient {:.1e}",
            network.def, apart[0], apart[1]
        );
        assert!(embedded >= least[0] && learned >= least[1], "{}, {precision}: {apart:?}", network.def);
    }
}

#[cfg(feature = "cuda")]
#[test]
fn ptxsim_networks_in_f16() {
    in_16_bits((8, 0), Precision::F16, [0.9999, 0.9]);
}

#[cfg(feature = "cuda")]
#[test]
fn ptxsim_networks_in_bf16_on_hopper() {
    in_16_bits((9, 0), Precision::Bf16, [0.999, 0.7]);
}

/// Whole networks with weights that are drawn: each device's embedding beside the CPU's.
#[test]
#[ignore = "minutes: whole networks on software Vulkan and in the simulator"]
fn whole_networks() {
    for def in ModelDef::ALL {
        let network = NetworkSpec::new(def);
        let graph = Arc::new(warpface::models::seeded_network(network, SEED).unwrap());
        let pixels = &pictures(network.side)[..network.side * network.side * 3];
        let embedding = |device: &Device| {
            let start = std::time::Instant::now();
            let module = device.backend().load(graph.clone()).unwrap();
            let plan = module.plan(&[[1, network.side, network.side, 3].into()]).unwrap();
            (plan.run(&[pixels]).unwrap().remove(0), start.elapsed())
        };
        let (expected, _) = embedding(&Device::cpu(0).unwrap());
        assert!((norm(wide(&expected)) - 1.0).abs() < 1e-5, "{def}");
        let compare = |device: &Device| {
            let (got, took) = embedding(device);
            let apart = distance(&got, &expected);
            println!("{def}, {}: apart by {apart:.1e}, {took:.1?}", device.info().name);
            assert!(apart <= 1e-5, "{def}: {apart:e}");
        };
        #[cfg(feature = "cuda")]
        common::devices::each_and_simulated(compare);
        #[cfg(not(feature = "cuda"))]
        common::devices::each(compare);
    }
}

/// A step of whole networks with weights that are drawn, in the simulator: each tensor's gradient beside the CPU's. Software
/// Vulkan binds too little for all weights of the larger ones.
#[cfg(feature = "cuda")]
#[test]
#[ignore = "minutes: steps of whole networks in the simulator"]
fn whole_networks_learn() {
    for def in ModelDef::ALL {
        let network = NetworkSpec::new(def);
        let parameters = Parameters::new(Spec { network, classes: Some(CLASSES), gamma: def.has_gamma() }).unwrap();
        let (values, options) = (parameters.initial(SEED), NetworkOptions { batch: 2, ..options() });
        let pixels = &pictures(network.side)[..2 * network.side * network.side * 3];
        let gradient = |device: &Device| {
            let start = std::time::Instant::now();
            let step = step::first(device, &parameters, &values, &options, (pixels, &[0, 1]), Precision::F32);
            (step.gradient, start.elapsed())
        };
        let (expected, _) = gradient(&Device::cpu(0).unwrap());
        let (got, took) = gradient(&common::simulated::device((7, 5)));
        let worst = farthest(&parameters, &got, |place| step::of(&expected, place));
        println!("{def}: the gradient of {} is the farthest, by {:.1e} of its norm, {took:.1?}", worst.1, worst.0);
        // Batch norms over two pictures magnify roundings.
        assert!(worst.0 <= 3e-2, "{def}: {worst:?}");
    }
}

/// DeepFace as Keras writes it, whose locally connected layers have positions, taps and outputs.
#[test]
fn deepface_of_keras() {
    let golden = Golden::load(networks()[2]);
    let map = weights::load(files::golden("networks/deepface.h5")).unwrap();
    let read = weights::network::unfolded(&map).unwrap();
    assert_eq!(read.network, golden.network());
    assert_eq!(read, golden.parameters.unfolded(&golden.values));
}

/// nn4.small2 as Keras and as Torch write it: the same weights, and a definition each.
#[test]
fn nn4_small2_of_keras_and_of_torch() {
    for (network, file) in networks()[3..].iter().zip(["nn4_small2.h5", "nn4_small2.t7"]) {
        let golden = Golden::load(*network);
        let map = weights::load(files::golden(&format!("networks/{file}"))).unwrap();
        let read = weights::network::unfolded(&map).unwrap();
        assert_eq!(read.network, golden.network(), "{file}");
        assert_eq!(read, Unfolded { logits: None, ..golden.parameters.unfolded(&golden.values) }, "{file}");
    }
}

/// The tensors of a network as Keras-OpenFace keeps them: a file each, in Torch's order, with no extents.
fn csv_files(network: &Unfolded) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut write = |name: String, tensor: &Tensor| {
        let values: Vec<String> = tensor.data().iter().map(f32::to_string).collect();
        files.push((format!("{name}.csv"), values.join(",") + "\n"));
    };
    for spec in network.network.layers().unwrap() {
        let layer = network.layer(&spec.name).unwrap();
        let name = if spec.name == "dense_layer" { "dense" } else { &spec.name };
        let w = if layer.w.dims().len() == 4 { layer.w.permute(&[0, 3, 1, 2]) } else { layer.w.clone() };
        write(format!("{name}_w"), &w);
        match &layer.norm {
            Norm::Bias(bias) => write(format!("{name}_b"), bias),
            Norm::Batch(norm) => {
                write(format!("{name}_b"), norm.bias.as_ref().expect("published weights have one"));
                let owner = name.replace("conv", "bn");
                let parts = [norm.gamma.as_ref().expect("and a scale"), &norm.beta, &norm.mean, &norm.variance];
                parts.into_iter().zip(["w", "b", "m", "v"]).for_each(|(part, p)| write(format!("{owner}_{p}"), part));
            }
        }
    }
    files
}

#[test]
fn nn4_small2_of_csv_files() {
    let golden = Golden::load(networks()[3]);
    let expected = Unfolded { logits: None, ..golden.parameters.unfolded(&golden.values) };
    let files = csv_files(&expected);
    let load = |files: &[(String, String)]| {
        let bytes: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        weights::network::unfolded(&weights::load_csv_bytes("weights", &bytes).unwrap())
    };
    assert_eq!(load(&files).unwrap(), expected);
    // A file that is missing, and one cut short.
    let lacks: Vec<_> = files.iter().filter(|(name, _)| name != "inception_4a_pool_bn_v.csv").cloned().collect();
    let error = load(&lacks).unwrap_err().to_string();
    assert!(error.contains("inception_4a_pool_bn_v"), "{error}");
    let mut short = files;
    let (_, text) = short.iter_mut().find(|(name, _)| name == "inception_5b_3x3_conv2_w.csv").unwrap();
    text.truncate(text.rfind(',').unwrap());
    let error = load(&short).unwrap_err().to_string();
    assert!(error.contains("inception_5b_3x3_conv2_w"), "{error}");
}

/// DeepFace as the package deepface has it for PyTorch: inputs before taps, and channels first where F7 flattens a map.
#[test]
fn deepface_of_pytorch() {
    let network = networks().into_iter().find(|network| network.def == ModelDef::DeepFace).unwrap();
    let golden = Golden::load(network);
    let mut expected = golden.parameters.unfolded(&golden.values);
    expected.logits = None;
    let mut tensors = Vec::new();
    for spec in network.layers().unwrap() {
        let layer = expected.layer(&spec.name).unwrap();
        let weights::network::Norm::Bias(bias) = &layer.norm else { panic!("DeepFace has no batch norms") };
        let (w, bias) = match *spec.w.as_slice() {
            [_, _, _, _] => (layer.w.permute(&[0, 3, 1, 2]), bias.clone()),
            [h, w, out, k_h, k_w, c_in] => {
                let filters = layer.w.permute(&[0, 1, 2, 5, 3, 4]);
                (filters.reshape([h * w, out, c_in * k_h * k_w]), bias.permute(&[2, 0, 1]))
            }
            [out, k] => {
                // Of a map of 3x3 pixels and two channels.
                assert_eq!(k, 18);
                let map = layer.w.clone().reshape([out, 3, 3, 2]);
                (map.permute(&[0, 3, 1, 2]).reshape([out, k]), bias.clone())
            }
            _ => panic!("{spec:?}"),
        };
        tensors.extend([(format!("model.{}.weight", spec.name), w), (format!("model.{}.bias", spec.name), bias)]);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deepface.pth");
    weights::write::torch(&file, &tensors, &weights::ModelFacts::default()).unwrap();
    assert_eq!(weights::network::unfolded(&weights::load(&file).unwrap()).unwrap(), expected);
}
