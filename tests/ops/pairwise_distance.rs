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
        cases.push(Case::new(format!("{metric} with itself"), PairwiseDistance { metric }, vec![same.clone(), same]));
    }
    cases
}

backend_test!(cases);
