use crate::Case;
use crate::common::Noise;
use warpface::ops::MovingAverage;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[3, 67], &[300]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(40);
        Case::new(format!("{dims:?}"), MovingAverage { decay: 0.995 }, vec![noise.signed(dims), noise.signed(dims)])
    };
    shapes.map(case).into()
}

backend_test!(cases);
