//! A whole small network in training against `tools/golden/training.py`: its losses and the gradient of every tensor on
//! every device, then ten steps of each optimizer.

mod common;

use std::collections::BTreeMap;

use common::npz::{self, Arrays};
use common::step::{self, distance, farthest, norm, of, wide};
use common::{Tolerance, assert_close, files};
use warpface::networks::{ModelDef, NetworkSpec, Width};
use warpface::ops::OptimizerKind;
use warpface::train::network::{Loss, NetworkOptions, Output};
use warpface::train::parameters::{Parameters, Spec, Values};
use warpface::train::trainer::Trainer;
use warpface::weights::network::unfolded;
use warpface::{Device, DeviceKind, Precision, Tensor, weights};

const SIDE: usize = 80;
const BATCH: usize = 6;
const CLASSES: usize = 3;

const SOFTMAX: Loss = Loss::Softmax { center_factor: 0.01, center_alfa: 0.9, norm_factor: 1e-3, norm_p: 1.0 };
const TRIPLET: Loss = Loss::Triplet { alpha: 0.2 };

/// The dump: the network that training begins with, and what becomes of it.
struct Golden {
    network: weights::TensorMap,
    steps: Arrays,
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

impl Golden {
    fn load() -> Golden {
        let network = weights::load(files::golden("training/weights.npz")).unwrap();
        let steps = npz::load(&files::golden("training/steps.npz"));
        let pixels = steps["images"].u8().iter().map(|&x| (f32::from(x) - 127.5) / 128.0).collect();
        let labels = steps["labels"].i64().iter().map(|&label| u32::try_from(label).unwrap()).collect();
        Golden { network, steps, pixels, labels }
    }

    /// Where the weights of a network for this loss lie, and what they are.
    fn values(&self, loss: &Loss) -> (Parameters, Values) {
        let classes = loss.is_classifier().then_some(CLASSES);
        let spec = Spec {
            network: NetworkSpec::new(ModelDef::InceptionResnetV1)
                .width(Width::of_stem(2).unwrap())
                .embedding_size(8)
                .side(SIDE),
            classes,
            gamma: false,
        };
        let parameters = Parameters::new(spec).unwrap();
        let rows: Vec<Option<usize>> = (0..CLASSES).map(Some).collect();
        let values = parameters.pretrained(&unfolded(&self.network).unwrap(), &rows, 0).unwrap();
        (parameters, values)
    }

    /// A vector of the first so many tensors end to end, by their names, as TensorFlow lays them out, turned to be as
    /// ours.
    fn tensors(&self, values: &[f32], count: usize) -> BTreeMap<String, Tensor> {
        let mut rest = values;
        let names = self.steps["tensors"].strings().into_iter().take(count);
        let tensors = names.map(|name| {
            let shape = self.network.tensors[&name].shape();
            let (these, others) = rest.split_at(shape.elements());
            rest = others;
            let tensor = Tensor::new(shape.clone(), these.to_vec());
            let turned = match tensor.dims().len() {
                4 => tensor.permute(&[3, 0, 1, 2]),
                2 => tensor.permute(&[1, 0]),
                _ => tensor,
            };
            (name, turned)
        });
        let tensors = tensors.collect();
        assert!(rest.is_empty());
        tensors
    }

    /// The rows of an array by the names that another array has.
    fn rows(&self, names: &str, array: &str) -> impl Iterator<Item = (String, [f32; 2])> {
        let rows = self.steps[array].f32();
        let names = self.steps[names].strings();
        assert_eq!(rows.len(), 2 * names.len(), "{array}");
        names.into_iter().enumerate().map(move |(i, name)| (name, [rows[2 * i], rows[2 * i + 1]]))
    }
}

fn options(loss: Loss, optimizer: OptimizerKind) -> NetworkOptions {
    NetworkOptions {
        loss,
        optimizer,
        average: true,
        weight_decay: 5e-5,
        keep_probability: 1.0,
        seed: 0,
        batch: BATCH,
        recompute: Vec::new(),
    }
}

/// What the dump calls a part of the loss.
fn name(output: Output) -> Option<&'static str> {
    Some(match output {
        Output::Loss => "loss",
        Output::CenterLoss => "center_loss",
        Output::NormLoss => "norm_loss",
        Output::L2Loss => "l2_loss",
        Output::Accuracy => "accuracy",
        Output::Embeddings => "embeddings",
        Output::Finite => return None,
    })
}

/// The losses of the first step, and their gradients, tensor by tensor.
fn losses_and_gradients(device: &Device) {
    let golden = Golden::load();
    for (which, loss) in [("softmax", SOFTMAX), ("triplet", TRIPLET)] {
        let options = options(loss, OptimizerKind::Momentum);
        let (parameters, values) = golden.values(&options.loss);
        let pictures = (&golden.pixels[..], &golden.labels[..]);
        let step = step::first(device, &parameters, &values, &options, pictures, Precision::F32);
        let who = format!("{}, {which}", device.info().kind);
        let mut compared = 0;
        for (output, got) in &step.outputs {
            let Some(part) = name(*output) else { continue };
            let expected = golden.steps[&format!("{which}.{part}")].f32();
            assert_close(&format!("{who}, {part}"), got, &expected, Tolerance { atol: 2e-5, rtol: 1e-4 });
            compared += 1;
        }
        assert_eq!(compared, if which == "softmax" { 5 } else { 3 });

        let expected = golden.tensors(&golden.steps[&format!("{which}.gradients")].f32(), parameters.weights().len());
        let worst = farthest(&parameters, &step.gradient, |place| expected[&place.name].data());
        println!("{who}: the gradient of {} is the farthest, by {:.1e} of its norm", worst.1, worst.0);
        assert!(worst.0 <= 3e-4, "{who}: {worst:?}");
    }
}

