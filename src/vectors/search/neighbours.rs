//! Neighbours among rows that lie in memory, or are mapped there.

use std::borrow::Cow;
use std::ops::Range;

use super::Hit;
use super::device::{OnDevice, RowSource};
use crate::backend::Device;
use crate::backend::cpu::Cpu;
use crate::backend::cpu::nearest::{self, Coded, Found, MAX_DIM, MAX_NORM, Rows, Segment, Values};
use crate::face::Embeddings;
use crate::ops::RowStorage;
use crate::{Error, Result};

/// Rows that queries are compared with.
///
/// On the CPU one query, or a few, are measured against every row, at the speed of memory. More of them meet all rows on
/// tiles of products, `|x|^2 + |y|^2 - 2 x.y`, and whatever a proven bound on the error does not rule out is measured again:
/// what is returned is always [`squared_distance`](super::squared_distance), and no row that is nearer is ever missed. There
/// is no matrix of distances; memory goes with the number of queries and hits. A GPU finds candidates, which the host
/// measures again, with the same bits: see [`DeviceRows`](super::DeviceRows).
pub struct Neighbours<'a> {
    device: &'a Device,
    host: Cpu,
    on_device: OnDevice,
    dim: usize,
    parts: Vec<Part<'a>>,
}

/// Rows that lie together.
pub(super) struct Part<'a> {
    /// Row after row.
    pub values: Values<'a>,
    /// Squared lengths.
    pub norms: Cow<'a, [f32]>,
    /// The rows' codes, where they have some.
    pub codes: Option<(&'a [u8], &'a [Coded])>,
}

impl<'a> Neighbours<'a> {
    /// Among the rows of `base`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a row with a value that is not finite, or whose squared length is beyond f32's numbers; for
    /// more than 2^32 rows, or 65,536 values in each.
    pub fn new(device: &'a Device, base: &'a Embeddings) -> Result<Self> {
        let host = device.host()?;
        let part = Part::new(&host, Values::F32(base.as_slice()), base.dim(), "row", 0)?;
        Neighbours::of(device, host, base.dim(), vec![part])
    }

