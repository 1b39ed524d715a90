use crate::Case;
use crate::common::Noise;
use warpface::ops::BoxRegression;

fn cases() -> Vec<Case> {
    let case = |(n, inclusive): (usize, bool)| {
        let mut noise = Noise::new(11);
        let inputs = vec![noise.tensor(&[n, 4], -20.0, 300.0), noise.signed(&[n, 4])];
        Case::new(format!("{n} inclusive {inclusive}"), BoxRegression { inclusive }, inputs)
    };
    [(1, false), (67, true), (5, false)].map(case).into()
}

backend_test!(cases);
