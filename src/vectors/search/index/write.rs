//! Rows into an index.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use half::f16;
use rayon::prelude::*;

use super::super::{Storage, Table};
use super::layout::{ALIGN, BODY, HEADS, Head, NO_NAME, Segment};
use crate::backend::cpu::Cpu;
use crate::backend::cpu::nearest::{self, Coded, Values};
use crate::face::Embeddings;
use crate::files::Aside;
use crate::vectors::search::neighbours::check_norms;
use crate::{Error, Result};

/// Values that are converted at a time.
const PIECE: usize = 1 << 20;

/// What an index is written to.
pub(super) trait Disk {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Waits until everything so far is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(at))?;
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Disk for Aside {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(at))?;
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.finish()
    }
}

/// Who writes: the file's name for messages, and the threads.
pub(super) struct Writer<'a, D> {
    pub disk: &'a mut D,
    pub path: &'a Path,
    pub host: &'a Cpu,
}

impl<D: Disk> Writer<'_, D> {
    /// Begins an index: JSON, and room for the head blocks, which the first rows fill. Returns a head without rows.
    pub fn begin(&mut self, dim: usize, storage: Storage, json: &[u8]) -> Result<Head> {
        let end = BODY + json.len() as u64;
        self.put(0, &[0; BODY as usize])?;
        self.put(BODY, json)?;
        Ok(Head { generation: 0, dim: dim as u64, storage, rows: 0, end, last: 0, json: json.len() as u64 })
    }

    /// Writes a table's rows behind the end, waits for the disk, and only then lets the head blocks name them.
    pub fn append(&mut self, head: &Head, table: &Table) -> Result<Head> {
        let text = names(table).map(|(_, text)| text.len() as u64);
        let at = head.end.next_multiple_of(ALIGN);
        let segment = Segment::new(at, table.len() as u64, head.last, text, head.dim, head.storage);
        let segment = segment.ok_or_else(|| Error::data(self.path, "would be longer than any file"))?;
        let step = (PIECE / table.dim()).max(1);
        let pieces = || (0..table.len()).step_by(step).map(|first| first..table.len().min(first + step));
        // All are looked at before the file is touched.
        pieces()
            .try_for_each(|rows| Piece::new(self.host, head.storage, table, rows).map(drop))
            .map_err(|e| table.told(e))?;
        self.put(segment.at, &segment.bytes())?;
        pieces().try_for_each(|rows| self.rows(head, &segment, table, rows))?;
        if let Some((places, text)) = names(table) {
            let places: Vec<u8> = places.into_iter().flat_map(u64::to_le_bytes).collect();
            self.put(segment.places, &places)?;
            self.put(segment.names, text.as_bytes())?;
        }
        self.sync()?;
        let rows = head.rows + segment.rows;
        self.commit(&Head { rows, end: segment.end, last: segment.at, ..*head })
    }

    /// Lets both head blocks name a state, the older one first: each waits for the disk, so that one is always whole.
    pub fn commit(&mut self, head: &Head) -> Result<Head> {
        let mut next = *head;
        for _ in HEADS {
            next.generation += 1;
            self.put(HEADS[Head::block(next.generation)], &next.bytes())?;
            self.sync()?;
        }
        Ok(next)
    }

    /// Writes some rows of a segment.
    fn rows(&mut self, head: &Head, segment: &Segment, table: &Table, rows: Range<usize>) -> Result<()> {
        let first = rows.start as u64;
        let piece = Piece::new(self.host, head.storage, table, rows)?;
        self.put(segment.values + first * head.dim * head.storage.value_size(), piece.bytes())?;
        self.put(segment.norms + first * 4, bytemuck::cast_slice(&piece.norms))?;
        if head.storage == Storage::Int8 {
            let stride = nearest::stride(table.dim());
            let (coded, codes) = encode(self.host, piece.wide.as_slice(), table.dim());
            self.put(segment.coded + first * 8, bytemuck::cast_slice(&coded))?;
            self.put(segment.codes + first * stride as u64, &codes)?;
        }
        Ok(())
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        self.disk.write_at(at, bytes).map_err(Error::io(self.path, "write"))
    }

    fn sync(&mut self) -> Result<()> {
        self.disk.sync().map_err(Error::io(self.path, "write"))
    }
}

/// Rows as they are stored, checked.
struct Piece {
    wide: Embeddings,
    /// The rows in halves, where these are stored.
    halves: Option<Vec<f16>>,
    norms: Vec<f32>,
}

impl Piece {
    fn new(host: &Cpu, storage: Storage, table: &Table, rows: Range<usize>) -> Result<Piece> {
        let (first, wide) = (rows.start, table.rows(rows));
        let halves = match storage {
            Storage::F16 => Some(halves_of(&wide, first)?),
            Storage::F32 | Storage::Int8 => None,
        };
        let stored = halves.as_deref().map_or(Values::F32(wide.as_slice()), Values::F16);
        let norms = nearest::norms(host, stored, table.dim());
        check_norms(stored, &norms, table.dim(), "row", first)?;
        Ok(Piece { wide, halves, norms })
    }

    fn bytes(&self) -> &[u8] {
        match &self.halves {
            Some(halves) => bytemuck::cast_slice(halves),
            None => bytemuck::cast_slice(self.wide.as_slice()),
        }
    }
}

/// Rows in halves; `first` is the first one's number.
fn halves_of(rows: &Embeddings, first: usize) -> Result<Vec<f16>> {
    let halves: Vec<f16> = rows.as_slice().iter().map(|&x| f16::from_f32(x)).collect();
    let beyond = halves.iter().zip(rows.as_slice()).position(|(half, x)| half.is_infinite() && x.is_finite());
    match beyond {
        None => Ok(halves),
        Some(value) => {
            let problem = "has a value beyond 65,504, the most that f16 holds; scale it down, or store f32";
            Err(Error::invalid(format!("row {}", first + value / rows.dim()), problem))
        }
    }
}

/// Rows' codes, and what is known of them.
fn encode(host: &Cpu, rows: &[f32], dim: usize) -> (Vec<Coded>, Vec<u8>) {
    let stride = nearest::stride(dim);
    let mut codes = vec![0; rows.len() / dim * stride];
    let rows = rows.par_chunks_exact(dim).zip(codes.par_chunks_exact_mut(stride));
    let coded = host.pool().install(|| rows.map(|(row, codes)| nearest::encode(row, codes)).collect());
    (coded, codes)
}

/// Where each name begins and the last ends, and the text of all.
fn names(table: &Table) -> Option<(Vec<u64>, String)> {
    let (mut places, mut text) = (vec![0], String::new());
    if !table.has_names() {
        return None;
    }
    for row in 0..table.len() {
        match table.name(row) {
            Some(name) => text += name,
            None => places[row] |= NO_NAME,
        }
        places.push(text.len() as u64);
    }
    Some((places, text))
}
