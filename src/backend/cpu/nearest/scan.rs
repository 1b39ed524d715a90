//! The pass over all rows, shared by threads: blocks that stay in cache meet all queries of a batch.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use half::f16;
use rayon::prelude::*;

use super::best::{Best, Found};
use super::codes::{self, CodeTile, Coding};
use super::measure::Measure;
use super::product::{self, Product};
use super::{FEW, Rows, Segment, Values, bound, norms};
use crate::backend::cpu::Cpu;
use crate::backend::cpu::simd::Isa;

/// Values of a block of rows: half of a second-level cache's smallest size, beside the queries.
const BLOCK: usize = 1 << 16;
/// Values of a thread's turn.
const TURN: usize = 1 << 19;
/// Queries of a batch, at most, and their values.
const BATCH: usize = 1024;
const BATCH_VALUES: usize = 1 << 21;
/// Founds that threads keep at once: 64 MiB of them.
const KEPT: usize = 1 << 23;

/// The `k` nearest rows of each query, ascending by (distance, row).
pub(crate) fn nearest(cpu: &Cpu, rows: &Rows, queries: &[f32], k: usize) -> Vec<Vec<Found>> {
    let (dim, k) = (rows.dim, k.min(rows.len()));
    let mut found = Vec::with_capacity(queries.len() / dim.max(1));
    if k == 0 {
        found.resize_with(queries.len() / dim.max(1), Vec::new);
        return found;
    }
    let most = batch(dim).min((KEPT / cpu.threads() / k).max(1));
    for queries in queries.chunks(most * dim) {
        found.extend(nearest_of_batch(cpu, &Batch::new(cpu, rows, queries), k));
    }
    found
}

/// Queries that meet all rows at once, at most.
fn batch(dim: usize) -> usize {
    (BATCH_VALUES / dim).clamp(1, BATCH)
}

fn nearest_of_batch(cpu: &Cpu, batch: &Batch, k: usize) -> Vec<Vec<Found>> {
    // What any thread has reached: a row beyond it is not among the k nearest.
    let reach: Vec<AtomicU32> = (0..batch.len()).map(|_| AtomicU32::new(f32::INFINITY.to_bits())).collect();
    let turns = Turns::new(batch.rows);
    let by_thread: Vec<Vec<Best>> = batch.on_threads(cpu, || {
        let mut nearest = Nearest { best: (0..batch.len()).map(|_| Best::new(k)).collect(), reach: &reach };
        let mut scan = Scan::new(batch, cpu.isa());
        while let Some((_, first, segment, rows)) = turns.next() {
            scan.run(first, segment, rows, &mut nearest);
        }
        nearest.best
    });
    let mut found: Vec<Vec<Found>> = Vec::new();
    found.resize_with(batch.len(), Vec::new);
    for best in by_thread {
        found.iter_mut().zip(best).for_each(|(found, best)| found.extend(best.into_hits()));
    }
    cpu.pool().install(|| {
        found.par_iter_mut().for_each(|hits| {
            hits.sort_unstable();
            hits.truncate(k);
        });
    });
    found
}

/// Tells all rows within `radius` of each query, ascending by row, a query at a time. Where the hits of a batch are more than
/// memory should hold, it is begun again with fewer queries.
pub(crate) fn within(cpu: &Cpu, rows: &Rows, queries: &[f32], radius: f32, visit: &mut dyn FnMut(usize, &[Found])) {
    let dim = rows.dim;
    let (mut first, mut most) = (0, batch(dim));
    let total = queries.len() / dim.max(1);
    while first < total {
        let count = most.min(total - first);
        let batch = Batch::new(cpu, rows, &queries[first * dim..(first + count) * dim]);
        match within_batch(cpu, &batch, radius) {
            None => most = count.div_ceil(4),
            Some(found) => {
                for (i, hits) in found.iter().enumerate() {
                    visit(first + i, hits);
                }
                first += count;
            }
        }
    }
}

/// Hits with their queries.
type OfQueries = Vec<(u32, Found)>;

