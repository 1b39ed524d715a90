use crate::Case;
use crate::common::Noise;
use warpface::ops::PReluBwdAlpha;

fn cases() -> Vec<Case> {
    // One partial sum, several, the last of fewer rows; fewer channels than a warp, and more.
    let shapes: [&[usize]; 6] = [&[1, 1], &[7, 3], &[3, 33], &[2, 9, 11, 5], &[301, 31], &[2, 17, 19, 70]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(40);
        Case::new(format!("{dims:?}"), PReluBwdAlpha, vec![noise.signed(dims), noise.signed(dims)])
    };
    shapes.map(case).into()
}

backend_test!(cases);
