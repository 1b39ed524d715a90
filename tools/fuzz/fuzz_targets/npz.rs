//! Zips of NumPy arrays.
//! Seeds: `cargo fuzz run npz corpus/npz ../../tests/golden/weights`.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = warpface::weights::load_bytes(Path::new("fuzz"), data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    let _ = warpface::weights::load_bytes(Path::new("fuzz"), &[b"PK\x03\x04".as_slice(), data].concat());
});
