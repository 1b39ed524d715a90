//! HDF5.
//! Seeds: `cargo fuzz run keras corpus/keras ../../tests/golden/weights`.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = warpface::weights::load_bytes(Path::new("fuzz"), data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    let _ = warpface::weights::load_bytes(Path::new("fuzz"), &[b"\x89HDF\r\n\x1a\n".as_slice(), data].concat());
});
