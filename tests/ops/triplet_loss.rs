use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, noise};
use warpface::ops::{Metric, TripletLoss};

fn cases() -> Vec<Case> {
    let case = |(n, d): (usize, usize)| {
        let mut noise = Noise::new(17);
        let inputs = (0..3).map(|_| noise.tensor(&[n, d], -0.1, 0.1)).collect();
        Case::new(format!("{n} {d}"), TripletLoss { margin: 0.02 }, inputs)
    };
    [(1, 1), (3, 128), (65, 7), (130, 16)].map(case).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    let (inputs, margin) = ((5..8).map(|seed| noise(seed, &[6, 4])).collect::<Vec<_>>(), 0.4);
    let row = |x: usize, i: usize| &inputs[x].data()[4 * i..][..4];
    let distance = |i: usize, x: usize| Metric::Euclidean.distance(row(0, i), row(x, i));
    let active = (0..6).filter(|&i| distance(i, 1) - distance(i, 2) + f64::from(margin) > 0.0).count();
    assert!((1..6).contains(&active), "{active}");
    Gradient::new(TripletLoss { margin }, inputs).check();
}
