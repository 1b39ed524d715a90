use crate::Case;
use crate::common::Noise;
use warpface::ops::NormLossBwd;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(36);
    let mut case = |n: usize, d: usize, p: f32| {
        let mut x = noise.signed(&[n, d]);
        // Zero has no sign.
        x.data_mut()[n * d / 2] = 0.0;
        Case::new(format!("{n} {d} {p}"), NormLossBwd { p, epsilon: 1e-4 }, vec![x, noise.signed(&[1])])
    };
    vec![case(1, 1, 1.0), case(90, 128, 1.0), case(70, 7, 2.0), case(3, 129, 1.0), case(3, 65, 3.5)]
}

backend_test!(cases);
