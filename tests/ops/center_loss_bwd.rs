use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::CenterLossBwd;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(32);
    let mut case = |classes: usize, d: usize, labels: &[f32]| {
        let n = labels.len();
        let (features, centers) = (noise.signed(&[n, d]), noise.signed(&[classes, d]));
        let inputs = vec![features, centers, Tensor::new([n], labels.to_vec()), noise.signed(&[1])];
        Case::new(format!("{n} {classes} {d}"), CenterLossBwd, inputs)
    };
    vec![
        case(1, 1, &[0.0]),
        case(5, 128, &[4.0, 0.0, 4.0]),
        case(7, 129, &(0..70).map(|i| (i * i % 7) as f32).collect::<Vec<_>>()),
        case(3, 4, &[0.0, 3.0, -1.0, 0.5]),
    ]
}

backend_test!(cases);
