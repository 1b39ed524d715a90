//! How far clusters agree with who people are.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;

use super::Clusters;

/// Pairs of faces that are in one cluster, and that are of one person. A face of no cluster is in none with any other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Of the pairs in one cluster, how many are of one person; NaN where there is none.
    pub precision: f64,
    /// Of the pairs of one person, how many are in one cluster; NaN where there is none.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

impl Agreement {
    /// Of clusters with who each row is.
    ///
    /// # Panics
    /// If there are not as many people as rows: the caller's bug.
    pub fn new<P: Eq + Hash>(clusters: &Clusters, people: &[P]) -> Agreement {
        assert_eq!(clusters.of.len(), people.len(), "a person for each row");
        let (mut both, mut clustered, mut of_person) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (cluster, person) in clusters.of.iter().zip(people) {
            *of_person.entry(person).or_insert(0u64) += 1;
            if let Some(cluster) = cluster {
                *both.entry((cluster, person)).or_insert(0u64) += 1;
                *clustered.entry(cluster).or_insert(0u64) += 1;
            }
        }
        let pairs = |counts: &mut dyn Iterator<Item = u64>| counts.map(|n| n * (n - 1) / 2).sum::<u64>() as f64;
        let right = pairs(&mut both.into_values());
        let (found, wanted) = (pairs(&mut clustered.into_values()), pairs(&mut of_person.into_values()));
        Agreement { precision: right / found, recall: right / wanted, f1: 2.0 * right / (found + wanted) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted() {
        let of = [Some(0), Some(0), Some(0), Some(1), Some(1), None];
        let clusters = Clusters { of: of.to_vec(), count: 2 };
        let agreement = Agreement::new(&clusters, &["a", "a", "b", "b", "b", "b"]);
        // Of four pairs in clusters two are right; of seven pairs of people two are found.
        assert_eq!((agreement.precision, agreement.recall), (0.5, 2.0 / 7.0));
        assert!((agreement.f1 - 4.0 / 11.0).abs() < 1e-15);
        let alone = Agreement::new(&Clusters { of: vec![None; 2], count: 0 }, &["a", "b"]);
        assert!(alone.precision.is_nan() && alone.recall.is_nan() && alone.f1.is_nan());
    }
}
