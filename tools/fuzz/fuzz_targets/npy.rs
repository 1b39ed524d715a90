//! NumPy arrays and pickled dicts of them.
//! Seeds: `cargo fuzz run npy corpus/npy ../../tests/golden/weights`.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = warpface::weights::load_bytes(Path::new("fuzz"), data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    let _ = warpface::weights::load_bytes(
        Path::new("fuzz"),
        &[b"\x93NUMPY\x01\0\x37\0{'descr': '|O', 'fortran_order': False, 'shape': (), }\n".as_slice(), data].concat(),
    );
});
