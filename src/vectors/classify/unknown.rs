//! The distance from which on a face is unknown.
//!
//! A face is as far from the known people as from the nearest of their centres (squared Euclidean). Every person in turn is
//! taken for a stranger: how far their faces are from all others tells which distance lets how many strangers in. No other
//! person's centre depends on them, so nothing has to be trained again.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::KnownFaces;
use crate::Result;
use crate::backend::Device;
use crate::error::{Error, Field};
use crate::vectors::centre::{left_out, squared_distance};

/// A threshold, and what it was measured to do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unknown {
    /// A face farther than this from every known person is unknown.
    pub threshold: f64,
    /// The share of strangers' faces that may be taken for somebody known.
    pub false_accept_rate: f64,
    /// How many faces of people held out were measured.
    pub held_out: usize,
    /// How many of them were taken for somebody.
    pub accepted: usize,
    /// The share of known faces that would be taken for unknown, each measured with its person's other faces; none where
    /// nobody has two.
    pub refused: Option<f64>,
}

impl Unknown {
    /// The largest threshold that takes no larger share of held-out people's faces for somebody.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a rate that is no share.
    pub(super) fn measure(device: &Device, known: &KnownFaces, centres: &[Vec<f64>], rate: f64) -> Result<Unknown> {
        if !(0.0..1.0).contains(&rate) {
            let problem = format!("{rate} is no share of strangers, from 0 to below 1");
            return Err(Error::invalid(Field("false_accept_rate"), problem));
        }
        let measured: Vec<(f64, Option<f64>)> = device
            .install(|| (0..known.faces().len()).into_par_iter().map(|row| held_out(known, centres, row)).collect());
        let mut strangers: Vec<f64> = measured.iter().map(|two| two.0).collect();
        strangers.sort_by(f64::total_cmp);
        let allowed = (rate * strangers.len() as f64).floor() as usize;
        // As many as are allowed lie below; the next one does not.
        let threshold = strangers[allowed.min(strangers.len() - 1)].next_down().max(0.0);
        let own: Vec<f64> = measured.iter().filter_map(|two| two.1).collect();
        let refused = own.iter().filter(|&&distance| distance > threshold).count() as f64;
        Ok(Unknown {
            threshold,
            false_accept_rate: rate,
            held_out: strangers.len(),
            accepted: strangers.partition_point(|&distance| distance <= threshold),
            refused: (!own.is_empty()).then(|| refused / own.len() as f64),
        })
    }
}

/// How far a face is from all other people, and from all people by its person's other faces, where there are any.
fn held_out(known: &KnownFaces, centres: &[Vec<f64>], row: usize) -> (f64, Option<f64>) {
    let (face, person) = (known.faces().row(row), known.person_of(row));
    let others = centres.iter().enumerate().filter(|&(other, _)| other != person);
    let others = others.map(|(_, centre)| squared_distance(face, centre)).fold(f64::INFINITY, f64::min);
    let count = known.rows_of(person).len() as f64;
    let own = (count > 1.0).then(|| squared_distance(face, &centres[person]) * left_out(count).powi(2));
    (others, own.map(|own| own.min(others)))
}

/// The nearest of some centres, and how far it is; the first of equals.
pub(super) fn nearest(face: &[f32], centres: &[Vec<f64>]) -> (usize, f64) {
    let distances = centres.iter().map(|centre| squared_distance(face, centre)).enumerate();
    distances.reduce(|best, next| if next.1 < best.1 { next } else { best }).unwrap_or((0, f64::INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Embeddings;

    #[test]
    fn the_threshold_lets_as_many_in_as_it_may() {
        let names: Vec<String> = ["ann", "ann", "bob", "bob"].map(str::to_owned).into();
        let known = KnownFaces::new(&Embeddings::new(1, vec![0.0, 2.0, 5.0, 9.0]), &names).unwrap();
        let centres = known.centres();
        let device = Device::cpu(1).unwrap();
        let measure = |rate| Unknown::measure(&device, &known, &centres, rate).unwrap();
        // Ann's faces are 49 and 25 from Bob's centre, Bob's 16 and 64 from Ann's.
        let strict = measure(0.0);
        assert_eq!((strict.threshold, strict.held_out, strict.accepted), (16f64.next_down(), 4, 0));
        // Ann's are 4 from each other; Bob's 16, and one is 16 from Ann's centre, too.
        assert_eq!(strict.refused, Some(0.5));
        let half = measure(0.5);
        assert_eq!((half.threshold, half.accepted), (49f64.next_down(), 2));
        assert_eq!(half.refused, Some(0.0));
        assert!(Unknown::measure(&device, &known, &centres, 1.0).unwrap_err().to_string().contains("1 is no share"));
        assert_eq!(nearest(&[4.0], &centres), (0, 9.0));
    }
}
