//! The nearest rows of a query so far.

use std::collections::BinaryHeap;

/// A row and its distance, as one number that sorts by distance, then row: distances are not negative, and the bits of such
/// f32 sort as their values do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found(u64);

impl Found {
    pub fn new(row: usize, distance: f32) -> Self {
        Found(u64::from(distance.to_bits()) << 32 | row as u64)
    }

    pub fn row(self) -> usize {
        self.0 as u32 as usize
    }

    pub fn distance(self) -> f32 {
        f32::from_bits((self.0 >> 32) as u32)
    }
}

/// At most `k` hits, the least of all that were offered.
pub(super) struct Best {
    k: usize,
    hits: BinaryHeap<Found>,
}

impl Best {
    pub fn new(k: usize) -> Self {
        Best { k, hits: BinaryHeap::new() }
    }

    /// The distance up to which a row can still be among them.
    pub fn reach(&self) -> f32 {
        match self.hits.peek() {
            Some(last) if self.hits.len() == self.k => last.distance(),
            _ => f32::INFINITY,
        }
    }

    /// Takes a hit, where it is nearer than the last; whether it was.
    pub fn offer(&mut self, hit: Found) -> bool {
        if self.hits.len() < self.k {
            self.hits.push(hit);
            return true;
        }
        match self.hits.peek_mut() {
            Some(mut last) if hit < *last => *last = hit,
            _ => return false,
        }
        true
    }

    /// The hits, unsorted.
    pub fn into_hits(self) -> Vec<Found> {
        self.hits.into_vec()
    }
}
