//! Any bytes as a pairs file: parsed or refused; what is parsed can be written and read back.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use warpface::eval::Pairs;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("pairs.txt");
    if let Ok(pairs) = Pairs::parse(bytes, path)
        && let Ok(text) = pairs.to_text()
    {
        assert_eq!(Pairs::parse(text.as_bytes(), path).expect("reads its own writing").pairs.len(), pairs.pairs.len());
    }
});
