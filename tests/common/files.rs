//! Files that are not part of the repository: published weights, photographs.

use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A golden dump.
pub fn golden(name: &str) -> PathBuf {
    root().join("tests/golden").join(name)
}

/// The folder of the published weights (`WARPFACE_WEIGHTS`, else `weights`), if it holds these files.
pub fn weights(names: &[&str]) -> Option<PathBuf> {
    let folder = std::env::var_os("WARPFACE_WEIGHTS").map_or(root().join("weights"), PathBuf::from);
    match names.iter().find(|name| !folder.join(name).exists()) {
        None => Some(folder),
        Some(missing) => {
            let path = folder.join(missing);
            super::skip("weights", &format!("{} is missing; `cargo xtask weights` fetches it", path.display()));
            None
        }
    }
}

/// The weights of the detector.
pub const MTCNN: [&str; 3] = ["det1.npy", "det2.npy", "det3.npy"];

/// Everything that detecting and embedding with the default model takes.
pub const ALL: [&str; 4] = ["det1.npy", "det2.npy", "det3.npy", "graph_final.pb"];

/// A folder of photographs and reference results (`WARPFACE_SHARED`, else `../shared`), if it is there.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("WARPFACE_SHARED").map_or(root().join("../shared"), PathBuf::from).join(name);
    if folder.exists() {
        return Some(folder);
    }
    super::skip("shared", &format!("{} is missing; WARPFACE_SHARED says where it is", folder.display()));
    None
}

/// Some photographs of people, or none: samples that `cargo xtask weights` fetches, else shared ones. `people` are in
/// a folder each.
pub fn people() -> Option<PathBuf> {
    let samples = root().join("weights/five-people");
    if samples.exists() { Some(samples) } else { shared("lfw_color") }
}

/// The first `n` photographs of every `step` of [`people`], in order.
pub fn photographs(n: usize, step: usize) -> Option<Vec<PathBuf>> {
    let found = warpface::image::collect(&[people()?]);
    Some(found.images.into_iter().step_by(step).take(n).collect())
}
