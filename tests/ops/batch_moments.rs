use crate::Case;
use crate::common::Noise;
use warpface::ops::BatchMoments;

fn cases() -> Vec<Case> {
    // One partial sum, several, the last of fewer rows; fewer channels than a warp, and more.
    let shapes: [&[usize]; 6] = [&[1, 1], &[7, 3], &[3, 33], &[2, 9, 11, 5], &[301, 31], &[2, 17, 19, 70]];
    let mut cases: Vec<Case> =
        shapes.map(|dims| Case::new(format!("{dims:?}"), BatchMoments, vec![Noise::new(41).signed(dims)])).into();
    // A mean a thousand times the deviation: the difference of two squares would be noise.
    let far = Noise::new(42).tensor(&[700, 5], 999.0, 1001.0);
    cases.push(Case::new("far from zero", BatchMoments, vec![far]));
    cases.push(Case::new("constant", BatchMoments, vec![Noise::new(43).tensor(&[130, 2], 3.0, 3.0)]));
    cases
}

backend_test!(cases);
