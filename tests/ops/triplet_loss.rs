use crate::Case;
use crate::common::Noise;
use warpface::ops::TripletLoss;

fn cases() -> Vec<Case> {
    let case = |(n, d): (usize, usize)| {
        let mut noise = Noise::new(17);
        let inputs = (0..3).map(|_| noise.tensor(&[n, d], -0.1, 0.1)).collect();
        Case::new(format!("{n} {d}"), TripletLoss { margin: 0.02 }, inputs)
    };
    [(1, 1), (3, 128), (65, 7), (130, 16)].map(case).into()
}

backend_test!(cases);
