//! Neighbours by a GPU: its kernel finds candidates, the host measures them again.
//!
//! Rows are uploaded once, in blocks that the device can bind, and stay there. For each query the kernel
//! ([`NearestRows`]) gives every block's nearest rows by its own sums; the host measures these as everything is measured
//! ([`squared_distance`]) and keeps the nearest. What the kernel did not give is farther by the kernel's sums than the last
//! it gave. Both sums are `sum (x - y)^2` of rounded terms, so that each is known to a part of itself, and rows that are
//! stored in less than f32 are known to the distance that rounding moved them: where the last given less this bound is not
//! beyond the k-th measured, as among many equal rows, the query is unproved, and is the host's.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::{Hit, squared_distance};
use crate::backend::{Device, Executable, Module};
use crate::face::Embeddings;
use crate::graph::Constant;
use crate::ops::{NearestRows, RowStorage};
use crate::{Error, Graph, Result, Tensor};

/// Bytes of a block, where the device would bind more: so much is in the host's memory at a time.
const BLOCK_BYTES: u64 = 256 << 20;

/// The most rows of a block: what an f32 counts.
const BLOCK_ROWS: u64 = 1 << 24;

/// Queries of a run.
const QUERIES: usize = 256;

/// Candidates beyond the k that are asked for, at the least.
const SLACK: usize = 6;

/// Rows that are read by their numbers.
pub trait RowSource: Sync {
    /// How many there are.
    fn rows(&self) -> usize;

    /// Values of a row.
    fn dim(&self) -> usize;

    /// Neighbouring rows, one after the other.
    fn read(&self, rows: Range<usize>) -> Cow<'_, [f32]>;

    /// How a device best keeps them.
    fn storage(&self) -> RowStorage {
        RowStorage::F32
    }
}

impl RowSource for Embeddings {
    fn rows(&self) -> usize {
        self.len()
    }

    fn dim(&self) -> usize {
        Embeddings::dim(self)
    }

    fn read(&self, rows: Range<usize>) -> Cow<'_, [f32]> {
        Cow::Borrowed(&self.as_slice()[rows.start * self.dim()..rows.end * self.dim()])
    }
}

/// Rows in a device's memory.
///
/// ```
/// use warpface::Device;
/// use warpface::face::Embeddings;
/// use warpface::ops::RowStorage;
/// use warpface::vectors::search::DeviceRows;
///
/// let rows = Embeddings::new(1, (0..100).map(|x| x as f32).collect());
/// let on_device = DeviceRows::upload(&Device::cpu(1)?, &rows, RowStorage::Int8, 3)?;
/// let found = on_device.nearest(&rows, &Embeddings::new(1, vec![40.25]), 3)?;
/// let hits = found[0].as_ref().expect("no row beyond the candidates can be as near");
/// assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [40, 41, 39]);
/// # Ok::<(), warpface::Error>(())
/// ```
pub struct DeviceRows {
    blocks: Vec<Block>,
    /// Candidates that a block gives for each query.
    candidates: usize,
    dim: usize,
    device: Device,
    /// The blocks, planned for a number of queries.
    planned: Mutex<Option<(usize, Plans)>>,
}

/// A plan of each block.
type Plans = Arc<Vec<Box<dyn Executable>>>;

struct Block {
    module: Arc<dyn Module>,
    rows: Range<usize>,
    /// By how much storing moved a row, at the most.
    moved: f64,
}

/// What a block gave for a query.
struct Given {
    hits: Vec<Hit>,
    /// Below every measured distance of what it did not give.
    beyond: f64,
}

impl DeviceRows {
    /// Uploads rows, stored as `storage` says, for searches of up to `k` neighbours.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a `k` above [`DeviceRows::MOST`] or rows without values; the device's.
    pub fn upload(device: &Device, from: &dyn RowSource, storage: RowStorage, k: usize) -> Result<DeviceRows> {
        let most = device.backend().most_bytes().unwrap_or(u64::MAX).min(BLOCK_BYTES);
        DeviceRows::upload_blocks(device, from, storage, k, most)
    }

    /// The most neighbours that a device is asked for.
    pub const MOST: usize = NearestRows::MOST - 1;

