use crate::Case;
use crate::common::Noise;
use warpface::ops::LocalConv2dBwdData;

fn cases() -> Vec<Case> {
    let case = |([n, h, w, c_in], [c_out, k_h, k_w], stride): ([usize; 4], [usize; 3], usize)| {
        let (h_out, w_out) = ((h - k_h) / stride + 1, (w - k_w) / stride + 1);
        let mut noise = Noise::new(36);
        let inputs = vec![
            noise.signed(&[n, h_out, w_out, c_out]),
            noise.signed(&[h_out, w_out, c_out, k_h, k_w, c_in]),
            noise.signed(&[n, h, w, c_in]),
        ];
        let op = LocalConv2dBwdData { stride: [stride; 2] };
        Case::new(format!("{n} {h}x{w}x{c_in} {c_out} {k_h}x{k_w}/{stride}"), op, inputs).constants(1..2)
    };
    [
        ([1, 1, 1, 1], [1, 1, 1], 1),
        ([2, 9, 7, 5], [3, 3, 2], 2),
        ([3, 5, 5, 16], [16, 5, 5], 1),
        ([6, 6, 5, 4], [5, 3, 3], 1),
        ([1, 8, 7, 3], [2, 1, 2], 3),
    ]
    .map(case)
    .into()
}

backend_test!(cases);
