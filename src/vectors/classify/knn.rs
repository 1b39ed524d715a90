//! The nearest known faces vote: scikit-learn's `KNeighborsClassifier(k, weights="distance")`.

use super::KnownFaces;
use crate::vectors::search::Hit;

/// How likely a face is each of the people by its nearest faces; the sum is 1. A face votes with one over its distance;
/// where some are at no distance at all, they alone vote.
pub(super) fn probabilities(known: &KnownFaces, nearest: &[Hit]) -> Vec<f64> {
    let here = nearest.iter().any(|hit| hit.distance == 0.0);
    let weight = |hit: &Hit| match here {
        true => f64::from(u8::from(hit.distance == 0.0)),
        false => 1.0 / f64::from(hit.distance).sqrt(),
    };
    let mut votes = vec![0.0; known.people().len()];
    nearest.iter().for_each(|hit| votes[known.person_of(hit.row)] += weight(hit));
    let sum: f64 = votes.iter().sum();
    votes.iter_mut().for_each(|vote| *vote /= sum);
    votes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Embeddings;

    #[test]
    fn the_nearer_weighs_more_and_the_same_face_all() {
        let names: Vec<String> = ["ann", "bob", "bob"].map(str::to_owned).into();
        let known = KnownFaces::new(&Embeddings::new(1, vec![0.0, 1.0, 2.0]), &names).unwrap();
        let hits =
            |hits: &[(usize, f32)]| -> Vec<Hit> { hits.iter().map(|&(row, distance)| Hit { row, distance }).collect() };
        // Distances 1, 2 and 4: weights 1, 1/2 and 1/4.
        let votes = probabilities(&known, &hits(&[(0, 1.0), (1, 4.0), (2, 16.0)]));
        assert_eq!(votes, [1.0 / 1.75, 0.75 / 1.75]);
        assert_eq!(probabilities(&known, &hits(&[(0, 0.0), (1, 0.0), (2, 0.25)])), [0.5, 0.5]);
        assert_eq!(probabilities(&known, &hits(&[(2, 0.0), (0, 0.01)])), [0.0, 1.0]);
    }
}
