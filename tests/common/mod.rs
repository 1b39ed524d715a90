//! What the test files share: devices and loud skips, noise, comparisons.
#![allow(dead_code)]

pub mod close;
#[cfg(feature = "cli")]
pub mod command;
pub mod devices;
pub mod files;
pub mod npz;
pub mod people;
#[cfg(feature = "cuda")]
pub mod simulated;
pub mod step;

use std::path::PathBuf;

pub use warpface::ops::Tolerance;
use warpface::{Device, DeviceKind, Precision, Tensor};

/// Whether tests of this backend must not be skipped: `WARPFACE_REQUIRE` lists them, separated by commas.
pub fn required(what: &str) -> bool {
    let list = std::env::var("WARPFACE_REQUIRE").unwrap_or_default();
    list.split(',').any(|name| name.trim() == what)
}

/// Says that a test does not run, and why; fails instead if `what` is required.
pub fn skip(what: &str, why: impl std::fmt::Display) {
    assert!(!required(what), "{what} is required, but: {why}");
    eprintln!("SKIPPED: {what}: {why}");
}

/// Whether the long forms of tests are asked for (`WARPFACE_FULL=1`).
pub fn full() -> bool {
    std::env::var("WARPFACE_FULL").is_ok_and(|value| value == "1")
}

/// A device, or a loud skip.
pub fn device(kind: DeviceKind) -> Option<Device> {
    let name = match kind {
        DeviceKind::Auto => "auto",
        DeviceKind::Cpu => "cpu",
        DeviceKind::Wgpu => "wgpu",
        DeviceKind::Cuda => "cuda",
    };
    match Device::open(kind, 0) {
        Ok(device) => Some(device),
        Err(error) => {
            skip(name, error);
            None
        }
    }
}

/// The precisions that the device has, of those that `WARPFACE_PRECISIONS` lists, else of all; the others are skipped
/// loudly.
pub fn precisions(device: &Device) -> Vec<Precision> {
    let asked = std::env::var("WARPFACE_PRECISIONS").ok();
    let asked = asked.map(|list| list.split(',').map(|name| name.trim().parse().unwrap()).collect::<Vec<Precision>>());
    let has = |precision: &Precision| match device.backend().check(*precision) {
        Ok(()) => true,
        Err(error) => {
            skip(&format!("{precision}"), error);
            false
        }
    };
    asked.unwrap_or(Precision::ALL.to_vec()).into_iter().filter(has).collect()
}

/// The folder of published weights: `WARPFACE_WEIGHTS`, else `weights` of the repository; or a loud skip.
pub fn weights(files: &[&str]) -> Option<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("weights");
    let folder = std::env::var_os("WARPFACE_WEIGHTS").map_or(here, PathBuf::from);
    match files.iter().find(|file| !folder.join(file).is_file()) {
        None => Some(folder),
        Some(file) => {
            skip("weights", format!("{file} is not in {}; `cargo xtask weights` fetches it", folder.display()));
            None
        }
    }
}

/// The folder of photographs and reference results: `WARPFACE_SHARED`, else `../shared`; or a loud skip.
pub fn shared(inside: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let path = std::env::var_os("WARPFACE_SHARED").map_or(beside, PathBuf::from).join(inside);
    if path.exists() {
        return Some(path);
    }
    skip("shared", format!("{} is not there", path.display()));
    None
}

/// Random numbers that are the same on every machine.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Values between `from` and `to`.
    pub fn tensor(&mut self, dims: &[usize], from: f32, to: f32) -> Tensor {
        let count = dims.iter().product::<usize>();
        Tensor::new(dims, (0..count).map(|_| from + (to - from) * self.unit()).collect())
    }

    /// Values between -1 and 1.
    pub fn signed(&mut self, dims: &[usize]) -> Tensor {
        self.tensor(dims, -1.0, 1.0)
    }

    /// Whole numbers 0 to 255.
    pub fn bytes(&mut self, dims: &[usize]) -> Tensor {
        let x = self.tensor(dims, 0.0, 256.0);
        Tensor::new(dims, x.data().iter().map(|x| x.floor().min(255.0)).collect())
    }
}

/// Compares element by element. NaN equals NaN only.
///
/// # Panics
/// At the worst element, if any differs by more than the tolerance.
pub fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: Tolerance) {
    assert_eq!(got.len(), expected.len(), "{what}: number of elements");
    let mut worst: Option<(f32, usize)> = None;
    for (i, (&a, &b)) in got.iter().zip(expected).enumerate() {
        if a == b || (a.is_nan() && b.is_nan()) {
            continue;
        }
        let (difference, allowed) = ((a - b).abs(), tolerance.atol + tolerance.rtol * b.abs());
        // Negated, so that NaN fails.
        #[allow(clippy::neg_cmp_op_on_partial_ord)]
        if !(difference <= allowed) {
            let excess = if difference.is_nan() { f32::INFINITY } else { difference - allowed };
            if worst.is_none_or(|(most, _)| excess > most) {
                worst = Some((excess, i));
            }
        }
    }
    if let Some((_, i)) = worst {
        panic!("{what}: worst at {i} of {}: {}, expected {} ({tolerance:?})", got.len(), got[i], expected[i]);
    }
}
