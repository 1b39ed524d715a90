//! Vectors of faces, row after row.

use crate::Tensor;

/// Embeddings: rows of one length, in the order of the crops.
///
/// ```
/// use warpface::face::Embeddings;
///
/// let embeddings = Embeddings::new(2, vec![1.0, 0.0, 0.6, 0.8]);
/// assert_eq!(embeddings.len(), 2);
/// assert_eq!(embeddings.row(1), [0.6, 0.8]);
/// assert_eq!(embeddings.rows().map(|row| row[0]).collect::<Vec<_>>(), [1.0, 0.6]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    dim: usize,
    values: Vec<f32>,
}

impl Embeddings {
    /// Rows of `dim` values each, one after the other.
    ///
    /// # Panics
    /// If the values make no whole number of rows: the caller's bug.
    pub fn new(dim: usize, values: Vec<f32>) -> Self {
        assert!(values.is_empty() || (dim > 0 && values.len().is_multiple_of(dim)), "rows of {dim} values");
        Embeddings { dim, values }
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        if self.values.is_empty() { 0 } else { self.values.len() / self.dim }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If `i` is out of range.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dim..][..self.dim]
    }

    /// The rows in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dim.max(1))
    }

    /// All values, `[n, dim]`.
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// All values, `[n, dim]`, without a copy.
    pub fn into_vec(self) -> Vec<f32> {
        self.values
    }

    /// Adds the rows of others of the same length.
    ///
    /// # Panics
    /// If both have rows, of different lengths: the caller's bug.
    pub fn append(&mut self, mut other: Embeddings) {
        assert!(self.is_empty() || other.is_empty() || self.dim == other.dim, "rows of {} and {}", self.dim, other.dim);
        if self.is_empty() {
            self.dim = other.dim;
        }
        self.values.append(&mut other.values);
    }
}

impl<'a> IntoIterator for &'a Embeddings {
    type Item = &'a [f32];
    type IntoIter = std::slice::ChunksExact<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows()
    }
}

impl From<Embeddings> for Tensor {
    fn from(embeddings: Embeddings) -> Tensor {
        Tensor::new([embeddings.len(), embeddings.dim], embeddings.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_joined_and_told_apart() {
        let mut all = Embeddings::default();
        assert_eq!((all.len(), all.rows().len(), all.is_empty()), (0, 0, true));
        all.append(Embeddings::new(3, vec![1.0, 2.0, 3.0]));
        all.append(Embeddings::new(3, vec![4.0, 5.0, 6.0]));
        assert_eq!((all.len(), all.dim(), all.row(1)), (2, 3, &[4.0, 5.0, 6.0][..]));
        assert_eq!((&all).into_iter().map(<[f32]>::len).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(Tensor::from(all).dims(), [2, 3]);
    }
}
