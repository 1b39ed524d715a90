use crate::Case;
use crate::common::Noise;
use warpface::ops::Rerec;

fn cases() -> Vec<Case> {
    [1, 5, 130].map(|n| Case::new(format!("{n}"), Rerec, vec![Noise::new(12).tensor(&[n, 4], -50.0, 400.0)])).into()
}

backend_test!(cases);
