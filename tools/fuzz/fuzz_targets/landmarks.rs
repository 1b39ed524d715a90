//! dlib's shape predictors, and what they find.
//! Seeds: `cargo fuzz run landmarks corpus/landmarks ../../tests/golden/landmarks`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface::face::ShapePredictor;
use warpface::image::Rgb8;

fuzz_target!(|data: &[u8]| {
    // The second is the same bytes behind a version and a mean shape of two points.
    let begin = b"\x01\x01\x81\x04\x81\x01\x01\x01\x81\x02\x01\x01\x81\x01\x01\x01\x01\x00\x01\x03\x81\x02";
    for bytes in [data, &[begin, data].concat()] {
        let Ok(predictor) = ShapePredictor::from_bytes("fuzz", bytes) else { continue };
        let found = predictor.predict(&Rgb8::new(3, 2, (0..18).collect()), [-1, 0, 4, 3]);
        assert!(found.as_flattened().iter().all(|x| x.is_finite()));
    }
});
