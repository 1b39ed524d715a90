use crate::Case;
use crate::common::Noise;
use warpface::ops::{Triplet, TripletLossBwd};

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for wrt in [Triplet::Anchor, Triplet::Positive, Triplet::Negative] {
        for (n, d) in [(1, 1), (3, 128), (65, 7), (130, 16)] {
            let mut noise = Noise::new(28);
            let mut inputs: Vec<_> = (0..3).map(|_| noise.tensor(&[n, d], -0.1, 0.1)).collect();
            inputs.push(noise.signed(&[1]));
            cases.push(Case::new(format!("{wrt:?} {n} {d}"), TripletLossBwd { margin: 0.02, wrt }, inputs));
        }
    }
    cases
}

backend_test!(cases);
