use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::GatherRowsBwd;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(30);
    let mut case = |name: &str, m: usize, d: usize, indices: &[f32]| {
        let dy = noise.signed(&[indices.len(), d]);
        let inputs = vec![dy, Tensor::new([indices.len()], indices.to_vec()), noise.signed(&[m, d])];
        Case::new(format!("{name} {m} {d}"), GatherRowsBwd, inputs).constants(1..2)
    };
    vec![
        case("one", 1, 1, &[0.0]),
        case("none", 2, 3, &[]),
        case("again", 5, 128, &[4.0, 0.0, 4.0, 4.0, 2.0, 1.0]),
        case("no rows", 3, 33, &[-1.0, 3.0, 0.5, 2.0, f32::NAN]),
        case("many", 40, 300, &(0..100).map(|i| (i * i % 37) as f32).collect::<Vec<_>>()),
    ]
}

backend_test!(cases);
