use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, noise};
use warpface::ops::NormLoss;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(35);
    let mut case = |n: usize, d: usize, p: f32| {
        Case::new(format!("{n} {d} {p}"), NormLoss { p, epsilon: 1e-4 }, vec![noise.signed(&[n, d])])
    };
    vec![case(1, 1, 1.0), case(90, 128, 1.0), case(300, 7, 2.0), case(3, 129, 1.0), case(3, 65, 3.5), case(0, 4, 1.0)]
}

backend_test!(cases);

#[test]
fn gradient() {
    for p in [1.0, 2.0, 3.5] {
        Gradient::new(NormLoss { p, epsilon: 1e-4 }, vec![noise(12, &[3, 5])]).check();
    }
}
