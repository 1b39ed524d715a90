use crate::Case;
use crate::common::Noise;
use warpface::ops::Crop;

fn cases() -> Vec<Case> {
    let windows = [(0, 0, 5, 7), (-2, -3, 9, 4), (3, 5, 4, 4), (-9, 0, 2, 2), (4, 6, 1, 1)];
    let case = |(y, x, h, w)| {
        Case::new(format!("{y} {x} {h}x{w}"), Crop { y, x, h, w }, vec![Noise::new(7).signed(&[2, 5, 7, 3])])
    };
    windows.map(case).into()
}

backend_test!(cases);
