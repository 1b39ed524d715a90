//! Which faces are not like the others of their person: outliers, and those that lie nearer to somebody else
//! (davidsandberg/facenet's `calculate_filtering_metrics.py`, and more).
//!
//! ```
//! use warpface::Device;
//! use warpface::face::Embeddings;
//! use warpface::vectors::filter::{self, Verdict};
//!
//! let faces = Embeddings::new(1, vec![0.0, 0.1, 0.2, 5.1, 5.0, 5.2]);
//! let names = ["Ann", "Ann", "Ann", "Ann", "Bob", "Bob"].map(String::from);
//! let found = filter::measure(&Device::cpu(1)?, &faces, &names, None)?;
//! assert_eq!(found.faces[3].verdict, Verdict::Mislabelled);
//! assert_eq!(found.people[found.faces[3].nearest_other.unwrap()], "Bob");
//! # Ok::<(), warpface::Error>(())
//! ```

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::centre::{left_out, mean, squared_distance};
use super::search::Neighbours;
use crate::backend::Device;
use crate::error::Field;
use crate::face::Embeddings;
use crate::{Error, Result};

/// What is thought of a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is like the others of its person.
    Fine,
    /// It is farther from its person's other faces than nearly all faces are from theirs.
    Outlier,
    /// It is nearer to somebody else than to its person's other faces.
    Mislabelled,
    /// It is its person's only face: nothing can be said of it.
    Unknown,
}

/// A face beside the centres of people, which are the means of their faces. Distances are Euclidean, not squared, as the
/// original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Whose face it is said to be.
    pub person: usize,
    /// How far it is from its person's centre: what the original writes.
    pub to_centre: f64,
    /// How far it is from the centre of its person's other faces; none of a person's only face.
    pub to_own: Option<f64>,
    /// Who else is nearest; nobody where all are of one person.
    pub nearest_other: Option<usize>,
    /// How far that person's centre is; infinite where there is nobody.
    pub to_other: f64,
    /// What is thought of it.
    pub verdict: Verdict,
}

/// Faces that were measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Names, in order.
    pub people: Vec<String>,
    /// The faces, in the order in which they came.
    pub faces: Vec<Measured>,
    /// Farther than this from its person's other faces is an outlier.
    pub outlier_distance: f64,
}

/// Measures faces with the names of their people. Outliers begin at `outlier_distance`, or where Tukey's upper fence
/// is: the third quartile of all faces' distances to their people's other faces, and one and a half times the distance of the
/// first quartile from the third.
///
/// # Errors
/// [`Error::Invalid`] for numbers of rows and names that differ, values that are not finite, and a distance that is none.
pub fn measure(
    device: &Device,
    embeddings: &Embeddings,
    names: &[String],
    outlier_distance: Option<f64>,
) -> Result<Found> {
    if embeddings.len() != names.len() {
        let problem = format!("{} for {} embeddings", names.len(), embeddings.len());
        return Err(Error::invalid("names of people", problem));
    }
    if let Some(bad) = outlier_distance.filter(|distance| !(distance.is_finite() && *distance >= 0.0)) {
        return Err(Error::invalid(Field("outlier_distance"), format!("{bad} is no distance, from 0")));
    }
    let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    names.iter().enumerate().for_each(|(row, name)| rows.entry(name).or_default().push(row));
    let people: Vec<String> = rows.keys().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<usize>> = rows.into_values().collect();
    let centres: Vec<Vec<f64>> = rows.iter().map(|rows| mean(rows.iter().map(|&row| embeddings.row(row)))).collect();
    let mut person_of = vec![0; names.len()];
    for (person, rows) in rows.iter().enumerate() {
        rows.iter().for_each(|&row| person_of[row] = person);
    }
    // The device finds who is near; how near is measured in f64.
    let narrow = centres.iter().flatten().map(|&x| x as f32).collect();
    let narrow = Embeddings::new(embeddings.dim(), narrow);
    let near = Neighbours::new(device, &narrow)?.nearest(embeddings, 2)?;
    let one = |row: usize| {
        let (face, person) = (embeddings.row(row), person_of[row]);
        let distance = |person: usize| squared_distance(face, &centres[person]).sqrt();
        let other = near[row].iter().map(|hit| hit.row).find(|&other| other != person);
        let (to_centre, count) = (distance(person), rows[person].len() as f64);
        Measured {
            person,
            to_centre,
            to_own: (count > 1.0).then(|| to_centre * left_out(count)),
            nearest_other: other,
            to_other: other.map_or(f64::INFINITY, distance),
            verdict: Verdict::Fine,
        }
    };
    let mut faces: Vec<Measured> = device.install(|| (0..names.len()).into_par_iter().map(one).collect());
    let outlier_distance = outlier_distance.unwrap_or_else(|| fence(faces.iter().filter_map(|face| face.to_own)));
    for face in &mut faces {
        face.verdict = match face.to_own {
            Some(own) if face.to_other < own => Verdict::Mislabelled,
            Some(own) if own > outlier_distance => Verdict::Outlier,
            Some(_) => Verdict::Fine,
            None => Verdict::Unknown,
        };
    }
    Ok(Found { people, faces, outlier_distance })
}

