use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::CenterUpdate;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(33);
    let mut case = |name: &str, classes: usize, d: usize, labels: &[f32]| {
        let n = labels.len();
        let finite = if name == "overflow" { 0.0 } else { 1.0 };
        let mut features = noise.signed(&[n, d]);
        if finite == 0.0 {
            features.data_mut()[0] = f32::NAN;
            features.data_mut()[d] = f32::NEG_INFINITY;
        }
        let inputs = vec![
            noise.signed(&[classes, d]),
            features,
            Tensor::new([n], labels.to_vec()),
            Tensor::new([1], vec![finite]),
        ];
        Case::new(format!("{name} {n} {classes} {d}"), CenterUpdate { alfa: 0.95 }, inputs)
    };
    vec![
        case("one", 1, 1, &[0.0]),
        case("no features", 2, 3, &[]),
        case("again", 5, 128, &[4.0, 0.0, 4.0, 4.0]),
        case("overflow", 5, 128, &[4.0, 0.0, 4.0, 4.0]),
        case("no classes", 3, 64, &[3.0, -1.0, 1.5, 1.0, f32::NAN]),
        case("many", 11, 300, &(0..90).map(|i| (i * i % 11) as f32).collect::<Vec<_>>()),
        case(
            "more than a block",
            4,
            5,
            &(0..300).map(|i| if i < 280 { 1.0 } else { (i % 4) as f32 }).collect::<Vec<_>>(),
        ),
    ]
}

backend_test!(cases);
