//! Folders of CSV files: the bytes are two files, divided by the first `|`.
//! Seeds: `cargo fuzz run csv corpus/csv ../../tests/golden/weights/csv`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface::weights;
use warpface_fuzz::read_all;

fuzz_target!(|data: &[u8]| {
    let cut = data.iter().position(|&byte| byte == b'|').unwrap_or(data.len());
    let (first, second) = data.split_at(cut);
    let files = [("conv1_w.csv", first), ("conv1_b.csv", second.get(1..).unwrap_or_default())];
    for files in [&files[..1], &files] {
        if let Ok(map) = weights::load_csv_bytes("fuzz", files) {
            read_all(&map);
        }
    }
});
