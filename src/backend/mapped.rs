//! Files as memory.

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

/// The first bytes of a file, read where they are touched.
#[derive(Debug)]
pub(crate) struct Mapped(Mmap);

impl Mapped {
    /// The first `len` bytes of a file that has at least as many.
    pub fn new(file: &File, len: usize) -> io::Result<Self> {
        if file.metadata()?.len() < len as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: the bytes are read only, as numbers that may have any value, and lie within the file. Nothing of ours
        // shortens or rewrites a file that may be mapped: what is added to an index lies behind what readers map. Whoever
        // else cuts the file short meanwhile ends this process, as with any mapped file.
        let map = unsafe { MmapOptions::new().len(len).map(file) }?;
        Ok(Mapped(map))
    }
}

impl std::ops::Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
