//! Torch7's `.t7`.
//! Seeds: `cargo fuzz run torch7 corpus/torch7 ../../tests/golden/weights`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    read(&[b"\x03\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0a".as_slice(), data].concat());
    read(&[b"3\n1\n1\n2\n1\na\n".as_slice(), data].concat());
});
