use crate::Case;
use crate::common::Noise;
use warpface::ops::SoftmaxBwd;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1, 1], &[70, 2], &[2, 3, 5, 2], &[3, 129]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(22);
        Case::new(format!("{dims:?}"), SoftmaxBwd, vec![noise.tensor(dims, 0.0, 1.0), noise.signed(dims)])
    };
    shapes.map(case).into()
}

backend_test!(cases);
