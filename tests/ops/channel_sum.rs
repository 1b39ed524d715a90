use crate::Case;
use crate::common::Noise;
use warpface::ops::ChannelSum;

fn cases() -> Vec<Case> {
    // One partial sum, several, the last of fewer rows; fewer channels than a warp, and more.
    let shapes: [&[usize]; 6] = [&[1, 1], &[7, 3], &[3, 33], &[2, 9, 11, 5], &[301, 31], &[2, 17, 19, 70]];
    shapes.map(|dims| Case::new(format!("{dims:?}"), ChannelSum, vec![Noise::new(39).signed(dims)])).into()
}

backend_test!(cases);