    fn upload_blocks(
        device: &Device,
        from: &dyn RowSource,
        storage: RowStorage,
        k: usize,
        bytes: u64,
    ) -> Result<DeviceRows> {
        let dim = from.dim();
        if k > DeviceRows::MOST || dim == 0 {
            let problem = format!("{k} neighbours of {dim} values: a device gives 1 to {}", DeviceRows::MOST);
            return Err(Error::invalid("neighbours", problem));
        }
        // Rounded rows are known less well: more of them may be the nearest.
        let candidates = match storage {
            RowStorage::F32 => (k + SLACK).next_multiple_of(16).min(NearestRows::MOST),
            RowStorage::F16 | RowStorage::Int8 => NearestRows::MOST,
        };
        let rows = (bytes / (4 * dim as u64)).clamp(1, BLOCK_ROWS) as usize;
        let block = |start: usize| {
            let range = start..(start + rows).min(from.rows());
            Block::upload(device, from.read(range.clone()), range, dim, (storage, candidates))
        };
        let blocks = (0..from.rows()).step_by(rows).map(block).collect::<Result<_>>()?;
        Ok(DeviceRows { blocks, candidates, dim, device: device.clone(), planned: Mutex::new(None) })
    }

    /// Of each query the `k` nearest rows of `from`, the rows that were uploaded, nearest first, of equally near ones the
    /// lower row first; nothing where it is unproved that these are they.
    ///
    /// # Errors
    /// [`Error::Invalid`] for queries of another length; the device's.
    pub fn nearest(&self, from: &dyn RowSource, queries: &Embeddings, k: usize) -> Result<Vec<Option<Vec<Hit>>>> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        if queries.dim() != self.dim {
            let problem = format!("{} values each, and the rows have {}", queries.dim(), self.dim);
            return Err(Error::invalid("queries", problem));
        }
        let (n, at_once) = (queries.len(), queries.len().min(QUERIES));
        let plans = self.plans(at_once)?;
        let mut found = Vec::with_capacity(n);
        for first in (0..n).step_by(at_once) {
            // The last queries begin earlier instead of being fewer.
            let start = first.min(n - at_once);
            let values = &queries.as_slice()[start * self.dim..][..at_once * self.dim];
            let lists = plans.iter().map(|plan| Ok(plan.run(&[values])?.remove(0))).collect::<Result<Vec<_>>>()?;
            let one = |i: usize| self.measured(from, queries.row(start + i), &lists, i, k);
            let measured = || (first - start..at_once).into_par_iter().map(one).collect();
            let measured: Vec<Option<Vec<Hit>>> = self.device.install(measured);
            found.extend(measured);
        }
        Ok(found)
    }

    /// The blocks, planned for this number of queries.
    fn plans(&self, queries: usize) -> Result<Plans> {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plans)) = planned.as_ref().filter(|(of, _)| *of == queries) {
            return Ok(plans.clone());
        }
        // Their memory is free before others are made.
        *planned = None;
        let plan = |block: &Block| block.module.plan(&[[queries, self.dim].into()]);
        let plans: Plans = Arc::new(self.blocks.iter().map(plan).collect::<Result<_>>()?);
        *planned = Some((queries, plans.clone()));
        Ok(plans)
    }

    /// The nearest of what the blocks gave for a query, if nothing else can be among them.
    fn measured(
        &self,
        from: &dyn RowSource,
        query: &[f32],
        lists: &[Vec<f32>],
        i: usize,
        k: usize,
    ) -> Option<Vec<Hit>> {
        let (mut hits, mut beyond, mut rows) = (Vec::new(), f64::INFINITY, 0);
        for (block, list) in self.blocks.iter().zip(lists) {
            let list = &list[i * 2 * self.candidates..][..2 * self.candidates];
            let given = block.given(from, query, list.split_at(self.candidates));
            hits.extend(given.hits);
            beyond = beyond.min(given.beyond);
            rows += block.rows.len();
        }
        hits.sort_unstable_by(Hit::order);
        hits.truncate(k);
        let Some(last) = hits.last() else { return (k == 0 || rows == 0).then_some(hits) };
        (hits.len() == k.min(rows) && f64::from(last.distance) < beyond).then_some(hits)
    }
}

impl Block {
    fn upload(
        device: &Device,
        values: Cow<'_, [f32]>,
        rows: Range<usize>,
        dim: usize,
        (storage, candidates): (RowStorage, usize),
    ) -> Result<Block> {
        let moved = match storage {
            RowStorage::F32 => 0.0,
            _ => {
                device.install(|| values.par_chunks_exact(dim).map(|row| moved(row, storage)).reduce(|| 0.0, f64::max))
            }
        };
        let y = Tensor::new([rows.len(), dim], values.into_owned());
        let mut graph = Graph::new();
        let x = graph.input("queries");
        let y = graph.param("rows", given_once(y));
        let nearest = NearestRows { k: candidates, others: false, storage };
        let nearest = graph.op("nearest", nearest, &[x, y]);
        graph.output(nearest);
        Ok(Block { module: device.backend().load(Arc::new(graph))?, rows, moved })
    }

