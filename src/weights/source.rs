//! Where a file's bytes are: in memory, or in the file, from which they are read where and when they are wanted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::Parsed;
use crate::error::{Error, Result};

/// Reads of at most this many bytes are served from windows: tables of contents are read in small steps.
const SMALL: usize = 1 << 10;
/// Bytes of a window.
const WINDOW: usize = 1 << 14;
/// How many windows are kept.
const WINDOWS: usize = 16;

/// The bytes of a file, shared by every tensor that lies in it.
#[derive(Clone)]
pub(super) struct Source(Arc<Inner>);

enum Inner {
    Memory(Box<[u8]>),
    File {
        open: Mutex<Open>,
        len: usize,
    },
    /// A piece of another.
    #[cfg(feature = "decode")]
    Part {
        of: Source,
        at: usize,
        len: usize,
    },
}

struct Open {
    file: File,
    /// Pieces of the file by their number, the one used last at the end.
    windows: Vec<(usize, Vec<u8>)>,
}

impl Source {
    /// Bytes in memory.
    pub fn memory(bytes: impl Into<Box<[u8]>>) -> Self {
        Source(Arc::new(Inner::Memory(bytes.into())))
    }

    /// A file, opened and not yet read.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let len = file.metadata().map_err(Error::io(path, "read"))?.len();
        let len = usize::try_from(len).map_err(|_| Error::weights(path, "is larger than this machine's memory"))?;
        Ok(Source(Arc::new(Inner::File { open: Mutex::new(Open { file, windows: Vec::new() }), len })))
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        match &*self.0 {
            Inner::Memory(bytes) => bytes.len(),
            Inner::File { len, .. } => *len,
            #[cfg(feature = "decode")]
            Inner::Part { len, .. } => *len,
        }
    }

    /// Fills `to` with the bytes from `at` on.
    pub fn read_at(&self, at: usize, to: &mut [u8]) -> Parsed<()> {
        let range = self.within(at, to.len())?;
        match &*self.0 {
            Inner::Memory(bytes) => to.copy_from_slice(&bytes[range]),
            #[cfg(feature = "decode")]
            Inner::Part { of, at: start, .. } => of.read_at(start + at, to)?,
            Inner::File { open, len } => {
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                open.read(at, to, *len).map_err(|e| format!("cannot be read: {e}"))?;
            }
        }
        Ok(())
    }

    /// These bytes as a file of their own.
    #[cfg(feature = "decode")]
    pub fn part(&self, at: usize, len: usize) -> Parsed<Source> {
        self.within(at, len)?;
        Ok(Source(Arc::new(Inner::Part { of: self.clone(), at, len })))
    }

    /// These bytes.
    pub fn bytes(&self, range: Range<usize>) -> Parsed<Vec<u8>> {
        // Checked before anything of that size is allocated.
        let range = self.within(range.start, range.len())?;
        let mut bytes = vec![0; range.len()];
        self.read_at(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// The first `n` bytes, or all where there are fewer.
    pub fn head(&self, n: usize) -> Parsed<Vec<u8>> {
        self.bytes(0..n.min(self.len()))
    }

    /// The last `n` bytes, or all where there are fewer.
    pub fn tail(&self, n: usize) -> Parsed<Vec<u8>> {
        self.bytes(self.len().saturating_sub(n)..self.len())
    }

    /// All bytes.
    pub fn all(&self) -> Parsed<Vec<u8>> {
        self.bytes(0..self.len())
    }

    /// A reader from the start on.
    #[cfg(feature = "decode")]
    pub fn reader(&self) -> Reader {
        Reader { source: self.clone(), at: 0 }
    }

    fn within(&self, at: usize, n: usize) -> Parsed<Range<usize>> {
        let end = at.checked_add(n).filter(|&end| end <= self.len());
        end.map(|end| at..end).ok_or_else(|| {
            format!("is cut short: {n} bytes are wanted at byte {at}, of {}; fetch it again", self.len())
        })
    }
}

impl Open {
    fn read(&mut self, at: usize, to: &mut [u8], len: usize) -> io::Result<()> {
        if to.len() > SMALL {
            return self.read_file(at, to);
        }
        let (mut at, mut to) = (at, to);
        while !to.is_empty() {
            let window = self.window(at / WINDOW, len)?;
            let from = window.get(at % WINDOW..).unwrap_or_default();
            let n = from.len().min(to.len());
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (now, later) = to.split_at_mut(n);
            now.copy_from_slice(&from[..n]);
            (at, to) = (at + n, later);
        }
        Ok(())
    }

    fn window(&mut self, number: usize, len: usize) -> io::Result<&[u8]> {
        let window = match self.windows.iter().position(|(n, _)| *n == number) {
            Some(place) => self.windows.remove(place),
            None => {
                let at = number * WINDOW;
                let mut bytes = match self.windows.len() < WINDOWS {
                    true => Vec::new(),
                    false => self.windows.remove(0).1,
                };
                bytes.resize(WINDOW.min(len - at), 0);
                self.read_file(at, &mut bytes)?;
                (number, bytes)
            }
        };
        self.windows.push(window);
        Ok(&self.windows[self.windows.len() - 1].1)
    }

    fn read_file(&mut self, at: usize, to: &mut [u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at as u64))?;
        self.file.read_exact(to)
    }
}

/// A position in a source.
#[cfg(feature = "decode")]
#[derive(Clone)]
pub(super) struct Reader {
    source: Source,
    at: usize,
}

#[cfg(feature = "decode")]
impl Read for Reader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = to.len().min(self.source.len().saturating_sub(self.at));
        self.source.read_at(self.at, &mut to[..n]).map_err(io::Error::other)?;
        self.at += n;
        Ok(n)
    }
}

#[cfg(feature = "decode")]
impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => (self.source.len() as u64).checked_add_signed(by),
            SeekFrom::Current(by) => (self.at as u64).checked_add_signed(by),
        };
        let at = at.and_then(|at| usize::try_from(at).ok()).ok_or(io::ErrorKind::InvalidInput)?;
        self.at = at;
        Ok(at as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_as_memory_does() {
        let bytes: Vec<u8> = (0..3 * WINDOW + 77).map(|i| (i * i / 7) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, &bytes).unwrap();
        let (memory, file) = (Source::memory(bytes.clone()), Source::open(&path).unwrap());
        for source in [memory, file] {
            assert_eq!(source.all().unwrap(), bytes);
            for at in (0..bytes.len()).step_by(5_003) {
                for n in [0, 1, 9, SMALL, SMALL + 1, WINDOW + 3] {
                    let expected = bytes.get(at..at + n);
                    assert_eq!(source.bytes(at..at + n).ok().as_deref(), expected, "{n} bytes at {at}");
                }
            }
            assert!(source.bytes(usize::MAX - 1..usize::MAX).unwrap_err().contains("cut short"));
            assert_eq!(source.tail(5).unwrap(), bytes[bytes.len() - 5..]);
        }
        let part = Source::memory(bytes.clone()).part(7, 100).unwrap();
        assert_eq!((part.all().unwrap(), part.bytes(90..101).is_err()), (bytes[7..107].to_vec(), true));
        assert!(part.part(50, 51).is_err());
        assert!(matches!(Source::open(&folder.path().join("absent")), Err(Error::Io { .. })));
    }
}
