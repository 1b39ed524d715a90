//! Neighbours among rows that are in memory.

use super::device::OnDevice;
use super::{Hit, squared_distance};
use crate::backend::Device;
use crate::face::Embeddings;
use crate::{Error, Result};

/// Rows that queries are compared with.
pub struct Neighbours<'a> {
    device: &'a Device,
    base: &'a Embeddings,
    on_device: OnDevice,
}

impl<'a> Neighbours<'a> {
    /// Among the rows of `base`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a row with a value that is not finite.
    pub fn new(device: &'a Device, base: &'a Embeddings) -> Result<Self> {
        finite(base, "row")?;
        Ok(Neighbours { device, base, on_device: OnDevice::default() })
    }

    /// The `k` nearest rows of each query, nearest first, of equally near ones the lower row first; all rows where there
    /// are fewer.
    ///
    /// # Errors
    /// [`Error::Invalid`] for queries of another length, or with a value that is not finite.
    pub fn nearest(&self, queries: &Embeddings, k: usize) -> Result<Vec<Vec<Hit>>> {
        self.check(queries)?;
        self.on_device.nearest(self.device, self.base, queries, k, |queries| self.nearest_here(queries, k))
    }

    fn nearest_here(&self, queries: &Embeddings, k: usize) -> Result<Vec<Vec<Hit>>> {
        let mut found = Vec::with_capacity(queries.len());
        self.scan(queries, |hits| {
            hits.sort_unstable_by(Hit::order);
            hits.truncate(k);
            found.push(hits.clone());
        })?;
        Ok(found)
    }

    /// Calls `visit` with each query's number, in order, and all rows at most `radius` away (a squared distance), in their
    /// order. The host does this, whatever the device.
    ///
    /// # Errors
    /// As [`nearest`](Self::nearest).
    pub fn within(&self, queries: &Embeddings, radius: f32, mut visit: impl FnMut(usize, &[Hit])) -> Result<()> {
        self.check(queries)?;
        let mut query = 0;
        self.scan(queries, |hits| {
            hits.retain(|hit| hit.distance <= radius);
            visit(query, hits);
            query += 1;
        })
    }

    /// All rows with their distances, query by query.
    fn scan(&self, queries: &Embeddings, mut visit: impl FnMut(&mut Vec<Hit>)) -> Result<()> {
        for query in queries {
            let distance = |(row, y)| Hit { row, distance: squared_distance(query, y) };
            let mut hits = self.device.install(|| self.base.rows().enumerate().map(distance).collect());
            visit(&mut hits);
        }
        Ok(())
    }

    /// Refuses queries that cannot be compared.
    fn check(&self, queries: &Embeddings) -> Result<()> {
        if !queries.is_empty() && !self.base.is_empty() && queries.dim() != self.base.dim() {
            let problem = format!("{} values each, and the rows have {}", queries.dim(), self.base.dim());
            return Err(Error::invalid("queries", problem));
        }
        finite(queries, "query")
    }
}

/// Refuses values that are not finite; `what` is what a row is.
fn finite(rows: &Embeddings, what: &str) -> Result<()> {
    match rows.rows().position(|row| row.iter().any(|x| !x.is_finite())) {
        Some(row) => Err(Error::invalid(format!("{what} {row}"), "has a value that is not finite")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_row_and_few_rows_are_all_found() {
        let device = Device::cpu(1).unwrap();
        let base = Embeddings::new(1, vec![1.0, -1.0, 1.0, 3.0]);
        let near = Neighbours::new(&device, &base).unwrap();
        let hits = near.nearest(&Embeddings::new(1, vec![0.0, 1.0]), 9).unwrap();
        let rows = |hits: &[Hit]| hits.iter().map(|hit| hit.row).collect::<Vec<_>>();
        assert_eq!((rows(&hits[0]), rows(&hits[1])), (vec![0, 1, 2, 3], vec![0, 2, 1, 3]));
        let mut seen = Vec::new();
        near.within(&Embeddings::new(1, vec![0.0]), 1.0, |query, hits| seen.push((query, rows(hits)))).unwrap();
        assert_eq!(seen, [(0, vec![0, 1, 2])]);
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let device = Device::cpu(1).unwrap();
        let bad = Embeddings::new(1, vec![1.0, f32::NAN]);
        assert!(Neighbours::new(&device, &bad).err().unwrap().to_string().contains("row 1"));
        let base = Embeddings::new(1, vec![1.0]);
        let near = Neighbours::new(&device, &base).unwrap();
        assert!(near.nearest(&bad, 1).unwrap_err().to_string().contains("query 1"));
        let wide = near.nearest(&Embeddings::new(2, vec![1.0, 2.0]), 1).unwrap_err().to_string();
        assert!(wide.contains("2 values each"), "{wide}");
    }
}