    /// Among rows whose squared lengths are known and in range.
    pub(super) fn of(device: &'a Device, host: Cpu, dim: usize, parts: Vec<Part<'a>>) -> Result<Self> {
        let near = Neighbours { device, host, on_device: OnDevice::default(), dim, parts };
        if near.len() > u32::MAX as usize || dim > MAX_DIM {
            let problem = format!("{} of {dim} values: at most {} of {MAX_DIM} are searched", near.len(), u32::MAX);
            return Err(Error::invalid("rows", problem));
        }
        Ok(near)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.norms.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `k` nearest rows of each query, nearest first, of equally near ones the lower row first; all rows where there
    /// are fewer.
    ///
    /// # Errors
    /// [`Error::Invalid`] for queries of another length, or with a value that is not finite or too large.
    pub fn nearest(&self, queries: &Embeddings, k: usize) -> Result<Vec<Vec<Hit>>> {
        self.check(queries)?;
        if self.is_empty() {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        self.on_device.nearest(self.device, self, queries, k, |queries| Ok(self.nearest_here(queries, k)))
    }

    /// By the host.
    fn nearest_here(&self, queries: &Embeddings, k: usize) -> Vec<Vec<Hit>> {
        let found = nearest::nearest(&self.host, &self.rows(), queries.as_slice(), k);
        found.into_iter().map(|found| found.into_iter().map(Hit::from).collect()).collect()
    }

    /// Calls `visit` with each query's number, in order, and all rows at most `radius` away (a squared distance), in their
    /// order, by the host whatever the device. Where rows within the radius are many, queries are taken a few at a time: memory holds the hits of these.
    ///
    /// # Errors
    /// As [`nearest`](Self::nearest).
    pub fn within(&self, queries: &Embeddings, radius: f32, mut visit: impl FnMut(usize, &[Hit])) -> Result<()> {
        self.check(queries)?;
        if self.is_empty() {
            (0..queries.len()).for_each(|query| visit(query, &[]));
            return Ok(());
        }
        let mut hits = Vec::new();
        nearest::within(&self.host, &self.rows(), queries.as_slice(), radius, &mut |query, found| {
            hits.clear();
            hits.extend(found.iter().copied().map(Hit::from));
            visit(query, &hits);
        });
        Ok(())
    }

    fn rows(&self) -> Rows<'_> {
        let segments = self.parts.iter().map(Part::segment).collect();
        Rows { dim: self.dim, segments }
    }

    fn check(&self, queries: &Embeddings) -> Result<()> {
        if !queries.is_empty() && !self.is_empty() && queries.dim() != self.dim {
            let problem = format!("{} values each, and the rows have {}", queries.dim(), self.dim);
            return Err(Error::invalid("queries", problem));
        }
        Part::new(&self.host, Values::F32(queries.as_slice()), queries.dim(), "query", 0).map(drop)
    }
}

impl RowSource for Neighbours<'_> {
    fn rows(&self) -> usize {
        self.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn read(&self, rows: Range<usize>) -> Cow<'_, [f32]> {
        let (mut first, mut read) = (0, Vec::new());
        for part in &self.parts {
            let len = part.norms.len();
            let here = rows.start.clamp(first, first + len) - first..rows.end.clamp(first, first + len) - first;
            let values = here.start * self.dim..here.end * self.dim;
            first += len;
            match part.values {
                Values::F32(all) if here.len() == rows.len() => return Cow::Borrowed(&all[values]),
                Values::F32(all) => read.extend_from_slice(&all[values]),
                Values::F16(all) => read.extend(all[values].iter().map(|x| x.to_f32())),
            }
        }
        Cow::Owned(read)
    }

    fn storage(&self) -> RowStorage {
        let all = |is: fn(&Part) -> bool| self.parts.iter().filter(|part| !part.norms.is_empty()).all(is);
        match () {
            () if all(|part| matches!(part.values, Values::F16(_))) => RowStorage::F16,
            () if all(|part| part.codes.is_some()) => RowStorage::Int8,
            () => RowStorage::F32,
        }
    }
}

impl<'a> Part<'a> {
    /// Rows with their squared lengths, checked; `what` is what a row is, and `first` the first one's number.
    pub fn new(host: &Cpu, values: Values<'a>, dim: usize, what: &str, first: usize) -> Result<Self> {
        let norms = nearest::norms(host, values, dim);
        check_norms(values, &norms, dim, what, first)?;
        Ok(Part { values, norms: Cow::Owned(norms), codes: None })
    }
}

impl Part<'_> {
    fn segment(&self) -> Segment<'_> {
        Segment { values: self.values, norms: &self.norms, codes: self.codes }
    }
}

/// Refuses rows that have no distance, by their number.
pub(super) fn check_norms(values: Values, norms: &[f32], dim: usize, what: &str, first: usize) -> Result<()> {
    // Negated, so that NaN is found.
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    let Some(bad) = norms.iter().position(|&norm| !(norm <= MAX_NORM)) else { return Ok(()) };
    let range = bad * dim..(bad + 1) * dim;
    let finite = match values {
        Values::F32(values) => values[range].iter().all(|x| x.is_finite()),
        Values::F16(values) => values[range].iter().all(|x| x.is_finite()),
    };
    let problem = match finite {
        false => "has a value that is not finite".to_owned(),
        true => format!("its squared length is beyond {MAX_NORM:.1e}, what f32 can compare; scale all rows down"),
    };
    Err(Error::invalid(format!("{what} {}", first + bad), problem))
}

impl From<Found> for Hit {
    fn from(found: Found) -> Self {
        Hit { row: found.row(), distance: found.distance() }
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