fn within_batch(cpu: &Cpu, batch: &Batch, radius: f32) -> Option<Vec<Vec<Found>>> {
    let turns = Turns::new(batch.rows);
    let (kept, full) = (AtomicUsize::new(0), AtomicBool::new(false));
    let parts: Mutex<Vec<(usize, OfQueries)>> = Mutex::default();
    batch.on_threads(cpu, || {
        let mut scan = Scan::new(batch, cpu.isa());
        while let Some((turn, first, segment, rows)) = turns.next() {
            if full.load(Ordering::Relaxed) {
                return;
            }
            let mut within = Within { radius, hits: Vec::new() };
            scan.run(first, segment, rows, &mut within);
            let before = kept.fetch_add(within.hits.len(), Ordering::Relaxed);
            full.fetch_or(batch.len() > 1 && before + within.hits.len() > KEPT, Ordering::Relaxed);
            parts.lock().unwrap_or_else(PoisonError::into_inner).push((turn, within.hits));
        }
    });
    if full.into_inner() {
        return None;
    }
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_unstable_by_key(|(turn, _)| *turn);
    let mut found: Vec<Vec<Found>> = Vec::new();
    found.resize_with(batch.len(), Vec::new);
    for (_, hits) in parts {
        hits.into_iter().for_each(|(query, hit)| found[query as usize].push(hit));
    }
    Some(found)
}

/// The rows in turns, which threads take one after the other.
struct Turns<'a> {
    /// The first row of the turn, its segment, and the turn's rows in it.
    turns: Vec<(usize, &'a Segment<'a>, Range<usize>)>,
    next: AtomicUsize,
}

impl<'a> Turns<'a> {
    fn new(rows: &'a Rows<'a>) -> Self {
        let (step, mut first, mut turns) = ((TURN / rows.dim).max(1), 0, Vec::new());
        for segment in &rows.segments {
            let len = segment.norms.len();
            turns.extend((0..len).step_by(step).map(|at| (first + at, segment, at..len.min(at + step))));
            first += len;
        }
        Turns { turns, next: AtomicUsize::new(0) }
    }

    fn next(&self) -> Option<(usize, usize, &'a Segment<'a>, Range<usize>)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.turns.get(turn).map(|(first, segment, rows)| (turn, *first, *segment, rows.clone()))
    }
}

/// Queries that meet all rows at once, as the kernels take them.
struct Batch<'a> {
    rows: &'a Rows<'a>,
    queries: &'a [f32],
    /// Squared lengths of the queries.
    norms: Vec<f32>,
    /// For tiles of products, where any rows go without codes: `[dim][vectors * lanes]` for each group of queries.
    panels: Vec<Vec<f32>>,
    /// For rows with codes, for each group of queries.
    codings: Vec<Coding>,
    /// Queries of a group of codings.
    group: usize,
}

impl<'a> Batch<'a> {
    fn new(cpu: &Cpu, rows: &'a Rows<'a>, queries: &'a [f32]) -> Self {
        let (dim, len, isa) = (rows.dim, queries.len() / rows.dim, cpu.isa());
        let is_coded = |segment: &Segment| segment.codes.is_some();
        let (coded, plain) = (rows.segments.iter().any(is_coded), !rows.segments.iter().all(is_coded));
        let width = 2 * isa.lanes();
        let panels = match plain && len > FEW {
            false => Vec::new(),
            true => queries.chunks(width * dim).map(|queries| panel(queries, dim, isa.lanes())).collect(),
        };
        let few = codes::lies_in_rows(isa, len);
        let codings = match coded {
            false => Vec::new(),
            true => queries.chunks(codes::WIDTH * dim).map(|queries| Coding::new(queries, dim, few)).collect(),
        };
        Batch { rows, queries, norms: norms(cpu, Values::F32(queries), dim), panels, codings, group: codes::WIDTH }
    }

    fn len(&self) -> usize {
        self.norms.len()
    }

    fn query(&self, i: usize) -> &'a [f32] {
        &self.queries[i * self.rows.dim..][..self.rows.dim]
    }

    /// Runs a worker on each thread; one that comes late finds nothing left to do.
    fn on_threads<T: Send>(&self, cpu: &Cpu, worker: impl Fn() -> T + Send + Sync) -> Vec<T> {
        let threads = cpu.threads();
        cpu.pool().install(|| (0..threads).into_par_iter().with_max_len(1).map(|_| worker()).collect())
    }
}

