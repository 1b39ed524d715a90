use crate::Case;
use crate::common::Noise;
use warpface::ops::ReluBwd;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1], &[65], &[2, 3, 5, 7], &[2, 5, 3, 12], &[10_003]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(31);
        let mut y = noise.signed(dims);
        // As a rectifier leaves it.
        y.data_mut().iter_mut().for_each(|y| *y = y.max(0.0));
        Case::new(format!("{dims:?}"), ReluBwd, vec![y, noise.signed(dims)])
    };
    shapes.map(case).into()
}

backend_test!(cases);
