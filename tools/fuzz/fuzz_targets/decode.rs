//! Foreign bytes as a photograph: a picture or an error, within the limits, and the header agrees with the pixels.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use warpface::image::{Limits, decode_bytes, dimensions_bytes};

fuzz_target!(|bytes: &[u8]| {
    let (path, limits) = (Path::new("fuzzed"), Limits { max_pixels: 1 << 20, max_bytes: 1 << 20 });
    let size = dimensions_bytes(path, bytes, &limits);
    if let Ok(picture) = decode_bytes(path, bytes, &limits) {
        assert!((picture.width() * picture.height()) as u64 <= limits.max_pixels);
        assert_eq!(size.ok(), Some((picture.width(), picture.height())));
    }
});
