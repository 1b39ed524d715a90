//! Which files tests take, of the repository and from elsewhere.

use std::path::{Path, PathBuf};

/// The weights of the detector.
pub const MTCNN: [&str; 3] = ["det1.npy", "det2.npy", "det3.npy"];

/// Everything that detecting and embedding with the default model takes.
pub const ALL: [&str; 4] = ["det1.npy", "det2.npy", "det3.npy", "graph_final.pb"];

/// A golden dump: of the folder `WARPFACE_GOLDEN`, else of the repository.
pub fn golden(name: &str) -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::env::var_os("WARPFACE_GOLDEN").map_or_else(here, PathBuf::from).join(name)
}

/// Photographs in a folder for each person: samples that `cargo xtask weights` fetches, else shared ones; or a loud
/// skip.
pub fn people() -> Option<PathBuf> {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    let samples = std::env::var_os("WARPFACE_WEIGHTS").map_or_else(here, PathBuf::from).join("five-people");
    if samples.exists() { Some(samples) } else { super::shared("lfw_color") }
}

/// Every `step`-th of the photographs of [`people`], `n` at most.
pub fn photographs(n: usize, step: usize) -> Option<Vec<PathBuf>> {
    let found = warpface::image::collect(&[people()?]);
    Some(found.images.into_iter().step_by(step).take(n).collect())
}