/// Ten steps of an optimizer, and where they lead.
fn ten_steps(device: &Device, kind: OptimizerKind) {
    let golden = Golden::load();
    let options = options(SOFTMAX, kind);
    let (parameters, values) = golden.values(&options.loss);
    let in_dump = match kind {
        OptimizerKind::Adagrad => "adagrad",
        OptimizerKind::Adadelta => "adadelta",
        OptimizerKind::Adam => "adam",
        OptimizerKind::RmsProp => "rms_prop",
        OptimizerKind::Momentum => "momentum",
    };
    let who = format!("{}, {in_dump}", device.info().kind);
    let rate = golden.steps[&format!("{in_dump}.rate")].f32()[0];
    let losses = golden.steps[&format!("{in_dump}.losses")].f32();
    let columns = golden.steps["parts"].strings();
    let mut trainer = Trainer::new(device, parameters, options, &values, Precision::F32, None).unwrap();
    let mut farthest = 0.0f32;
    for (t, expected) in losses.chunks_exact(columns.len()).enumerate() {
        let outcome = trainer.step(&golden.pixels, &golden.labels, rate, 0.4).unwrap();
        assert!(outcome.finite, "{who}, step {t}");
        let parts: BTreeMap<&str, f32> =
            outcome.parts.iter().filter_map(|&(part, value)| Some((name(part)?, value))).collect();
        let get = |column: &String| if column == "total" { outcome.total } else { parts[column.as_str()] };
        let got: Vec<f32> = columns.iter().map(get).collect();
        assert_close(&format!("{who}, step {t}"), &got, expected, Tolerance { atol: 1e-6, rtol: 1e-3 });
        let apart = got.iter().zip(expected).map(|(a, b)| (a / b - 1.0).abs());
        farthest = apart.filter(|apart| !apart.is_nan()).fold(farthest, f32::max);
    }
    assert_eq!(trainer.steps(), 10);

    let parameters = trainer.parameters();
    let mut moved = (0.0, String::new());
    for (average, array) in [(false, "weights"), (true, "averages")] {
        let now = trainer.values(average).unwrap().weights;
        for (name, [length, way]) in golden.rows("tensors", &format!("{in_dump}.{array}")) {
            let place = parameters.find(&name).unwrap();
            let [length, way] = [length, way].map(f64::from);
            let (now, start) = (of(&now, place), of(&values.weights, place));
            assert!((norm(wide(now)) - length).abs() <= 1e-5 * length, "{who}, {array}, norm of {name}");
            // Besides, each of the steps rounds every weight by up to 2^-24 of it.
            let apart = (distance(now, start) - way).abs() / (way + 6e-4 * length);
            if apart.is_nan() || apart > moved.0 {
                moved = (apart, format!("{array}, {name}"));
            }
        }
    }
    assert!(moved.0 <= 1e-3, "{who}: {moved:?}");

    let snapshot = trainer.snapshot().unwrap();
    for (name, expected) in golden.rows("layers", &format!("{in_dump}.norms")) {
        let place = parameters.norms().iter().find(|place| place.name == name).unwrap();
        let rows: Vec<&[f32]> = of(&snapshot.norms, place).chunks_exact(place.shape.last()).collect();
        // Files take the variance with Bessel's correction.
        let got = [rows[0], rows[2]].map(|row| norm(wide(row)) as f32);
        assert_close(&format!("{who}, averages of {name}"), &got, &expected, Tolerance { atol: 1e-5, rtol: 1e-4 });
    }
    let centers = golden.steps[&format!("{in_dump}.centers")].f32();
    let apart = distance(&snapshot.centers, &centers) / norm(wide(&centers));
    assert!(apart <= 1e-3, "{who}: centers are apart by {apart:e} of their norm");
    let (way, whose) = moved;
    println!("{who}: losses differ by {farthest:.1e}, centers by {apart:.1e}, the way of {whose} by {way:.1e}");
}

#[test]
fn cpu_losses_and_gradients() {
    losses_and_gradients(&Device::cpu(2).unwrap());
}

#[test]
fn wgpu_losses_and_gradients() {
    if let Some(device) = common::device(DeviceKind::Wgpu) {
        losses_and_gradients(&device);
    }
}

#[test]
fn cuda_losses_and_gradients() {
    if let Some(device) = common::device(DeviceKind::Cuda) {
        losses_and_gradients(&device);
    }
}

#[cfg(feature = "cuda")]
#[test]
fn ptxsim_losses_and_gradients() {
    losses_and_gradients(&common::simulated::device((7, 5)));
}

#[test]
fn cpu_ten_steps_of_every_optimizer() {
    let device = Device::cpu(2).unwrap();
    OptimizerKind::ALL.into_iter().for_each(|kind| ten_steps(&device, kind));
}

#[test]
fn wgpu_ten_steps() {
    if let Some(device) = common::device(DeviceKind::Wgpu) {
        ten_steps(&device, OptimizerKind::Adam);
    }
}

#[test]
fn cuda_ten_steps() {
    if let Some(device) = common::device(DeviceKind::Cuda) {
        ten_steps(&device, OptimizerKind::Adam);
    }
}
