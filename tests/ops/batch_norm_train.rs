use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::Graph;
use warpface::graph::NodeId;
use warpface::ops::{Activation, BatchMoments, BatchNormTrain, Op};

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
            cases.push(Case::new(format!("{activation:?} {scale} {dims:?}"), layer, inputs).constants(constants));
        }
    }
    cases
}

backend_test!(cases);

/// `x`, its moments, then the rest.
fn with_moments(graph: &mut Graph, given: &[NodeId]) -> Vec<NodeId> {
    let moments = graph.op("moments", BatchMoments, &given[..1]);
    [&given[..1], &[moments], &given[1..]].concat()
}

#[test]
fn gradient() {
    for activation in [Activation::None, Activation::Relu] {
        for dims in [&[4, 3, 2, 3][..], &[5, 1]] {
            let c = &dims[dims.len() - 1..];
            let op = BatchNormTrain { epsilon: 1e-3, activation, scale: true };
            Gradient::new(op, inputs(&[dims, c, c])).prepared(with_moments).check();
            let op = BatchNormTrain { epsilon: 1e-3, activation, scale: false };
            Gradient::new(op, inputs(&[dims, c])).prepared(with_moments).check();
        }
    }
}