/// Queries as columns: `[dim][vectors * lanes]`, the last ones zeros.
fn panel(queries: &[f32], dim: usize, lanes: usize) -> Vec<f32> {
    let width = (queries.len() / dim).next_multiple_of(lanes);
    let mut panel = vec![0.0; width * dim];
    for (i, query) in queries.chunks_exact(dim).enumerate() {
        query.iter().enumerate().for_each(|(k, &x)| panel[k * width + i] = x);
    }
    panel
}

/// What is done with measured pairs.
trait Sink {
    /// How far rows are looked for.
    fn reach(&self, query: usize) -> f32;
    /// Takes a pair; whether the reach is another now.
    fn offer(&mut self, query: usize, hit: Found) -> bool;
}

struct Nearest<'a> {
    best: Vec<Best>,
    reach: &'a [AtomicU32],
}

impl Sink for Nearest<'_> {
    fn reach(&self, query: usize) -> f32 {
        // Such bits sort as their values do; whatever order threads see them in, each is some thread's k-th distance.
        self.best[query].reach().min(f32::from_bits(self.reach[query].load(Ordering::Relaxed)))
    }

    fn offer(&mut self, query: usize, hit: Found) -> bool {
        let taken = self.best[query].offer(hit);
        if taken {
            self.reach[query].fetch_min(self.best[query].reach().to_bits(), Ordering::Relaxed);
        }
        taken
    }
}

struct Within {
    radius: f32,
    hits: OfQueries,
}

impl Sink for Within {
    fn reach(&self, _: usize) -> f32 {
        self.radius
    }

    fn offer(&mut self, query: usize, hit: Found) -> bool {
        if hit.distance() <= self.radius {
            self.hits.push((query as u32, hit));
        }
        false
    }
}

/// A thread's pass, and its memory.
struct Scan<'a> {
    batch: &'a Batch<'a>,
    isa: Isa,
    /// The most that each query lets pass, whole vectors for each group of queries.
    limits: Vec<f32>,
    halves: Vec<f32>,
    lengths: Vec<f32>,
    distances: Vec<f32>,
    /// A block of rows stored in halves, as f32.
    wide: Vec<f32>,
}

impl<'a> Scan<'a> {
    fn new(batch: &'a Batch<'a>, isa: Isa) -> Self {
        let limits = vec![f32::NEG_INFINITY; batch.len().next_multiple_of(codes::WIDTH)];
        Scan { batch, isa, limits, halves: vec![], lengths: vec![], distances: vec![], wide: vec![] }
    }

    /// Offers all pairs of some rows of a segment that are within reach, and maybe others. `first` is the number of the
    /// first.
    fn run(&mut self, first: usize, segment: &Segment, rows: Range<usize>, sink: &mut impl Sink) {
        let (dim, at) = (self.batch.rows.dim, rows.start);
        for query in 0..self.batch.len() {
            self.refresh(query, sink);
        }
        let height = if segment.codes.is_some() { codes::HEIGHT } else { product::height(self.isa, 2) };
        let block = (BLOCK / dim / height).max(1) * height;
        for start in rows.clone().step_by(block) {
            let block = start..rows.end.min(start + block);
            let first = first + (start - at);
            if let Some(codes) = segment.codes {
                self.by_codes(first, segment, codes, block, sink);
            } else if self.batch.len() <= FEW {
                self.measured(first, segment.values.rows(block, dim), sink);
            } else {
                self.by_products(first, segment, block, sink);
            }
        }
    }

    /// Takes a query's reach from the sink.
    fn refresh(&mut self, query: usize, sink: &impl Sink) {
        self.limits[query] = bound::limit(sink.reach(query), self.batch.norms[query], self.batch.rows.dim);
    }

    /// Measures every pair.
    fn measured(&mut self, first: usize, values: Values, sink: &mut impl Sink) {
        self.distances.resize(values.len() / self.batch.rows.dim, 0.0);
        for query in 0..self.batch.len() {
            Measure { x: self.batch.query(query), rows: values, to: &mut self.distances }.run(self.isa);
            let mut reach = sink.reach(query);
            for (row, &distance) in self.distances.iter().enumerate() {
                if distance <= reach && sink.offer(query, Found::new(first + row, distance)) {
                    reach = sink.reach(query);
                }
            }
        }
    }

