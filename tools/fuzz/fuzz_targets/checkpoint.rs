//! TensorFlow's checkpoints: the first two bytes say where the index ends and the data begins.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (length, bytes) = input;
    let (index, data) = bytes.split_at(usize::from(length).min(bytes.len()));
    let _ = warpface::weights::load_checkpoint_bytes(Path::new("fuzz"), index, &[data]);
    // With the magic number in place, so that most inputs reach the blocks.
    let index = [index, &0xdb47_7524_8b80_fb57_u64.to_le_bytes()].concat();
    let _ = warpface::weights::load_checkpoint_bytes(Path::new("fuzz"), &index, &[data]);
});
