use crate::Case;
use crate::common::Noise;
use warpface::ops::DenseBwdFilter;

fn cases() -> Vec<Case> {
    let shapes: [(&[usize], usize); 6] =
        [(&[1, 1], 1), (&[3, 3, 3, 64], 128), (&[5, 179], 64), (&[9, 31], 130), (&[4, 128], 2), (&[600, 40], 24)];
    let case = |(dims, c_out): (&[usize], usize)| {
        let (mut noise, k) = (Noise::new(46), dims[1..].iter().product());
        let inputs = vec![noise.signed(dims), noise.signed(&[dims[0], c_out]), noise.signed(&[c_out, k])];
        let case = Case::new(format!("{dims:?} {c_out}"), DenseBwdFilter, inputs);
        // Sums of so many products near 1 lose more to rounding than those of a network's layer.
        if dims[0] > 500 { case.atol(2e-5) } else { case }
    };
    shapes.map(case).into()
}

backend_test!(cases, tensor_cores);
