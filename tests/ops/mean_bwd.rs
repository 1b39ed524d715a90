use crate::Case;
use crate::common::Noise;
use warpface::ops::MeanBwd;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[3, 67], &[2, 2, 2, 65]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(27);
        Case::new(format!("{dims:?}"), MeanBwd, vec![noise.signed(&[1]), noise.signed(dims)])
    };
    shapes.map(case).into()
}

backend_test!(cases);
