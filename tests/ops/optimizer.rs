use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::{Optimizer, OptimizerKind};

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in OptimizerKind::ALL {
        for (p, decayed, average, finite) in
            [(1, 0, false, 1.0), (64, 64, true, 1.0), (1030, 700, true, 1.0), (65, 3, false, 1.0), (70, 9, true, 0.0)]
        {
            let mut noise = Noise::new(41);
            let op = Optimizer { kind, decayed, decay: 0.125, average };
            // Slots of squares are above zero.
            let rows = (0..op.rows()).map(|row| if row == 0 { (-1.0, 1.0) } else { (0.01, 1.0) });
            let state: Vec<f32> = rows.flat_map(|(from, to)| noise.tensor(&[p], from, to).into_data()).collect();
            let inputs = vec![
                Tensor::new([op.rows(), p], state),
                noise.tensor(&[p], -8.0, 8.0),
                Tensor::new([3], vec![0.0625, 0.25, 0.75]),
                Tensor::new([1], vec![finite]),
            ];
            cases.push(Case::new(format!("{kind:?} {p} {decayed} {average} {finite}"), op, inputs));
        }
    }
    cases
}

backend_test!(cases);
