//! The faces that a classifier knows.

use std::collections::HashSet;
use std::ops::Range;

use crate::face::Embeddings;
use crate::vectors::centre::mean;
use crate::{Error, Result};

/// Faces of people who are to be told apart: the rows of a person lie together, people in the order of their names.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownFaces {
    people: Vec<String>,
    /// Where each person's rows begin, and where the last ones end.
    starts: Vec<usize>,
    faces: Embeddings,
}

impl KnownFaces {
    /// Embeddings with the name of the person that each is of. The rows of a person stay in their order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for numbers of rows and names that differ, fewer than two people, an empty name, and values
    /// that are not finite.
    pub fn new(embeddings: &Embeddings, names: &[String]) -> Result<Self> {
        if embeddings.len() != names.len() {
            let problem = format!("{} for {} embeddings", names.len(), embeddings.len());
            return Err(Error::invalid("names of people", problem));
        }
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|&i| (&names[i], i));
        let (mut people, mut starts): (Vec<String>, Vec<usize>) = Default::default();
        let mut values = Vec::with_capacity(embeddings.as_slice().len());
        for (row, &i) in order.iter().enumerate() {
            if people.last() != Some(&names[i]) {
                people.push(names[i].clone());
                starts.push(row);
            }
            values.extend_from_slice(embeddings.row(i));
        }
        starts.push(order.len());
        Self::of_parts(people, starts, Embeddings::new(embeddings.dim(), values))
    }

    /// What [`Self::new`] made, or a file says it made: checked.
    pub(super) fn of_parts(people: Vec<String>, starts: Vec<usize>, faces: Embeddings) -> Result<Self> {
        let wrong = |problem: String| Err(Error::invalid("the known faces", problem));
        match people.as_slice() {
            [] => return wrong("there are none".to_owned()),
            [only] => {
                return wrong(format!(
                    "all are of one person, {only}: a classifier tells people apart, and needs two at least; whether two \
                     photographs show the same person is what `compare` tells"
                ));
            }
            _ => {}
        }
        if people.windows(2).any(|two| two[0] >= two[1]) || people[0].is_empty() {
            return wrong("names must be in order, each once, and none empty".to_owned());
        }
        let ends = starts.first() == Some(&0) && starts.last() == Some(&faces.len());
        if starts.len() != people.len() + 1 || !ends || starts.windows(2).any(|two| two[0] >= two[1]) {
            return wrong(format!("{} rows are not parted among {} people", faces.len(), people.len()));
        }
        let known = KnownFaces { people, starts, faces };
        match known.faces.rows().position(|row| row.iter().any(|x| !x.is_finite())) {
            Some(row) => wrong(format!(
                "an embedding of {} is no number: the weights, or the file of embeddings, are of no use",
                known.people[known.person_of(row)]
            )),
            None => Ok(known),
        }
    }

    /// Names, in order.
    pub fn people(&self) -> &[String] {
        &self.people
    }

    /// All faces, `[n, dim]`, person by person.
    pub fn faces(&self) -> &Embeddings {
        &self.faces
    }

    /// Where each person's rows begin, and where the last ones end.
    pub(super) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Which rows are a person's.
    ///
    /// # Panics
    /// If there is no such person.
    pub fn rows_of(&self, person: usize) -> Range<usize> {
        self.starts[person]..self.starts[person + 1]
    }

    /// Whose row it is.
    pub fn person_of(&self, row: usize) -> usize {
        self.starts.partition_point(|&start| start <= row) - 1
    }

    /// The mean of each person's faces, `[people, dim]`.
    pub(super) fn centres(&self) -> Vec<Vec<f64>> {
        (0..self.people.len()).map(|person| mean(self.rows_of(person).map(|row| self.faces.row(row)))).collect()
    }

    /// Which of some faces, with the names of their people, are known: equal to the bit to a row of the same person.
    ///
    /// # Errors
    /// [`Error::Invalid`] for numbers of rows and names that differ.
    pub fn holds(&self, faces: &Embeddings, names: &[String]) -> Result<Vec<bool>> {
        if faces.len() != names.len() {
            return Err(Error::invalid("names of people", format!("{} for {} embeddings", names.len(), faces.len())));
        }
        let bits = |row: &[f32]| -> Vec<u32> { row.iter().map(|x| x.to_bits()).collect() };
        let all = self.faces.rows().enumerate();
        let known: HashSet<(&str, Vec<u32>)> =
            all.map(|(row, values)| (self.people[self.person_of(row)].as_str(), bits(values))).collect();
        Ok(faces.rows().zip(names).map(|(row, name)| known.contains(&(name.as_str(), bits(row)))).collect())
    }

    /// Rows of different people that are equal, as pairs: the same face under two names.
    pub fn equal_rows(&self) -> Vec<(usize, usize)> {
        let bits = |row: usize| self.faces.row(row).iter().map(|x| x.to_bits());
        let mut order: Vec<usize> = (0..self.faces.len()).collect();
        order.sort_by(|&a, &b| bits(a).cmp(bits(b)).then(a.cmp(&b)));
        let equal = order.windows(2).map(|two| (two[0], two[1]));
        let equal = equal.filter(|&(a, b)| self.person_of(a) != self.person_of(b) && bits(a).eq(bits(b)));
        equal.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn rows_lie_person_by_person() {
        let rows = Embeddings::new(1, vec![3.0, 1.0, 4.0, 2.0, 3.0]);
        let known = KnownFaces::new(&rows, &names(&["bob", "ann", "bob", "ann", "cy"])).unwrap();
        assert_eq!(known.people(), ["ann", "bob", "cy"]);
        assert_eq!(known.faces().as_slice(), [1.0, 2.0, 3.0, 4.0, 3.0]);
        assert_eq!((known.rows_of(1), known.person_of(0), known.person_of(3)), (2..4, 0, 1));
        assert_eq!(known.centres(), [[1.5], [3.5], [3.0]]);
        assert_eq!(known.equal_rows(), [(2, 4)]);
        // Somebody else's equal face is none of the person's, and neither is one that is nearly equal.
        let tested = Embeddings::new(1, vec![3.0, 3.0, 3.0_f32.next_up(), 1.0, 1.0]);
        let of = names(&["bob", "ann", "bob", "ann", "zoe"]);
        assert_eq!(known.holds(&tested, &of).unwrap(), [true, false, false, true, false]);
        assert!(known.holds(&tested, &of[1..]).unwrap_err().to_string().contains("4 for 5"));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let rows = Embeddings::new(1, vec![1.0, f32::NAN]);
        let error = |rows: &Embeddings, of: &[&str]| KnownFaces::new(rows, &names(of)).unwrap_err().to_string();
        assert!(error(&rows, &["ann", "bob"]).contains("bob"));
        assert!(error(&rows, &["ann", "ann"]).contains("one person, ann"));
        assert!(error(&rows, &["ann"]).contains("1 for 2"));
        assert!(error(&rows, &["ann", ""]).contains("empty"));
        assert!(error(&Embeddings::default(), &[]).contains("none"));
    }
}
