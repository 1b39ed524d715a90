//! NumPy arrays and pickled dicts of them.
//! Seeds: `cargo fuzz run npy corpus/npy ../../tests/golden/weights`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    read(&[b"\x93NUMPY\x01\0\x37\0{'descr': '|O', 'fortran_order': False, 'shape': (), }\n".as_slice(), data].concat());
});
