use crate::Case;
use crate::common::Noise;
use warpface::ops::LocalConv2dBwdBias;

fn cases() -> Vec<Case> {
    let shapes = [[1, 1, 1, 1], [3, 5, 7, 2], [9, 1, 1, 65], [2, 2, 3, 3]];
    shapes.map(|dims| Case::new(format!("{dims:?}"), LocalConv2dBwdBias, vec![Noise::new(38).signed(&dims)])).into()
}

backend_test!(cases);
