use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::BatchNorm;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1, 1], &[5, 512], &[2, 7, 3, 33]];
    let case = |dims: &[usize]| {
        let (mut noise, c) = (Noise::new(4), &dims[dims.len() - 1..]);
        let inputs =
            vec![noise.signed(dims), noise.signed(c), noise.signed(c), noise.signed(c), noise.tensor(c, 0.1, 2.0)];
        Case::new(format!("{dims:?}"), BatchNorm { epsilon: 1e-3 }, inputs).constants(1..5)
    };
    shapes.map(case).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    let mut inputs = inputs(&[&[2, 3, 4], &[4], &[4], &[4], &[4]]);
    inputs[4].data_mut().iter_mut().for_each(|variance| *variance = variance.abs() + 0.1);
    Gradient::new(BatchNorm { epsilon: 1e-3 }, inputs).wanted(&[0]).check();
}
