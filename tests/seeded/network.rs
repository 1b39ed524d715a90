//! Embeddings of a whole network beside the CPU's.

use warpface::face::{EmbedOptions, Standardize};
use warpface::image::Rgb8;
use warpface::models::embedding_network;
use warpface::{Device, DeviceKind, Embedder, Precision};

use super::{CROPS, pictures, weights};
use crate::common;

/// By how much an embedding may be off, as a share of its distance from the mean of all. Random networks give any two
/// crops nearly the same embedding, so that a cosine would tell nothing. PyTorch's embeddings by the same weights are off by
/// 1.1e-5 in f32, 0.017 in f16 and 0.12 in bf16; ours in the simulator by 0.009 in f16 and 0.07 in bf16.
fn most(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 2e-4,
        Precision::Tf32 | Precision::F16 => 0.03,
        Precision::Bf16 => 0.25,
    }
}

fn embedder(device: &Device, precision: Precision, batch: usize) -> Embedder {
    let graph = embedding_network(&weights::facenet().fold()).unwrap();
    let options = EmbedOptions::from(Standardize::Fixed).precision(precision);
    Embedder::new(device, graph, options).unwrap().in_batches(batch)
}

/// How far each row is from the expected one, as a share of that one's distance from the mean; the largest.
fn farthest(got: &[f32], expected: &[f32], spread: &[f32], dim: usize) -> f64 {
    let count = spread.len() / dim;
    let mean: Vec<f64> = (0..dim)
        .map(|i| spread.iter().skip(i).step_by(dim).map(|&x| f64::from(x)).sum::<f64>() / count as f64)
        .collect();
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let rows = got.chunks_exact(dim).zip(expected.chunks_exact(dim));
    let shares = rows.map(|(got, expected)| {
        let apart = norm(&mut got.iter().zip(expected).map(|(&a, &b)| f64::from(a) - f64::from(b)));
        apart / norm(&mut expected.iter().zip(&mean).map(|(&b, mean)| f64::from(b) - mean))
    });
    // NaN is the farthest of all.
    shares.fold(0.0, |most, x| if x <= most { most } else { x })
}

/// In each precision that is asked for, at these batch sizes.
fn check(device: Option<Device>, batches: &[usize]) {
    let Some(device) = device else { return };
    let crops = pictures::many(CROPS, 160, 160);
    let crops: Vec<&Rgb8> = crops.iter().collect();
    // The mean takes several; a software device is compared on fewer.
    let expected = embedder(&Device::cpu(0).unwrap(), Precision::F32, CROPS).embed(&crops).unwrap().into_vec();
    let dim = expected.len() / crops.len();
    let mut failed = Vec::new();
    for precision in common::precisions(&device) {
        let mut alone = Vec::new();
        for &batch in batches {
            let got = embedder(&device, precision, batch).embed(&crops[..batch]).unwrap().into_vec();
            let share = farthest(&got, &expected[..batch * dim], &expected, dim);
            eprintln!(
                "MEASURED: whole network, {precision}, batch {batch}: off by {share:.2e} of the spread (at most {})",
                most(precision)
            );
            #[allow(clippy::neg_cmp_op_on_partial_ord)]
            if !(share <= most(precision)) {
                failed.push(format!("{precision}, batch {batch}: {share:e}"));
            }
            let first: Vec<u32> = got[..dim].iter().map(|x| x.to_bits()).collect();
            if alone.is_empty() {
                alone = first;
            } else if alone != first {
                failed.push(format!("{precision}: the first crop's bits depend on the batch"));
            }
        }
    }
    assert!(failed.is_empty(), "too far from the CPU: {failed:?}");
}

#[test]
fn wgpu() {
    let device = common::device(DeviceKind::Wgpu);
    let software = device.as_ref().is_some_and(|device| device.info().is_software());
    check(device, if software { &[1, 2] } else { &[1, 32] });
}

#[test]
fn cuda() {
    check(common::device(DeviceKind::Cuda), &[1, 32]);
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "minutes: the whole network in the simulator"]
fn ptxsim_hopper() {
    check(Some(common::simulated::device((9, 0))), &[1]);
}
