use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, given, noise};
use warpface::Tensor;
use warpface::ops::GatherRows;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(29);
    let mut case = |name: &str, m: usize, d: usize, indices: &[f32]| {
        let inputs = vec![noise.signed(&[m, d]), Tensor::new([indices.len()], indices.to_vec())];
        Case::new(format!("{name} {m} {d}"), GatherRows, inputs).constants(1..2)
    };
    vec![
        case("one", 1, 1, &[0.0]),
        case("again", 5, 128, &[4.0, 0.0, 4.0, 4.0, 2.0, 1.0]),
        case("no rows", 3, 33, &[-1.0, 3.0, 0.5, 2.0, f32::NAN, f32::INFINITY]),
        case("many", 40, 7, &(0..100).map(|i| (i * 7 % 40) as f32).collect::<Vec<_>>()),
    ]
}

backend_test!(cases);

#[test]
fn gradient() {
    let indices = given(&[5], &[2.0, 0.0, 2.0, 2.0, 3.0]);
    Gradient::new(GatherRows, vec![noise(8, &[5, 3]), indices]).wanted(&[0]).check();
}
