use crate::Case;
use crate::common::Noise;
use warpface::ops::window::axes;
use warpface::ops::{Conv2dBwdFilter, Padding};

use Padding::{Around, Same, Valid};

fn cases() -> Vec<Case> {
    let case =
        |([n, h, w, c_in], [c_out, k_h, k_w], stride, padding): ([usize; 4], [usize; 3], [usize; 2], Padding)| {
            let mut noise = Noise::new(45);
            let [y, x] = axes([h, w], [k_h, k_w], stride, padding).expect("a case that fits");
            let dy = noise.signed(&[n, y.out, x.out, c_out]);
            let inputs = vec![noise.signed(&[n, h, w, c_in]), dy, noise.signed(&[c_out, k_h, k_w, c_in])];
            let op = Conv2dBwdFilter { stride, padding };
            let case = Case::new(format!("{n} {h}x{w}x{c_in} to {c_out} by {k_h}x{k_w}, {op:?}"), op, inputs);
            // Sums of so many products near 1 lose more to rounding than those of a network's layer.
            if n * y.out * x.out > 500 { case.atol(2e-5) } else { case }
        };
    [
        ([1, 1, 1, 1], [1, 1, 1], [1, 1], Valid),
        ([1, 1, 1, 1], [1, 3, 3], [1, 1], Same),
        ([2, 12, 15, 3], [10, 3, 3], [1, 1], Valid),
        ([2, 8, 8, 5], [33, 1, 7], [1, 1], Same),
        ([1, 9, 11, 16], [32, 3, 3], [1, 1], Valid),
        ([1, 13, 9, 32], [64, 3, 3], [1, 1], Same),
        ([5, 3, 3, 40], [17, 1, 1], [1, 1], Valid),
        ([1, 3, 3, 192], [130, 3, 1], [1, 1], Same),
        ([1, 5, 4, 7], [8, 2, 2], [1, 1], Same),
        // Boxes of 64 channels, then of 32, one tap each; the last block has fewer. Outputs by 96, 128 and 64.
        ([2, 9, 7, 64], [96, 3, 1], [1, 1], Same),
        ([1, 10, 9, 96], [136, 1, 3], [1, 1], Valid),
        ([1, 6, 11, 128], [200, 1, 1], [1, 1], Valid),
        ([1, 17, 13, 80], [64, 3, 3], [2, 2], Valid),
        ([0, 4, 4, 8], [8, 3, 3], [1, 1], Same),
        // Pixels enough for several partial sums, the last of fewer.
        ([2, 23, 19, 16], [24, 3, 3], [1, 1], Same),
        ([3, 21, 21, 3], [5, 3, 3], [1, 1], Valid),
        ([2, 9, 11, 20], [49, 3, 3], [2, 2], Valid),
        ([1, 10, 8, 24], [16, 3, 3], [2, 2], Same),
        ([1, 9, 6, 4], [16, 2, 5], [2, 2], Same),
        ([1, 11, 10, 3], [4, 3, 3], [3, 1], Same),
        ([2, 7, 8, 3], [5, 1, 1], [3, 2], Valid),
        ([1, 7, 8, 3], [5, 2, 1], [3, 3], Same),
        ([1, 7, 7, 2], [3, 7, 7], [2, 2], Same),
        ([1, 1, 1, 2], [3, 7, 7], [2, 2], Same),
        ([1, 9, 9, 8], [8, 3, 3], [2, 2], Valid),
        ([1, 11, 12, 3], [16, 7, 7], [2, 2], Around(3)),
        ([2, 6, 7, 16], [24, 5, 5], [1, 1], Around(2)),
        ([1, 6, 5, 8], [16, 3, 3], [2, 2], Around(2)),
    ]
    .map(case)
    .into()
}

backend_test!(cases, tensor_cores);
