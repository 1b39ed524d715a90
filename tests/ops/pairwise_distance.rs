use crate::Case;
use crate::common::Noise;
use warpface::ops::{Metric, PairwiseDistance};

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for metric in [Metric::Euclidean, Metric::Cosine] {
        for (n, m, d) in [(1, 1, 1), (3, 5, 512), (33, 2, 129), (1, 70, 7)] {
            let mut noise = Noise::new(15);
            let inputs = vec![noise.signed(&[n, d]), noise.signed(&[m, d])];
            cases.push(Case::new(format!("{metric} {n} {m} {d}"), PairwiseDistance { metric }, inputs).constants(1..2));
        }
        let same = Noise::new(16).signed(&[4, 64]);
        let case = Case::new(format!("{metric} with itself"), PairwiseDistance { metric }, vec![same.clone(), same]);
        // Near a similarity of 1 the arc cosine makes 1.6e-4 of its last bit.
        cases.push(if metric == Metric::Cosine { case.atol(2e-4) } else { case });
    }
    cases
}

backend_test!(cases);