impl Found {
    /// The faces person by person, the least like the others of its person first, of equals the first.
    pub fn ranked(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.faces.len()).collect();
        let own = |row: usize| self.faces[row].to_own.unwrap_or(0.0);
        order.sort_by(|&a, &b| {
            self.faces[a].person.cmp(&self.faces[b].person).then(own(b).total_cmp(&own(a))).then(a.cmp(&b))
        });
        order
    }
}

/// Tukey's upper fence; infinite of no distances.
fn fence(distances: impl Iterator<Item = f64>) -> f64 {
    let mut distances: Vec<f64> = distances.collect();
    distances.sort_by(f64::total_cmp);
    let Some(last) = distances.len().checked_sub(1) else { return f64::INFINITY };
    let quartile = |share: f64| {
        let at = share * last as f64;
        let (low, rest) = (at.floor() as usize, at.fract());
        distances[low] + rest * (distances[(low + 1).min(last)] - distances[low])
    };
    let (first, third) = (quartile(0.25), quartile(0.75));
    third + 1.5 * (third - first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(values: &[f32], names: &[&str], distance: Option<f64>) -> Result<Found> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        measure(&Device::cpu(1).unwrap(), &Embeddings::new(1, values.to_vec()), &names, distance)
    }

    #[test]
    fn a_face_is_held_against_the_others_and_not_itself() {
        let found = measured(&[9.0, 0.0, 1.0, 8.0, 3.5], &["b", "a", "a", "a", "c"], None).unwrap();
        assert_eq!(found.people, ["a", "b", "c"]);
        // The centre of a is 3; of its others for the 8 it is 0.5.
        let eight = found.faces[3];
        assert_eq!(
            (eight.to_centre, eight.to_own, eight.nearest_other, eight.to_other),
            (5.0, Some(7.5), Some(1), 1.0)
        );
        assert_eq!(eight.verdict, Verdict::Mislabelled);
        assert_eq!((found.faces[0].to_own, found.faces[0].verdict), (None, Verdict::Unknown));
        assert_eq!(found.ranked(), [3, 1, 2, 0, 4]);
    }

    #[test]
    fn outliers_lie_beyond_the_fence_or_what_is_asked_for() {
        let names = ["a"; 9];
        let values = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 9.0];
        let verdicts = |distance| -> Vec<Verdict> {
            measured(&values, &names, distance).unwrap().faces.iter().map(|face| face.verdict).collect()
        };
        let outliers = |verdicts: &[Verdict]| verdicts.iter().filter(|&&verdict| verdict == Verdict::Outlier).count();
        assert_eq!((outliers(&verdicts(None)), verdicts(None)[8]), (1, Verdict::Outlier));
        assert_eq!(outliers(&verdicts(Some(0.0))), 9);
        assert_eq!(outliers(&verdicts(Some(99.0))), 0);
        assert!(measured(&values, &names, Some(f64::NAN)).unwrap_err().to_string().contains("outlier_distance"));
        assert!((fence([1.0, 2.0, 3.0, 4.0, 5.0].into_iter()) - 7.0).abs() < 1e-12);
    }

    #[test]
    fn equal_faces_are_fine_and_of_lonely_ones_nothing_is_said() {
        let all = |found: Result<Found>, verdict| found.unwrap().faces.iter().all(|face| face.verdict == verdict);
        assert!(all(measured(&[1.0; 4], &["a", "a", "b", "b"], None), Verdict::Fine));
        assert!(all(measured(&[1.0, 2.0], &["a", "b"], Some(0.0)), Verdict::Unknown));
        let one = measured(&[1.0, 2.0], &["a", "a"], None).unwrap().faces[0];
        assert_eq!((one.nearest_other, one.to_other), (None, f64::INFINITY));
        assert!(measured(&[], &[], None).unwrap().faces.is_empty());
        assert!(measured(&[1.0], &[], None).is_err());
        assert!(measured(&[f32::NAN], &["a"], None).is_err());
    }
}
