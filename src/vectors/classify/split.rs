//! Photographs to train on, and others to test with: `split_dataset` of the original's `classifier.py`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Field;
use crate::random::{Stream, purpose};
use crate::{Error, Result};

/// How the photographs of each person are parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// People with fewer photographs are left out.
    pub min_images: usize,
    /// So many of each person's are trained on, drawn by the seed.
    pub train_images: usize,
    /// What they are drawn by.
    pub seed: u64,
}

/// The places of photographs, each in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// To train on.
    pub train: Vec<usize>,
    /// To test with.
    pub test: Vec<usize>,
    /// People with too few photographs, and how many they have.
    pub left_out: Vec<(String, usize)>,
}

impl Split {
    /// Parts photographs, which are given by the names of their people. A person's part depends on the seed, on the number
    /// of the person's photographs and on the place of the name among all names.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a split that trains on nothing, and for one that leaves nobody.
    pub fn parts(&self, names: &[String]) -> Result<Parts> {
        if self.train_images == 0 {
            return Err(Error::invalid(Field("train_images_per_class"), "0 photographs of each person train nothing"));
        }
        let mut people: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        names.iter().enumerate().for_each(|(i, name)| people.entry(name).or_default().push(i));
        let mut parts = Parts::default();
        for (place, (name, mut photographs)) in people.into_iter().enumerate() {
            if photographs.len() < self.min_images {
                parts.left_out.push((name.to_owned(), photographs.len()));
                continue;
            }
            Stream::new(self.seed, purpose::SPLIT, place as u64).shuffle(&mut photographs);
            let test = photographs.split_off(self.train_images.min(photographs.len()));
            parts.train.extend(photographs);
            parts.test.extend(test);
        }
        if parts.train.is_empty() {
            let problem = format!("nobody has {} photographs", self.min_images);
            return Err(Error::invalid(Field("min_images_per_class"), problem));
        }
        parts.train.sort_unstable();
        parts.test.sort_unstable();
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_person_is_parted_alike() {
        let names: Vec<String> = "aaaaaabbbcccccccc".chars().map(String::from).collect();
        let split = Split { min_images: 4, train_images: 3, seed: 5 };
        let parts = split.parts(&names).unwrap();
        assert_eq!(parts.left_out, [("b".to_owned(), 3)]);
        let of = |rows: &[usize], name: &str| rows.iter().filter(|&&i| names[i] == name).count();
        assert_eq!(
            [of(&parts.train, "a"), of(&parts.train, "c"), of(&parts.test, "a"), of(&parts.test, "c")],
            [3, 3, 3, 5]
        );
        let mut all = [&parts.train[..], &parts.test].concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(split.parts(&names).unwrap(), parts);
        assert_ne!(Split { seed: 6, ..split }.parts(&names).unwrap(), parts);
        // The original trains on all that a person has, and tests with nothing of theirs.
        assert!(Split { min_images: 1, train_images: 9, seed: 5 }.parts(&names).unwrap().test.is_empty());
        assert!(Split { min_images: 9, ..split }.parts(&names).unwrap_err().to_string().contains("nobody has 9"));
        assert!(Split { train_images: 0, ..split }.parts(&names).is_err());
    }
}
