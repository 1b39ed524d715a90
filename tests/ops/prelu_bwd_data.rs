use crate::Case;
use crate::common::Noise;
use warpface::ops::PReluBwdData;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1], &[5, 33], &[2, 3, 5, 7], &[65, 1]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(32);
        let inputs = vec![noise.signed(dims), noise.signed(&dims[dims.len() - 1..]), noise.signed(dims)];
        Case::new(format!("{dims:?}"), PReluBwdData, inputs).constants(1..2)
    };
    shapes.map(case).into()
}

backend_test!(cases);