    /// The rows that the block's list names, measured.
    fn given(&self, from: &dyn RowSource, query: &[f32], (numbers, distances): (&[f32], &[f32])) -> Given {
        let named = numbers.iter().take_while(|&&number| number >= 0.0);
        let measure = |&number: &f32| {
            let row = self.rows.start + number as usize;
            Hit { row, distance: squared_distance(query, &from.read(row..row + 1)) }
        };
        let hits: Vec<Hit> = named.map(measure).collect();
        // A list that is not full lacks what is at no finite distance.
        let last = if hits.len() == numbers.len() { distances[hits.len() - 1] } else { f32::MAX };
        let all = hits.len() == self.rows.len();
        Given { hits, beyond: if all { f64::INFINITY } else { least(last, query.len(), self.moved) } }
    }
}

/// A constant that goes to the device and leaves no copy behind.
fn given_once(tensor: Tensor) -> Constant {
    let shape = tensor.shape().clone();
    let tensor = Mutex::new(Some(tensor));
    let take = move || tensor.lock().unwrap_or_else(PoisonError::into_inner).take();
    Constant::stored(shape, move || take().ok_or_else(|| Error::invalid("rows", "they are on a device already")))
}

/// How far storing moves a row: infinite where it is then out of range.
fn moved(row: &[f32], storage: RowStorage) -> f64 {
    let stored = storage.stored(row);
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut row.iter().zip(&stored).map(|(&x, &y)| f64::from(x) - f64::from(y)));
    // A kernel may round the product of an int8 and its scale, or not.
    let rounding = match storage {
        RowStorage::Int8 => norm(&mut stored.iter().map(|&y| f64::from(y))) * f64::from(f32::EPSILON),
        RowStorage::F32 | RowStorage::F16 => 0.0,
    };
    let moved = apart + rounding;
    if moved.is_finite() { moved } else { f64::INFINITY }
}

/// The least that the host may measure of a row whose distance by the kernel's sum is at least `kernel`, where storing moved
/// the row by at most `moved`.
///
/// A sum of `d` squares of differences is known to `d + 2` roundings of the whole, in any order (Higham 2002, section 3.1:
/// gamma), and to what underflow takes from each.
fn least(kernel: f32, dim: usize, moved: f64) -> f64 {
    let unit = f64::from(f32::EPSILON) / 2.0;
    // Two more for the arithmetic here.
    let roundings = (dim + 4) as f64 * unit;
    if roundings >= 0.25 {
        return 0.0;
    }
    let gamma = roundings / (1.0 - roundings);
    let underflow = 4.0 * dim as f64 * f64::from(f32::MIN_POSITIVE);
    let stored = ((f64::from(kernel) - underflow) / (1.0 + gamma)).max(0.0).sqrt();
    let exact = (stored - moved).max(0.0).powi(2);
    (exact * (1.0 - gamma) - underflow).max(0.0)
}

/// Rows that are uploaded when a device is first asked for neighbours among them.
#[derive(Default)]
pub(super) struct OnDevice(Mutex<Option<(usize, Arc<DeviceRows>)>>);

impl OnDevice {
    /// The `k` nearest rows of each query: by the device where it is a GPU, of what it leaves unproved by `scan`, which
    /// takes queries.
    pub fn nearest(
        &self,
        device: &Device,
        from: &dyn RowSource,
        queries: &Embeddings,
        k: usize,
        scan: impl Fn(&Embeddings) -> Result<Vec<Vec<Hit>>>,
    ) -> Result<Vec<Vec<Hit>>> {
        if device.info().kind == "cpu" || k > DeviceRows::MOST || from.rows() == 0 || from.dim() == 0 {
            return scan(queries);
        }
        let found = self.rows(device, from, k)?.nearest(from, queries, k)?;
        let unproved: Vec<usize> = (0..found.len()).filter(|&i| found[i].is_none()).collect();
        let rest = unproved.iter().flat_map(|&i| queries.row(i)).copied().collect();
        let mut scanned = scan(&Embeddings::new(queries.dim(), rest))?.into_iter();
        Ok(found.into_iter().map(|hits| hits.or_else(|| scanned.next()).expect("one for each")).collect())
    }

