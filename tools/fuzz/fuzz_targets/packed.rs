//! insightface's sets: any pickle is a set whose photographs lie where they are said to, or refused.
//! Seeds: `cargo fuzz run packed corpus/packed ../../tests/golden/packed`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface::eval::Packed;

fuzz_target!(|data: &[u8]| {
    if let Ok(set) = Packed::parse(data.to_vec(), "fuzz.bin") {
        assert!(set.pairs().iter().all(|pair| pair.a.max(pair.b) < set.len()));
        (0..set.len()).for_each(|i| drop(set.photograph(i).to_vec()));
    }
});
