//! TensorFlow's frozen graphs.
//! Seeds: `cargo fuzz run pb corpus/pb ../../tests/golden/weights`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    read(&[b"\x0a\x10\x0a\x01a\x12\x05Const".as_slice(), data].concat());
});
