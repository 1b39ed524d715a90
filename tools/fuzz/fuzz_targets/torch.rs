//! PyTorch's state dicts; the older layout needs no zip.
//! Seeds: `cargo fuzz run torch corpus/torch ../../tests/golden/weights`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    read(
        &[b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.".as_slice(), data]
            .concat(),
    );
});
