//! PyTorch's state dicts; the older layout needs no zip.
//! Seeds: `cargo fuzz run torch corpus/torch ../../tests/golden/weights`.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = warpface::weights::load_bytes(Path::new("fuzz"), data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    let _ = warpface::weights::load_bytes(
        Path::new("fuzz"),
        &[b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.".as_slice(), data]
            .concat(),
    );
});
