use crate::Case;
use crate::common::Noise;
use warpface::ops::DenseBwdData;

fn cases() -> Vec<Case> {
    let shapes: [(&[usize], usize); 6] =
        [(&[1, 1], 1), (&[3, 3, 3, 64], 128), (&[5, 179], 64), (&[9, 31], 130), (&[4, 128], 2), (&[2, 40], 24)];
    let case = |(dims, c_out): (&[usize], usize)| {
        let (mut noise, k) = (Noise::new(46), dims[1..].iter().product());
        let scale = 1.0 / (c_out as f32).sqrt();
        let inputs =
            vec![noise.signed(&[dims[0], c_out]), noise.tensor(&[c_out, k], -scale, scale), noise.signed(dims)];
        Case::new(format!("{dims:?} {c_out}"), DenseBwdData, inputs).constants(1..2)
    };
    shapes.map(case).into()
}

backend_test!(cases, tensor_cores);
