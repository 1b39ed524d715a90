use crate::Case;
use crate::common::Noise;
use warpface::ops::window::axes;
use warpface::ops::{Conv2dBwdData, Padding};

use Padding::{Around, Same, Valid};

fn cases() -> Vec<Case> {
    let case =
        |([n, h, w, c_in], [c_out, k_h, k_w], stride, padding): ([usize; 4], [usize; 3], [usize; 2], Padding)| {
            let mut noise = Noise::new(45);
            let [y, x] = axes([h, w], [k_h, k_w], stride, padding).expect("a case that fits");
            let scale = 1.0 / ((k_h * k_w * c_out) as f32).sqrt();
            let w_given = noise.tensor(&[c_out, k_h, k_w, c_in], -scale, scale);
            let inputs = vec![noise.signed(&[n, y.out, x.out, c_out]), w_given, noise.signed(&[n, h, w, c_in])];
            let op = Conv2dBwdData { stride, padding };
            Case::new(format!("{n} {h}x{w}x{c_in} to {c_out} by {k_h}x{k_w}, {op:?}"), op, inputs).constants(1..2)
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
        // Strides: phases of unlike sizes, of unlike taps, without taps.
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
