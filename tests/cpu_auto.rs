//! What `ConvAlgorithm::Auto` promises of embeddings: values within 2e-5 of the direct convolution's, cosines of 0.99999, on
//! photographs and published weights.

mod common;

use common::{shared, weights};
use warpface::Device;
use warpface::backend::cpu::{ConvAlgorithm, Cpu};
use warpface::face::{EmbedOptions, Embedder};
use warpface::image::{Rgb8, center_crop, collect, decode};

/// The middle of some photographs of 250 x 250: an odd number, so that batches are not alike.
fn crops() -> Option<Vec<Rgb8>> {
    let found = collect(&[shared("lfw_color")?]);
    Some(found.images.iter().take(37).map(|path| center_crop(&decode(path).unwrap(), 160)).collect())
}

#[test]
fn embeddings_are_those_of_direct_convolutions() {
    let models = ["facenet_keras.h5", "graph_final.pb"];
    let (Some(weights), Some(crops)) = (weights(&models), crops()) else { return };
    let crops: Vec<&Rgb8> = crops.iter().collect();
    assert!(crops.len() > 30);
    for model in models {
        let [direct, auto] = ConvAlgorithm::ALL.map(|conv| {
            let device = Device::from_backend(Cpu::new(2).unwrap().conv(conv));
            let embedder = Embedder::load(&device, weights.join(model), EmbedOptions::default()).unwrap();
            embedder.embed(&crops).unwrap()
        });
        let mut worst = 0.0f32;
        for (a, b) in direct.rows().zip(auto.rows()) {
            let product =
                |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
            let cosine = product(a, b) / (product(a, a) * product(b, b)).sqrt();
            assert!(cosine >= 0.99999, "{model}: a cosine of {cosine}");
            worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(worst, f32::max);
        }
        eprintln!("{model}: values within {worst:e}");
        assert!(worst > 0.0 && worst <= 2e-5, "{model}: values within {worst:e}");
    }
}
