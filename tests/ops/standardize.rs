use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::Standardize;

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for op in [Standardize::Fixed, Standardize::Prewhiten, Standardize::Unit] {
        let shapes: [&[usize]; 4] = [&[1, 1], &[3, 5, 7, 3], &[2, 160, 160, 3], &[70, 2]];
        for dims in shapes {
            cases.push(Case::new(format!("{op:?} {dims:?}"), op, vec![Noise::new(10).bytes(dims)]));
        }
        cases.push(Case::new(format!("{op:?} of one grey"), op, vec![Tensor::new([1, 300], vec![77.0; 300])]));
    }
    cases
}

backend_test!(cases);
