//! TensorFlow's frozen graphs.
//! Seeds: `cargo fuzz run pb corpus/pb ../../tests/golden/weights`.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = warpface::weights::load_bytes(Path::new("fuzz"), data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    let _ = warpface::weights::load_bytes(
        Path::new("fuzz"),
        &[b"\x0a\x10\x0a\x01a\x12\x05Const".as_slice(), data].concat(),
    );
});
