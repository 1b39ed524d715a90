//! Weights of the published networks' extents, drawn by a seed.

use warpface::models;
use warpface::networks::{ModelDef, NetworkSpec};
use warpface::train::parameters::{Parameters, Spec};
use warpface::weights::network::Unfolded;
use warpface::weights::{self, Format, ONet, PNet, RNet, TensorMap};
use warpface::{Graph, Tensor};

use super::pictures;
use crate::common::Noise;

/// A network's tensors by facenet-pytorch's names.
pub type Tensors = Vec<(String, Tensor)>;

/// Inception-ResNet-v1 with 512 values an embedding. No bias is 0 and no norm the identity, so that one that is lost is
/// noticed; filters are scaled for rectifiers (He et al. 2015), so that deep layers are as large as the first.
pub fn facenet() -> Unfolded {
    let spec = Spec {
        network: NetworkSpec::new(ModelDef::InceptionResnetV1).embedding_size(512),
        classes: None,
        gamma: false,
    };
    let parameters = Parameters::new(spec).unwrap();
    let mut values = parameters.initial(7);
    let mut noise = Noise::new(7);
    for place in parameters.weights() {
        let weights = &mut values.weights[place.offset..][..place.shape.elements()];
        match place.name.ends_with("/weights") {
            true => weights.iter_mut().for_each(|w| *w *= 2f32.sqrt()),
            false => weights.iter_mut().for_each(|b| *b = 0.2 * noise.unit() - 0.1),
        }
    }
    for place in parameters.norms() {
        // Mean, variance, and variance with Bessel's correction, which files have.
        let norms = &mut values.norms[place.offset..][..place.shape.elements()];
        let (means, variances) = norms.split_at_mut(place.shape.last());
        means.iter_mut().for_each(|mean| *mean = 0.2 * noise.unit() - 0.1);
        variances.iter_mut().for_each(|variance| *variance = 0.5 + noise.unit());
    }
    parameters.unfolded(&values)
}

/// A layer: its name, the channels or rows that it makes, and the extents of one of them.
type Layer = (&'static str, usize, &'static [usize]);

const PNET: [Layer; 5] = [
    ("conv1", 10, &[3, 3, 3]),
    ("conv2", 16, &[10, 3, 3]),
    ("conv3", 32, &[16, 3, 3]),
    ("conv4_1", 2, &[32, 1, 1]),
    ("conv4_2", 4, &[32, 1, 1]),
];
const RNET: [Layer; 6] = [
    ("conv1", 28, &[3, 3, 3]),
    ("conv2", 48, &[28, 3, 3]),
    ("conv3", 64, &[48, 2, 2]),
    ("dense4", 128, &[576]),
    ("dense5_1", 2, &[128]),
    ("dense5_2", 4, &[128]),
];
const ONET: [Layer; 8] = [
    ("conv1", 32, &[3, 3, 3]),
    ("conv2", 64, &[32, 3, 3]),
    ("conv3", 64, &[64, 3, 3]),
    ("conv4", 128, &[64, 2, 2]),
    ("dense5", 256, &[1152]),
    ("dense6_1", 2, &[256]),
    ("dense6_2", 4, &[256]),
    ("dense6_3", 10, &[256]),
];

/// What share of P-Net's cells, and of R-Net's and O-Net's crops, becomes a candidate at the published thresholds. A
/// photograph with few faces has some hundred candidates, and so have these pictures.
const SHARES: [(f64, f32); 3] = [(0.005, 0.6), (0.5, 0.7), (0.5, 0.7)];

/// The layers that score a candidate.
const HEADS: [&str; 3] = ["conv4_1", "dense5_1", "dense6_1"];

/// Gives every candidate of network `stage` the same score, above any threshold.
pub fn plant_ties(all: &mut [Tensors; 3], stage: usize) {
    for (name, tensor) in &mut all[stage] {
        match name.strip_prefix(HEADS[stage]) {
            Some(".weight") => *tensor = Tensor::zeros(tensor.shape().clone()),
            Some(".bias") => *tensor = Tensor::new([2], vec![0.0, 3.0]),
            _ => {}
        }
    }
}

/// The tensors of the cascade's three networks.
pub fn mtcnn() -> [Tensors; 3] {
    let mut all = [drawn(&PNET, 11), drawn(&RNET, 12), drawn(&ONET, 13)];
    let picture = &pictures::many(1, 400, 400)[0];
    let crops = |side: usize| {
        let each = 400 / side;
        let mut pixels = Vec::new();
        for y in 0..each * each * side {
            let (at, row) = (y / side, y % side);
            let from = (at % each) * side * 3;
            let row = &picture.row(at / each * side + row)[from..][..side * 3];
            pixels.extend(row.iter().map(|&x| (f32::from(x) - 127.5) / 128.0));
        }
        Tensor::new([each * each, side, side, 3], pixels)
    };
    for (i, heads) in HEADS.iter().enumerate() {
        let (p, r, o) = networks(&all);
        let (graph, input) = match i {
            0 => (models::pnet(&p), crops(400)),
            1 => (models::rnet(&r), crops(24)),
            _ => (models::onet(&o), crops(48)),
        };
        let (share, threshold) = SHARES[i];
        let missing = margin(&graph, input, share, threshold);
        let bias = all[i].iter_mut().find(|(name, _)| *name == format!("{heads}.bias")).expect("the scores' bias");
        bias.1 = Tensor::new([2], vec![bias.1.data()[0], bias.1.data()[1] + missing]);
    }
    all
}

/// What the logit of a face lacks for this share of the scores to reach the threshold.
fn margin(graph: &Graph, input: Tensor, share: f64, threshold: f32) -> f32 {
    let logit = |p: f32| (p / (1.0 - p)).ln();
    let scores = graph.reference(&[input]).unwrap().swap_remove(0);
    let mut logits: Vec<f32> = scores.data().chunks_exact(2).map(|pair| (pair[1] / pair[0]).ln()).collect();
    logits.sort_by(f32::total_cmp);
    let at = ((1.0 - share) * (logits.len() - 1) as f64) as usize;
    // Between two scores, so that no rounding decides.
    logit(threshold) - (logits[at] + logits[at + 1]) / 2.0
}

fn drawn(layers: &[Layer], seed: u64) -> Tensors {
    let mut noise = Noise::new(seed);
    let mut tensors = Vec::new();
    let last = layers.iter().filter(|(name, ..)| !name.contains('_')).count();
    for (i, &(name, out, extents)) in layers.iter().enumerate() {
        // Boxes should move by some hundredths of their size, and landmarks lie somewhere within.
        let gain = if i > last { 0.03 } else { 1.0 };
        let limit = gain * (6.0 / extents.iter().product::<usize>() as f32).sqrt();
        let dims: Vec<usize> = [out].into_iter().chain(extents.iter().copied()).collect();
        tensors.push((format!("{name}.weight"), noise.tensor(&dims, -limit, limit)));
        tensors.push((format!("{name}.bias"), noise.tensor(&[out], -0.1 * gain, 0.1 * gain)));
        if i < last {
            tensors.push((format!("prelu{}.weight", i + 1), noise.tensor(&[out], 0.1, 0.4)));
        }
    }
    tensors
}

/// The weights that the loader makes of the tensors.
pub fn networks(tensors: &[Tensors; 3]) -> (PNet, RNet, ONet) {
    let map = |tensors: &Tensors| TensorMap::new("seeded", Format::Torch, tensors.iter().cloned().collect());
    let [p, r, o] = tensors.each_ref().map(map);
    (weights::pnet(&p).unwrap(), weights::rnet(&r).unwrap(), weights::onet(&o).unwrap())
}
