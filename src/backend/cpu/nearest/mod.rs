//! Exact nearest rows among millions: distance and choice in one pass over memory, and no matrix of distances.
//!
//! One query, or a few, are measured against every row as it comes from memory. More of them meet blocks of rows on register
//! tiles of products, `|x|^2 + |y|^2 - 2 x.y`, or of eight-bit codes; a proven bound on the error (`bound`) tells which pairs
//! may be near enough, and these alone are measured (`measure`). What is returned are measured distances, the least by
//! (distance, row): the same bits whatever the instruction set, the threads, and the other queries.

mod best;
mod bound;
mod codes;
mod measure;
mod product;
mod scan;

use std::ops::Range;

use half::f16;
use rayon::prelude::*;

pub(crate) use best::Found;
pub(crate) use bound::{MAX_DIM, MAX_NORM};
pub(crate) use codes::{Coded, encode, stride};
use measure::Measure;
pub(crate) use scan::{nearest, within};

use super::Cpu;

/// Queries that are measured against every row: at this number arithmetic still waits for memory.
const FEW: usize = 3;

/// Values of rows, one row after the other, as they are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
}

impl<'a> Values<'a> {
    /// How many values there are.
    pub fn len(self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F16(values) => values.len(),
        }
    }

    /// These rows of `dim` values.
    pub fn rows(self, rows: Range<usize>, dim: usize) -> Values<'a> {
        let range = rows.start * dim..rows.end * dim;
        match self {
            Values::F32(values) => Values::F32(&values[range]),
            Values::F16(values) => Values::F16(&values[range]),
        }
    }
}

/// Rows that lie together in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub values: Values<'a>,
    /// Squared lengths, by [`norms`]: of every row, at most [`MAX_NORM`].
    pub norms: &'a [f32],
    /// The rows' codes, [`stride`] bytes each, and what is known of them, where rows are looked for by their codes.
    pub codes: Option<(&'a [u8], &'a [Coded])>,
}

/// Rows to be searched: at most 2^32, of at most [`MAX_DIM`] values.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'a> {
    pub dim: usize,
    pub segments: Vec<Segment<'a>>,
}

impl Rows<'_> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.norms.len()).sum()
    }
}

/// Squared lengths of rows in the fixed order: the same bits everywhere.
pub(crate) fn norms(cpu: &Cpu, values: Values, dim: usize) -> Vec<f32> {
    let zero = vec![0.0; dim];
    let mut norms = vec![0.0; values.len() / dim.max(1)];
    let chunk = (1 << 18) / dim.max(1) + 1;
    cpu.pool().install(|| {
        norms.par_chunks_mut(chunk).enumerate().for_each(|(i, to)| {
            let rows = i * chunk..i * chunk + to.len();
            Measure { x: &zero, rows: values.rows(rows, dim), to }.run(cpu.isa());
        });
    });
    norms
}

#[cfg(test)]
mod tests;
