use crate::Case;
use crate::common::Noise;
use warpface::ops::Softmax;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1, 1], &[70, 2], &[2, 3, 5, 2], &[3, 129]];
    shapes.map(|dims| Case::new(format!("{dims:?}"), Softmax, vec![Noise::new(8).tensor(dims, -30.0, 30.0)])).into()
}

backend_test!(cases);