    /// Measures the pairs whose products say that they may be near.
    fn by_products(&mut self, first: usize, segment: &Segment, block: Range<usize>, sink: &mut impl Sink) {
        let (batch, isa, dim) = (self.batch, self.isa, self.batch.rows.dim);
        let values = segment.values.rows(block.clone(), dim);
        self.halves.clear();
        self.halves.extend(segment.norms[block].iter().map(|&norm| bound::half(norm, dim)));
        // Lent, so that the pass can go on with the rest.
        let (halves, mut wide) = (std::mem::take(&mut self.halves), std::mem::take(&mut self.wide));
        // The block after this one is asked for where it lies.
        let (rows, next, bytes) = match values {
            Values::F32(rows) => (rows, rows.as_ptr_range().end.cast::<u8>(), size_of::<f32>()),
            Values::F16(rows) => {
                wide.resize(rows.len(), 0.0);
                product::widen(isa, rows, &mut wide);
                (&wide[..], rows.as_ptr_range().end.cast(), size_of::<f16>())
            }
        };
        let mut passed = [0; product::MAX_ROWS];
        let mut group = 0;
        for (i, panel) in batch.panels.iter().enumerate() {
            let width = panel.len() / dim;
            let (vectors, queries) = (width / isa.lanes(), group..group + width);
            let height = product::height(isa, vectors);
            for (tile, half) in halves.chunks(height).enumerate() {
                let from = tile * height;
                let rows = &rows[from * dim..(from + half.len()) * dim];
                let limits = &self.limits[queries.clone()];
                let ahead = (next.wrapping_add(from * dim * bytes), if i == 0 { bytes } else { 0 });
                let task = Product { rows, dim, panel, vectors, half, limits, ahead, passed: &mut passed };
                if task.run(isa) {
                    self.offer(first + from, values.rows(from..from + half.len(), dim), &passed, group, sink);
                }
            }
            group += width;
        }
        (self.halves, self.wide) = (halves, wide);
    }

    /// Measures the pairs whose codes say that they may be near.
    fn by_codes(
        &mut self,
        first: usize,
        segment: &Segment,
        (codes, coded): (&[u8], &[codes::Coded]),
        block: Range<usize>,
        sink: &mut impl Sink,
    ) {
        let (batch, dim) = (self.batch, self.batch.rows.dim);
        let (stride, values) = (codes::stride(dim), segment.values.rows(block.clone(), dim));
        let (codes, coded) = (&codes[block.start * stride..block.end * stride], &coded[block.clone()]);
        self.halves.clear();
        self.halves.extend(segment.norms[block.clone()].iter().map(|&norm| bound::half(norm, dim)));
        self.lengths.clear();
        self.lengths.extend(segment.norms[block].iter().map(|&norm| bound::length(norm)));
        let (halves, lengths) = (std::mem::take(&mut self.halves), std::mem::take(&mut self.lengths));
        let mut passed = [0; codes::HEIGHT];
        for (group, coding) in batch.codings.iter().enumerate() {
            let group = group * batch.group;
            for from in (0..halves.len()).step_by(codes::HEIGHT) {
                let tile = from..halves.len().min(from + codes::HEIGHT);
                let task = CodeTile {
                    coding,
                    codes: &codes[tile.start * stride..tile.end * stride],
                    coded: &coded[tile.clone()],
                    half: &halves[tile.clone()],
                    lengths: &lengths[tile.clone()],
                    limits: &self.limits[group..group + coding.width()],
                    ahead: if group == 0 { halves.len() * stride } else { 0 },
                    passed: &mut passed[..tile.len()],
                };
                if task.run(self.isa) {
                    self.offer(first + from, values.rows(tile, dim), &passed, group, sink);
                }
            }
        }
        (self.halves, self.lengths) = (halves, lengths);
    }

    /// Measures and offers the pairs of a tile that passed; `group` is the first of its queries.
    #[cold]
    fn offer(&mut self, first: usize, values: Values, passed: &[u32], group: usize, sink: &mut impl Sink) {
        let dim = self.batch.rows.dim;
        for (row, &passed) in passed[..values.len() / dim].iter().enumerate() {
            let mut left = passed;
            while left != 0 {
                let query = group + left.trailing_zeros() as usize;
                left &= left - 1;
                let mut distance = [0.0];
                let task =
                    Measure { x: self.batch.query(query), rows: values.rows(row..row + 1, dim), to: &mut distance };
                task.run(self.isa);
                if sink.offer(query, Found::new(first + row, distance[0])) {
                    self.refresh(query, sink);
                }
            }
        }
    }
}
