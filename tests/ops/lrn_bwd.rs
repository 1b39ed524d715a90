use crate::Case;
use crate::common::Noise;
use warpface::ops::LrnBwd;

fn cases() -> Vec<Case> {
    let layers = [
        LrnBwd { radius: 5, bias: 1.0, alpha: 1e-4, beta: 0.75 },
        LrnBwd { radius: 2, bias: 1.0, alpha: 2e-5, beta: 0.75 },
        LrnBwd { radius: 3, bias: 0.5, alpha: 0.8, beta: 0.6 },
        LrnBwd { radius: 0, bias: 2.0, alpha: 1.5, beta: 1.0 },
    ];
    let shapes: [&[usize]; 5] = [&[1, 1], &[2, 5, 3, 64], &[1, 7, 7, 192], &[9, 4], &[129]];
    let mut cases = Vec::new();
    for op in layers {
        for dims in shapes {
            let mut noise = Noise::new(62);
            let inputs = vec![noise.tensor(dims, -9.0, 9.0), noise.signed(dims)];
            cases.push(Case::new(format!("{op:?} {dims:?}"), op.clone(), inputs));
        }
    }
    cases
}

backend_test!(cases);
