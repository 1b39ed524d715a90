use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::PRelu;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1, 1], &[3, 10], &[2, 3, 5, 33], &[1, 17, 19, 128]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(2);
        let alpha = noise.signed(&dims[dims.len() - 1..]);
        Case::new(format!("{dims:?}"), PRelu, vec![noise.signed(dims), alpha]).constants(1..2)
    };
    shapes.map(case).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(PRelu, inputs(&[&[2, 3, 3, 2], &[2]])).check();
}
