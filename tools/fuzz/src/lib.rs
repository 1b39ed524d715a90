//! What several targets do.

use std::path::Path;

use warpface::weights::{self, TensorMap};

/// Opens these bytes as a weights file of any format, and reads every tensor that is found.
pub fn read(bytes: &[u8]) {
    if let Ok(map) = weights::load_bytes(Path::new("fuzz"), bytes) {
        read_all(&map);
    }
}

/// Reads every tensor, and looks for each network.
pub fn read_all(map: &TensorMap) {
    let _ = (weights::pnet(map), weights::rnet(map), weights::onet(map), weights::embedding_network(map));
    for name in map.tensors.keys() {
        let _ = map.read(name);
    }
}
