use crate::Case;
use crate::common::Noise;
use warpface::ops::ResizeBilinear;

fn cases() -> Vec<Case> {
    let case = |([n, h, w], [h_out, w_out]): ([usize; 3], [usize; 2])| {
        let x = Noise::new(25).bytes(&[n, h, w, 3]);
        Case::new(format!("{n} {h}x{w} to {h_out}x{w_out}"), ResizeBilinear { h: h_out, w: w_out }, vec![x])
    };
    [
        ([1, 1, 1], [1, 1]),
        ([1, 1, 1], [4, 3]),
        ([2, 50, 41], [32, 32]),
        ([1, 17, 300], [16, 16]),
        ([1, 90, 30], [20, 28]),
        ([1, 40, 32], [32, 32]),
        ([1, 33, 20], [33, 11]),
        ([1, 118, 121], [160, 160]),
    ]
    .map(case)
    .into()
}

backend_test!(cases);
