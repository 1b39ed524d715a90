//! The weights manifest. Seed: `weights/MANIFEST`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = warpface::weights::manifest::parse(text);
});
