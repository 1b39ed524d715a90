//! Caffe's nets: a name, then layers.
//! Seeds: `cargo fuzz run caffe corpus/caffe ../../tests/golden/weights/mtcnn`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    read(&[b"\x0a\x01a\xa2\x06".as_slice(), data].concat());
});