    /// The rows on the device, with enough candidates for `k`.
    fn rows(&self, device: &Device, from: &dyn RowSource, k: usize) -> Result<Arc<DeviceRows>> {
        let mut uploaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, rows)) = uploaded.as_ref().filter(|(most, _)| *most >= k) {
            return Ok(rows.clone());
        }
        // Those for fewer candidates make room first.
        *uploaded = None;
        let rows = Arc::new(DeviceRows::upload(device, from, from.storage(), k)?);
        *uploaded = Some((k, rows.clone()));
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn rows(n: usize, dim: usize, seed: u64) -> Embeddings {
        let mut random = Stream::new(seed, 77, 0);
        Embeddings::new(dim, (0..n * dim).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect())
    }

    fn scanned(base: &Embeddings, query: &[f32], k: usize) -> Vec<Hit> {
        let hit = |(row, y)| Hit { row, distance: squared_distance(query, y) };
        let mut hits: Vec<Hit> = base.rows().enumerate().map(hit).collect();
        hits.sort_unstable_by(Hit::order);
        hits.truncate(k);
        hits
    }

    /// In one block and in several, the last short, and with all queries in several runs.
    #[test]
    fn blocks_and_runs_make_no_difference() {
        let device = Device::cpu(2).unwrap();
        let (base, queries) = (rows(530, 9, 1), rows(QUERIES + 3, 9, 2));
        for (storage, bytes) in [(RowStorage::F32, 1 << 20), (RowStorage::F32, 4096), (RowStorage::Int8, 4096)] {
            let on_device = DeviceRows::upload_blocks(&device, &base, storage, 5, bytes).unwrap();
            assert_eq!(on_device.blocks.len(), if bytes == 4096 { 530usize.div_ceil(4096 / 36) } else { 1 });
            let found = on_device.nearest(&base, &queries, 5).unwrap();
            assert_eq!(found.len(), queries.len());
            for (query, hits) in queries.rows().zip(found) {
                assert_eq!(hits.expect("they are far apart"), scanned(&base, query, 5), "{storage:?} {bytes}");
            }
        }
    }

    #[test]
    fn equal_rows_beyond_the_candidates_are_not_proved() {
        let device = Device::cpu(1).unwrap();
        let base = Embeddings::new(2, [[0.5, 0.5]; 40].concat());
        let on_device = DeviceRows::upload(&device, &base, RowStorage::F32, 3).unwrap();
        assert_eq!(on_device.nearest(&base, &Embeddings::new(2, vec![0.5, 0.5]), 3).unwrap(), [None]);
        let few = Embeddings::new(2, [[0.5, 0.5]; 9].concat());
        let on_device = DeviceRows::upload(&device, &few, RowStorage::F32, 3).unwrap();
        let found = on_device.nearest(&few, &Embeddings::new(2, vec![0.5, 0.5]), 3).unwrap().remove(0).unwrap();
        assert_eq!(found.iter().map(|hit| hit.row).collect::<Vec<_>>(), [0, 1, 2]);
    }

    /// f16 cannot hold the rows: no candidate proves anything.
    #[test]
    fn rows_out_of_the_storage_s_range_are_not_proved() {
        let device = Device::cpu(1).unwrap();
        let base = Embeddings::new(1, (0..200).map(|x| x as f32 * 1e4).collect());
        let query = Embeddings::new(1, vec![1e6]);
        let on_device = DeviceRows::upload(&device, &base, RowStorage::F16, 3).unwrap();
        assert_eq!(on_device.nearest(&base, &query, 3).unwrap(), [None]);
        let on_device = DeviceRows::upload(&device, &base, RowStorage::F32, 3).unwrap();
        assert_eq!(on_device.nearest(&base, &query, 3).unwrap()[0], Some(scanned(&base, query.row(0), 3)));
    }

    /// Candidates' distances are known to a part of themselves, and to what storing moved them.
    #[test]
    fn the_bound_is_below_what_is_measured() {
        let (base, queries) = (rows(60, 33, 3), rows(20, 33, 4));
        for storage in [RowStorage::F32, RowStorage::F16, RowStorage::Int8] {
            for (x, y) in queries.rows().flat_map(|x| base.rows().map(move |y| (x, y))) {
                let stored = storage.stored(y);
                let kernel: f32 = x.iter().zip(&stored).map(|(x, y)| (x - y) * (x - y)).sum();
                let bound = least(kernel, 33, moved(y, storage));
                let measured = f64::from(squared_distance(x, y));
                assert!(bound <= measured && bound > 0.8 * measured, "{storage:?}: {bound} {measured}");
            }
        }
        assert_eq!(least(0.0, 3, 0.0), 0.0);
        assert_eq!(least(1.0, 3, 2.0), 0.0);
        assert_eq!(least(1.0, 1 << 23, 0.0), 0.0);
    }

    #[test]
    fn what_a_device_does_not_take_is_said() {
        let device = Device::cpu(1).unwrap();
        let base = rows(3, 2, 5);
        let upload = |k| DeviceRows::upload(&device, &base, RowStorage::F32, k);
        assert!(upload(64).err().unwrap().to_string().contains("1 to 63"));
        let error = upload(1).unwrap().nearest(&base, &rows(1, 3, 6), 1).unwrap_err().to_string();
        assert!(error.contains("3 values each"), "{error}");
    }
}
