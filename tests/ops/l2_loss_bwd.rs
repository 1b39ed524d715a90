use crate::Case;
use crate::common::Noise;
use warpface::ops::L2LossBwd;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[3, 67], &[300]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(38);
        Case::new(format!("{dims:?}"), L2LossBwd, vec![noise.signed(dims), noise.signed(&[1])])
    };
    shapes.map(case).into()
}

backend_test!(cases);
