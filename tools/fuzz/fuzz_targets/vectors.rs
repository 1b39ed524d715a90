//! Files of vectors: any bytes are an index or an array whose rows can be read, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface::Device;
use warpface::vectors::search::{Index, Table};

fuzz_target!(|data: &[u8]| {
    let path = std::env::temp_dir().join(format!("warpface-fuzz-{}", std::process::id()));
    std::fs::write(&path, data).expect("room for a file");
    if let Ok(index) = Index::open(&path) {
        (0..index.len().min(1000)).for_each(|row| drop(index.name(row).map(str::to_owned)));
        let device = Device::cpu(1).expect("a thread");
        let _ = index.neighbours(&device).map(|near| near.len());
    }
    if let Ok(table) = Table::npy(&path) {
        let _ = table.rows(0..table.len().min(10));
    }
});
