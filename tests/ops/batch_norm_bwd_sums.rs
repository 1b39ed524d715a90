use crate::Case;
use crate::common::Noise;
use warpface::ops::{Activation, BatchMoments, BatchNormBwdSums, BatchNormTrain, Op};

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dims in [&[2, 1][..], &[5, 33], &[7, 64], &[2, 17, 19, 5], &[301, 70], &[2, 5, 3, 12]] {
        for (activation, scale) in [(Activation::None, true), (Activation::Relu, false), (Activation::Relu, true)] {
            let (mut noise, c) = (Noise::new(44), dims[dims.len() - 1]);
            let x = noise.signed(dims);
            let moments = Op::from(BatchMoments).reference::<f32>(&[&x]);
            let mut inputs = vec![x, moments, noise.signed(&[c])];
            if scale {
                inputs.push(noise.signed(&[c]));
            }
            let layer = BatchNormTrain { epsilon: 1e-3, activation, scale };
            let constants = 1..inputs.len();
            inputs.push(noise.signed(dims));
            cases.push(
                Case::new(format!("{activation:?} {scale} {dims:?}"), BatchNormBwdSums(layer), inputs)
                    .constants(constants),
            );
        }
    }
    cases
}

backend_test!(cases);
