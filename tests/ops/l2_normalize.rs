use crate::Case;
use crate::common::Noise;
use warpface::ops::L2Normalize;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1, 1], &[5, 512], &[2, 3, 129], &[3]];
    let op = L2Normalize { epsilon: 1e-10 };
    let mut cases: Vec<Case> = shapes
        .into_iter()
        .map(|dims| Case::new(format!("{dims:?}"), op.clone(), vec![Noise::new(9).signed(dims)]))
        .collect();
    cases.push(Case::new("nearly zero", op, vec![Noise::new(9).tensor(&[4, 16], 0.0, 1e-7)]));
    cases
}

backend_test!(cases);
