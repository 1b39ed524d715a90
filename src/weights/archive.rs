//! Zip archives: the envelope of `.npz` and of PyTorch files.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use zip::read::{ArchiveOffset, Config, ZipFile};
use zip::{CompressionMethod, ZipArchive};

use super::Parsed;
use super::cursor::to_usize;
use super::source::{Reader, Source};
use super::view::Bytes;

/// How much of all members together may be unpacked, per byte of the archive; deflate reaches about 1000.
const EXPANSION: usize = 1100;

/// An open archive.
#[derive(Clone)]
pub(super) struct Archive {
    shared: Arc<Shared>,
}

struct Shared {
    source: Source,
    zip: Mutex<ZipArchive<BufReader<Reader>>>,
    names: Vec<String>,
    index: HashMap<String, usize>,
    left: Mutex<usize>,
}

impl Archive {
    pub fn open(source: &Source) -> Parsed<Self> {
        // Offsets count from the file's start. Left to guess, the crate looks for the first entry of the directory
        // from its end, and takes PyTorch's zip64 end records for a part of it.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, BufReader::new(source.reader()))
            .map_err(|e| format!("is a damaged or cut zip archive ({e}); fetch it again"))?;
        if let Some(recorded) = recorded_entries(&source.tail(1 << 16)?)
            && recorded != zip.len()
        {
            return Err(format!(
                "is a zip archive of {recorded} members, of which only {} have names of their own: \
                 which of the others is meant cannot be told",
                zip.len()
            ));
        }
        let names: Vec<String> = zip.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
            return Err("is a zip archive with two members of one name".into());
        }
        let index = names.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        let left = Mutex::new(source.len().saturating_mul(EXPANSION));
        Ok(Archive { shared: Arc::new(Shared { source: source.clone(), zip: Mutex::new(zip), names, index, left }) })
    }

    /// The members' names.
    pub fn names(&self) -> &[String] {
        &self.shared.names
    }

    /// Whether there is a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.shared.index.contains_key(name)
    }

    /// A member's unpacked bytes; its checksum is verified on the way.
    pub fn read(&self, name: &str) -> Parsed<Vec<u8>> {
        self.with(name, |file| {
            let mut bytes = Vec::new();
            let mut left = self.shared.left.lock().unwrap_or_else(PoisonError::into_inner);
            // One byte beyond the limit tells a full member from one too large.
            let limit = u64::try_from(*left).unwrap_or(u64::MAX);
            file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
            *left = left.checked_sub(bytes.len()).ok_or("it unpacks to an absurd size")?;
            Ok(bytes)
        })
    }

    /// A member's first bytes, `n` where there are as many.
    pub fn head(&self, name: &str, n: usize) -> Parsed<Vec<u8>> {
        self.with(name, |file| {
            let mut bytes = Vec::new();
            file.take(n as u64).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
            Ok(bytes)
        })
    }

    /// How many bytes a member unpacks to.
    pub fn len_of(&self, name: &str) -> Parsed<usize> {
        self.with(name, |file| to_usize(file.size()))
    }

    /// A member as a file of its own: where it lies if it is stored as it is, else unpacked.
    pub fn source_of(&self, name: &str) -> Parsed<Source> {
        let place = self.with(name, |file| match file.compression() {
            CompressionMethod::Stored => Ok(file.data_start().zip(Some(file.size()))),
            _ => Ok(None),
        })?;
        match place {
            Some((at, len)) => self.shared.source.part(to_usize(at)?, to_usize(len)?),
            None => Ok(Source::memory(self.read(name)?)),
        }
    }

    /// A member's bytes from a place on, unpacked when they are wanted.
    pub fn part(&self, name: &str, at: usize) -> Member {
        Member { archive: self.clone(), name: name.to_owned(), at }
    }

    fn with<R>(&self, name: &str, work: impl FnOnce(&mut ZipFile<'_, BufReader<Reader>>) -> Parsed<R>) -> Parsed<R> {
        let problem = |e: String| format!("zip member `{name}`: {e}; fetch the file again");
        let index = *self.shared.index.get(name).ok_or_else(|| problem("it is missing".into()))?;
        let mut zip = self.shared.zip.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = zip.by_index(index).map_err(|e| problem(e.to_string()))?;
        work(&mut file).map_err(problem)
    }
}

/// A tensor's bytes within a member.
pub(super) struct Member {
    archive: Archive,
    name: String,
    at: usize,
}

impl Bytes for Member {
    fn read(&self, to: &mut [u8]) -> Parsed<()> {
        self.archive.with(&self.name, |file| {
            std::io::copy(&mut file.by_ref().take(self.at as u64), &mut std::io::sink()).map_err(|e| e.to_string())?;
            file.read_exact(to).map_err(|e| e.to_string())?;
            // The checksum is compared at the member's end.
            std::io::copy(file, &mut std::io::sink()).map_err(|e| e.to_string())?;
            Ok(())
        })
    }
}

/// The number of members as the end record gives it, unless it is a zip64 archive's placeholder.
fn recorded_entries(tail: &[u8]) -> Option<usize> {
    let at = tail.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let count = tail.get(at + 10..at + 12)?;
    let count = u16::from_le_bytes([*count.first()?, *count.last()?]);
    (count != u16::MAX).then_some(usize::from(count))
}
