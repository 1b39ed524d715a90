//! TFLite's models.
//! Seeds: `cargo fuzz run tflite corpus/tflite ../../tests/golden/weights/mtcnn`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes with the format's identifier, so that most inputs reach its reader.
    let mut data = data.to_vec();
    if let Some(identifier) = data.get_mut(4..8) {
        identifier.copy_from_slice(b"TFL3");
    }
    read(&data);
});
