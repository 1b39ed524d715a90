//! Detection beside the CPU's: pictures alone, many at once, and a large one.

use std::sync::Arc;

use warpface::face::{DetectOptions, Face};
use warpface::image::Rgb8;
use warpface::models::{self, Mtcnn};
use warpface::{Detector, Device, DeviceKind};

use super::{SMALL, pictures, weights};
use crate::common;

/// A detector of the seeded networks.
fn detector(device: &Device) -> Detector {
    detector_of(device, &weights::mtcnn(), DetectOptions::default())
}

fn detector_of(device: &Device, tensors: &[weights::Tensors; 3], options: DetectOptions) -> Detector {
    let (p, r, o) = weights::networks(tensors);
    let [pnet, rnet, onet] = [models::pnet(&p), models::rnet(&r), models::onet(&o)].map(Arc::new);
    Detector::new(device, &Mtcnn { pnet, rnet, onet }, &options).unwrap()
}

/// The largest difference of two lists of faces, in pixels; endless where the lists differ.
fn apart(found: &[Face], expected: &[Face]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let numbers = |face: &Face| face.bounds.into_iter().chain(face.landmarks.into_iter().flatten());
    let all = found.iter().zip(expected).flat_map(|(a, b)| numbers(a).zip(numbers(b)));
    all.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn check(what: &str, device: &Detector, cpu: &Detector, pictures: &[Rgb8]) {
    let pictures: Vec<&Rgb8> = pictures.iter().collect();
    let (found, expected) = (device.detect(&pictures).unwrap(), cpu.detect(&pictures).unwrap());
    let faces: usize = expected.iter().map(Vec::len).sum();
    let all: Vec<f64> = found.iter().zip(&expected).map(|(found, expected)| apart(found, expected)).collect();
    let worst = all.iter().copied().fold(0.0, f64::max);
    eprintln!("MEASURED: cascade, {what}: {faces} faces, at most {worst:.6} px from the CPU's");
    assert!(faces > 0 && worst <= 0.01, "{what}: {faces} faces, pixels from the CPU's: {all:?}");
    let again = device.detect(&pictures).unwrap();
    assert!(found == again, "{what}: a second run differs");
}

fn check_on(device: Option<Device>) {
    let Some(device) = device else { return };
    let software = device.info().is_software();
    let (device, cpu) = (detector(&device), detector(&Device::cpu(0).unwrap()));
    let small = pictures::many(if software { 3 } else { SMALL }, 250, 250);
    check("batch 1 of 250x250", &device, &cpu, &small[..1]);
    check(&format!("batch {} of 250x250", small.len()), &device, &cpu, &small);
    let [width, height] = if software { [640, 360] } else { [1920, 1080] };
    check(&format!("one of {width}x{height}"), &device, &cpu, &pictures::many(1, width, height));
}

/// Every candidate of a network has one score, so that the order of equal scores alone decides what is suppressed: of
/// P-Net, R-Net, O-Net, then of all three. What the others score is a candidate whatever the score.
fn check_ties(device: Option<Device>, side: usize) {
    let Some(device) = device else { return };
    let pictures = pictures::many(2, side, side - 7);
    for (what, stages) in [("P-Net", 0..1), ("R-Net", 1..2), ("O-Net", 2..3), ("all", 0..3)] {
        let mut tensors = weights::mtcnn();
        stages.for_each(|stage| weights::plant_ties(&mut tensors, stage));
        let options = DetectOptions { thresholds: [0.0; 3], ..Default::default() };
        let [device, cpu] = [&device, &Device::cpu(0).unwrap()].map(|device| detector_of(device, &tensors, options));
        check(&format!("equal scores of {what}"), &device, &cpu, &pictures);
    }
}

#[test]
fn ties_on_wgpu() {
    check_ties(common::device(DeviceKind::Wgpu), 90);
}

#[test]
fn ties_on_cuda() {
    check_ties(common::device(DeviceKind::Cuda), 90);
}

#[cfg(feature = "cuda")]
#[test]
fn ties_on_ptxsim() {
    check_ties(Some(common::simulated::device((7, 5))), 48);
}

#[test]
fn wgpu() {
    check_on(common::device(DeviceKind::Wgpu));
}

#[test]
fn cuda() {
    check_on(common::device(DeviceKind::Cuda));
}
