//! ONNX's models: a version, a producer, and the graph.
//! Seeds: `cargo fuzz run onnx corpus/onnx ../../tests/golden/weights/mtcnn`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    read(&[b"\x08\x08\x12\x01a\x3a".as_slice(), data].concat());
});
