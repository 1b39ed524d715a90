use crate::Case;
use crate::common::Noise;
use warpface::ops::L2NormalizeBwd;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1, 1], &[9, 512], &[2, 3, 129], &[3]];
    let mut noise = Noise::new(21);
    let mut cases: Vec<Case> = shapes
        .into_iter()
        .map(|dims| {
            let inputs = vec![noise.signed(dims), noise.signed(dims)];
            Case::new(format!("{dims:?}"), L2NormalizeBwd { epsilon: 1e-10 }, inputs)
        })
        .collect();
    // Rows on both sides of what they are divided by at least.
    let x = noise.tensor(&[40, 16], -0.5, 0.5);
    let short = x.data().chunks(16).filter(|row| row.iter().map(|x| x * x).sum::<f32>() < 1.3).count();
    assert!((5..35).contains(&short), "{short}");
    cases.push(Case::new("short rows", L2NormalizeBwd { epsilon: 1.3 }, vec![x, noise.signed(&[40, 16])]));
    cases
}

backend_test!(cases);
