//! What the test files share: devices and loud skips, noise, comparisons.
#![allow(dead_code)]

pub mod close;
#[cfg(feature = "cli")]
pub mod command;
pub mod devices;
pub mod files;
mod noise;
pub mod npz;
pub mod people;
#[cfg(feature = "cuda")]
pub mod simulated;
pub mod step;
mod worst;

use std::path::PathBuf;

pub use noise::Noise;
pub use warpface::ops::Tolerance;
use warpface::{Device, DeviceKind, Precision};
pub use worst::worst;

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

/// Compares element by element.
///
/// # Panics
/// At the worst element, if [`worst`] finds one.
pub fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: Tolerance) {
    if let Some(problem) = worst(got, expected, tolerance) {
        panic!("{what}: {problem}");
    }
}
