//! HDF5.
//! Seeds: `cargo fuzz run keras corpus/keras ../../tests/golden/weights`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    read(&[b"\x89HDF\r\n\x1a\n".as_slice(), data].concat());
});
