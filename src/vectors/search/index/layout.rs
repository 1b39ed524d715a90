//! Where everything lies in an index.
//!
//! Numbers are little-endian. A file begins with two head blocks, of which the valid one of the higher generation counts: what
//! is added is written behind the end first, and counts from the moment in which the older block names it. Then the other
//! block names it too, so that either may be damaged later without a loss. Behind the blocks come, from byte 4,096 on, JSON with what made the vectors, and then segments, one for each time that rows were
//! added, the last of which the head names and each of which names the one before:
//!
//! | part of a segment | bytes |
//! |---|---|
//! | header | 64 |
//! | values, f32 or f16 | `rows * dim` of them |
//! | squared lengths, f32 | `rows` of them |
//! | scales and errors of codes, f32 each (int8) | `rows` pairs |
//! | codes (int8) | `rows` times `dim`, whole lines of 64 |
//! | names: where each begins and the last ends, u64, then UTF-8 | `rows + 1` numbers, and their text; nothing without names |
//!
//! The highest bit of where a name begins says that the row has none.
//!
//! Each part begins at a multiple of 64.

use sha2::{Digest, Sha256};

use super::super::Storage;
use crate::backend::cpu::nearest;

/// The first bytes.
pub(super) const MAGIC: [u8; 16] = *b"\x89warpface index\n";
pub(super) const VERSION: u64 = 1;
/// Where the two head blocks are, and how long they are.
pub(super) const HEADS: [u64; 2] = [0, 2048];
pub(super) const HEAD_LEN: usize = 16 + 9 * 8 + 16;
/// Where the rest begins.
pub(super) const BODY: u64 = 4096;
/// What parts begin at multiples of.
pub(super) const ALIGN: u64 = 64;
/// In the place where a name begins: the row has none.
pub(super) const NO_NAME: u64 = 1 << 63;
const SEGMENT: u64 = u64::from_le_bytes(*b"segment\n");
pub(super) const SEGMENT_LEN: usize = 64;

/// A head block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub generation: u64,
    pub dim: u64,
    pub storage: Storage,
    pub rows: u64,
    /// Bytes that count.
    pub end: u64,
    /// Where the last segment is; 0 without any.
    pub last: u64,
    /// Bytes of the JSON.
    pub json: u64,
}

/// Why a head block is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoHead {
    /// The file is something else.
    Foreign,
    Version(u64),
    Damaged,
}

impl Head {
    pub fn bytes(&self) -> [u8; HEAD_LEN] {
        let words =
            [VERSION, self.generation, self.dim, self.storage as u64, self.rows, self.end, self.last, self.json, 0];
        let mut bytes = [0; HEAD_LEN];
        bytes[..16].copy_from_slice(&MAGIC);
        put_words(&mut bytes[16..], &words);
        seal(&mut bytes);
        bytes
    }

    /// Which block a head of a generation is written to.
    pub fn block(generation: u64) -> usize {
        (generation % 2) as usize
    }

    /// What is in a block.
    pub fn read(bytes: &[u8], block: usize) -> Result<Head, NoHead> {
        if bytes.len() < HEAD_LEN || bytes[..16] != MAGIC {
            return Err(NoHead::Foreign);
        }
        let words = words::<9>(&bytes[16..]);
        if words[0] != VERSION {
            return Err(NoHead::Version(words[0]));
        }
        let [_, generation, dim, storage, rows, end, last, json, _] = words;
        let storage = Storage::ALL.into_iter().find(|known| *known as u64 == storage);
        let in_place = Head::block(generation) == block;
        match storage.filter(|_| in_place && is_sealed(&bytes[..HEAD_LEN])) {
            Some(storage) => Ok(Head { generation, dim, storage, rows, end, last, json }),
            None => Err(NoHead::Damaged),
        }
    }
}

/// Where a segment's parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub rows: u64,
    /// Where the segment before is; 0 of the first.
    pub previous: u64,
    /// Bytes of names; 0 without any.
    pub text: u64,
    pub at: u64,
    pub values: u64,
    pub norms: u64,
    pub coded: u64,
    pub codes: u64,
    /// Where names begin and end.
    pub places: u64,
    pub names: u64,
    pub end: u64,
}

impl Segment {
    /// A segment at a place; none where no file is as long.
    pub fn new(at: u64, rows: u64, previous: u64, text: Option<u64>, dim: u64, storage: Storage) -> Option<Segment> {
        let mut end = at.checked_add(SEGMENT_LEN as u64)?;
        let mut part = |count: u64, size: u64| -> Option<u64> {
            if count == 0 {
                return Some(end);
            }
            let begin = end.checked_next_multiple_of(ALIGN)?;
            end = begin.checked_add(count.checked_mul(size)?)?;
            Some(begin)
        };
        let coded = if storage == Storage::Int8 { rows } else { 0 };
        let values = part(rows, dim.checked_mul(storage.value_size())?)?;
        let norms = part(rows, 4)?;
        let facts = part(coded, 8)?;
        let codes = part(coded, nearest::stride(usize::try_from(dim).ok()?) as u64)?;
        let places = part(if text.is_some() { rows + 1 } else { 0 }, 8)?;
        let names = part(text.unwrap_or(0), 1)?;
        let text = text.unwrap_or(u64::MAX);
        Some(Segment { rows, previous, text, at, values, norms, coded: facts, codes, places, names, end })
    }

    pub fn bytes(&self) -> [u8; SEGMENT_LEN] {
        let mut bytes = [0; SEGMENT_LEN];
        put_words(&mut bytes, &[SEGMENT, self.rows, self.previous, self.text]);
        seal(&mut bytes);
        bytes
    }

    /// A segment's parts from its header.
    pub fn read(bytes: &[u8], at: u64, head: &Head) -> Option<Segment> {
        let [magic, rows, previous, text] = words::<4>(bytes);
        let text = (text != u64::MAX).then_some(text);
        let segment = Segment::new(at, rows, previous, text, head.dim, head.storage)?;
        (magic == SEGMENT && is_sealed(&bytes[..SEGMENT_LEN])).then_some(segment)
    }

    /// Whether its rows have names.
    pub fn has_names(&self) -> bool {
        self.text != u64::MAX
    }
}

fn put_words(bytes: &mut [u8], words: &[u64]) {
    for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
}

/// # Panics
/// If there are fewer: the caller's bug.
fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    std::array::from_fn(|i| u64::from_le_bytes(bytes.as_chunks::<8>().0[i]))
}

/// Ends a block with the hash of what stands before.
fn seal(bytes: &mut [u8]) {
    let (text, hash) = bytes.split_at_mut(bytes.len() - 16);
    hash.copy_from_slice(&Sha256::digest(&*text)[..16]);
}

fn is_sealed(bytes: &[u8]) -> bool {
    let (text, hash) = bytes.split_at(bytes.len() - 16);
    hash == &Sha256::digest(text)[..16]
}
