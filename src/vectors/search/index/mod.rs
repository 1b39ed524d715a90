//! The index: one file of vectors with names, mapped into memory, to which rows can be added.

mod layout;
mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::neighbours::{Part, check_norms};
use super::{Neighbours, Storage, Table};
use crate::backend::Device;
use crate::backend::cpu::nearest::{MAX_DIM, Values, stride};
use crate::backend::mapped::Mapped;
use crate::error::{Field, message};
use crate::files::Aside;
use crate::vectors::Origin;
use crate::{Error, Result};

use layout::{BODY, HEAD_LEN, HEADS, Head, NoHead, SEGMENT_LEN, Segment};
use write::Writer;

/// How long an index that is in use is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Vectors in a file, open for queries.
///
/// The file is mapped: rows are read when they are compared, and memory is the system's cache of the file. It is held under
/// a shared lock; [`add`](Index::add) takes an exclusive one, and so waits until nobody reads. A process that ends while it
/// adds, whenever that is, leaves the rows that were there; what it had written is overwritten by the next.
///
/// Which rows there are is written twice. Where one of the two is damaged, the other counts ([`damaged`](Index::damaged)), and
/// nothing is added until [`repair`](Index::repair) has written both anew.
///
/// ```
/// use warpface::Device;
/// use warpface::face::Embeddings;
/// use warpface::vectors::search::{Index, Storage, Table};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("people.index");
/// let device = Device::cpu(1)?;
/// let rows = |values: Vec<f32>| Table::from(Embeddings::new(2, values));
/// let people = rows(vec![1.0, 0.0, 0.0, 1.0]).with_names(vec!["ann".into(), "bob".into()])?;
/// Index::build(&path, &device, &people, Storage::F32)?;
/// Index::add(&path, &device, &rows(vec![0.6, 0.8]).with_names(vec!["cem".into()])?)?;
///
/// let index = Index::open(&path)?;
/// let near = index.neighbours(&device)?;
/// let hits = near.nearest(&Embeddings::new(2, vec![0.6, 0.8]), 2)?;
/// assert_eq!((hits[0][0].row, index.name(2), hits[0][0].distance), (2, Some("cem"), 0.0));
/// # Ok::<(), warpface::Error>(())
/// ```
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
    map: Mapped,
    head: Head,
    damaged: bool,
    segments: Vec<Segment>,
    origin: Option<Origin>,
}

/// The JSON of an index.
#[derive(Serialize, Deserialize)]
struct Facts {
    /// What made the vectors.
    origin: Option<Origin>,
}

impl Index {
    /// Writes a new index, which appears whole or not at all, in place of what was there.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Invalid`] for rows that cannot be compared, as [`Neighbours::new`], or stored.
    pub fn build(path: impl AsRef<Path>, device: &Device, table: &Table, storage: Storage) -> Result<()> {
        let path = path.as_ref();
        little_endian(path)?;
        if table.is_empty() || table.dim() > MAX_DIM {
            let problem = format!(
                "{} of {} values: an index begins with one or more of up to {MAX_DIM}",
                table.len(),
                table.dim()
            );
            return Err(Error::invalid("rows", problem));
        }
        let mut file = Aside::create(path).map_err(Error::io(path, "create"))?;
        let host = device.host()?;
        let mut writer = Writer { disk: &mut file, path, host: &host };
        let head = writer.begin(table.dim(), storage, &facts(table))?;
        writer.append(&head, table)?;
        file.put().map_err(Error::io(path, "write"))
    }

    /// Adds rows behind those that are there, and returns how many there are then. Readers that are open keep what they have.
    ///
    /// # Errors
    /// As [`Index::build`] and [`Index::open`]; [`Error::Data`] for rows of another length, and [`Error::Invalid`] for those of
    /// another model. The index is then as it was.
    pub fn add(path: impl AsRef<Path>, device: &Device, table: &Table) -> Result<usize> {
        Index::add_waiting(path, device, table, |_| ())
    }

    /// As [`add`](Index::add); `waits` is called once if another process has the index open, with how long it is waited for.
    ///
    /// # Errors
    /// As [`Index::add`].
    pub fn add_waiting(
        path: impl AsRef<Path>,
        device: &Device,
        table: &Table,
        waits: impl FnOnce(Duration),
    ) -> Result<usize> {
        let path = path.as_ref();
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(Error::io(path, "open"))?;
        lock(&file, path, File::try_lock, waits)?;
        let (head, origin) = {
            let index = Index::of(path.to_owned(), file.try_clone().map_err(Error::io(path, "open"))?)?;
            index.require_whole()?;
            (index.head, index.origin)
        };
        if table.dim() as u64 != head.dim && !table.is_empty() {
            let problem =
                format!("holds vectors of {} values, and these have {}: build another", head.dim, table.dim());
            return Err(Error::data(path, problem));
        }
        if let (Some(ours), Some(theirs)) = (table.origin(), &origin) {
            ours.require(theirs, &format!("{}", path.display()))?;
        }
        if head.rows.saturating_add(table.len() as u64) > u64::from(u32::MAX) {
            return Err(Error::data(path, format!("would have more than {} rows", u32::MAX)));
        }
        if table.is_empty() {
            return Ok(head.rows as usize);
        }
        let host = device.host()?;
        let head = Writer { disk: &mut file, path, host: &host }.append(&head, table)?;
        Ok(head.rows as usize)
    }

    /// Writes both head blocks of an index anew where one is damaged, from the other. Bytes behind the end that this one
    /// names stay, as they may be rows that the damaged one named: what is added comes behind them. Returns whether one
    /// was damaged. `waits` is as for [`add_waiting`](Index::add_waiting).
    ///
    /// # Errors
    /// As [`Index::open`], and [`Error::Io`] if it cannot be written.
    pub fn repair(path: impl AsRef<Path>, device: &Device, waits: impl FnOnce(Duration)) -> Result<bool> {
        let path = path.as_ref();
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(Error::io(path, "open"))?;
        lock(&file, path, File::try_lock, waits)?;
        let (mut head, damaged) = {
            let index = Index::of(path.to_owned(), file.try_clone().map_err(Error::io(path, "open"))?)?;
            (index.head, index.damaged)
        };
        if damaged {
            head.end = file.metadata().map_err(Error::io(path, "read"))?.len();
            Writer { disk: &mut file, path, host: &device.host()? }.commit(&head)?;
        }
        Ok(damaged)
    }

    /// Opens an index.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] for a file that is no index, is of another version, damaged or cut short, or that another
    /// process adds to for a long time.
    pub fn open(path: impl AsRef<Path>) -> Result<Index> {
        Index::open_waiting(path, |_| ())
    }

    /// As [`open`](Index::open); `waits` is called once if another process adds to the index, with how long it is waited for.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn open_waiting(path: impl AsRef<Path>, waits: impl FnOnce(Duration)) -> Result<Index> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        lock(&file, path, File::try_lock_shared, waits)?;
        Index::of(path.to_owned(), file)
    }

    /// Whether a file begins as an index does.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn is_one(path: impl AsRef<Path>) -> Result<bool> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let mut start = Vec::new();
        file.take(BODY).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
        // Either block tells, so that a damaged one does not make it something else.
        Ok(HEADS.iter().any(|&at| start.get(at as usize..).is_some_and(|block| block.starts_with(&layout::MAGIC))))
    }

    fn of(path: PathBuf, mut file: File) -> Result<Index> {
        little_endian(&path)?;
        let (head, damaged) = head(&path, &mut file)?;
        let wrong = |problem: &str| Error::data(&path, problem);
        let map = Mapped::new(&file, head.end as usize).map_err(Error::io(&path, "map"))?;
        let (mut segments, mut at) = (Vec::new(), head.last);
        while at != 0 {
            let header = usize::try_from(at).ok().and_then(|at| map.get(at..at.checked_add(SEGMENT_LEN)?));
            let segment = header.and_then(|header| Segment::read(header, at, &head));
            // Each lies before the one that names it, so that this ends.
            let segment = segment.filter(|segment| segment.previous < at && segment.end <= head.end);
            let segment = segment.ok_or_else(|| wrong(DAMAGED))?;
            at = segment.previous;
            segments.push(segment);
        }
        segments.reverse();
        let rows = segments.iter().try_fold(0u64, |sum, segment| sum.checked_add(segment.rows));
        if rows != Some(head.rows) || head.rows > u64::from(u32::MAX) || head.dim > MAX_DIM as u64 || head.dim == 0 {
            return Err(wrong(DAMAGED));
        }
        let json = map.get(BODY as usize..(BODY.saturating_add(head.json)) as usize).ok_or_else(|| wrong(DAMAGED))?;
        let Facts { origin } = serde_json::from_slice(json).map_err(|_| wrong(DAMAGED))?;
        Ok(Index { path, _file: file, map, head, damaged, segments, origin })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.head.rows as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.head.dim as usize
    }

    /// Whether one of the two head blocks, which say how many rows there are, is damaged. The other counts: all rows are
    /// there, but for those of an [`add`](Index::add) that was interrupted.
    pub fn damaged(&self) -> bool {
        self.damaged
    }

    /// Refuses an index with a damaged head block.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub(crate) fn require_whole(&self) -> Result<()> {
        match self.damaged {
            false => Ok(()),
            true => Err(Error::data(
                &self.path,
                message![
                    format!("has a damaged head block; the other one names {} rows: ", self.len()),
                    "if that is right, write both anew by ",
                    Field("repair"),
                    ", else take a copy"
                ],
            )),
        }
    }

    /// How rows are stored.
    pub fn storage(&self) -> Storage {
        self.head.storage
    }

    /// What made the vectors, where it is known.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// A row's name, where it has one.
    pub fn name(&self, row: usize) -> Option<&str> {
        let mut row = row as u64;
        for segment in &self.segments {
            if row < segment.rows {
                let place = |row: u64| {
                    let place: &u64 = self.values::<u64>(segment.places, segment.rows + 1).get(row as usize)?;
                    Some(u64::from_le(*place))
                };
                let text = segment.has_names().then(|| self.values::<u8>(segment.names, segment.text))?;
                let begin = place(row).filter(|begin| begin & layout::NO_NAME == 0)?;
                let end = place(row + 1)? & !layout::NO_NAME;
                return std::str::from_utf8(text.get(begin as usize..end as usize)?).ok();
            }
            row -= segment.rows;
        }
        None
    }

    /// What finds neighbours among the rows.
    ///
    /// # Errors
    /// [`Error::Device`] if its threads cannot be started; [`Error::Data`] for a file that is damaged.
    pub fn neighbours<'a>(&'a self, device: &'a Device) -> Result<Neighbours<'a>> {
        let (mut parts, mut first) = (Vec::new(), 0);
        for segment in &self.segments {
            let (rows, values) = (segment.rows, segment.rows * self.head.dim);
            let values = match self.head.storage {
                Storage::F16 => Values::F16(self.values(segment.values, values)),
                _ => Values::F32(self.values(segment.values, values)),
            };
            let norms = self.values(segment.norms, rows);
            check_norms(values, norms, self.dim(), "row", first).map_err(|_| Error::data(&self.path, DAMAGED))?;
            first += rows as usize;
            let codes = (self.head.storage == Storage::Int8).then(|| {
                let bytes = rows * stride(self.dim()) as u64;
                (self.values(segment.codes, bytes), self.values(segment.coded, rows))
            });
            parts.push(Part { values, norms: Cow::Borrowed(norms), codes });
        }
        Neighbours::of(device, device.host()?, self.dim(), parts)
    }

    /// Values that lie in the file: parts of a segment, which lies in the map.
    fn values<T: bytemuck::AnyBitPattern>(&self, at: u64, count: u64) -> &[T] {
        bytemuck::cast_slice(&self.map[at as usize..][..count as usize * size_of::<T>()])
    }
}

const DAMAGED: &str = "is damaged: its parts do not fit each other; build it again, or take a copy";

/// The head block that counts, of a file that is long enough, and whether the other one is damaged.
fn head(path: &Path, file: &mut File) -> Result<(Head, bool)> {
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(Error::io(path, "read"))?;
    file.take(BODY).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    let heads = [0, 1].map(|block| Head::read(start.get(HEADS[block] as usize..).unwrap_or_default(), block));
    let valid = heads.iter().flatten().max_by_key(|head| head.generation);
    let Some(head) = valid else {
        let version = heads.iter().find_map(|head| match head {
            Err(NoHead::Version(version)) => Some(*version),
            _ => None,
        });
        let problem = match version {
            _ if start.len() >= layout::MAGIC.len()
                && start[..16] != layout::MAGIC
                && heads[1] == Err(NoHead::Foreign) =>
            {
                "is no index; `warpface search build` makes one".to_owned()
            }
            Some(version) => format!("is an index of version {version}, and this program knows {}", layout::VERSION),
            None if start.len() < HEADS[1] as usize + HEAD_LEN => {
                "is cut short, or no index; take a copy, or build it again".to_owned()
            }
            None => DAMAGED.to_owned(),
        };
        return Err(Error::data(path, problem));
    };
    let bytes = file.metadata().map_err(Error::io(path, "read"))?.len();
    if head.end > bytes {
        let problem = format!("is cut short: {bytes} bytes of {}; take a copy, or build it again", head.end);
        return Err(Error::data(path, problem));
    }
    Ok((*head, heads.iter().any(Result::is_err)))
}

fn facts(table: &Table) -> Vec<u8> {
    // Neither a map with other keys than text nor a value that refuses to be written is in it.
    serde_json::to_vec(&Facts { origin: table.origin().cloned() }).unwrap_or_default()
}

/// Numbers are used where they lie.
fn little_endian(path: &Path) -> Result<()> {
    match cfg!(target_endian = "little") {
        true => Ok(()),
        false => Err(Error::data(path, "holds little-endian numbers, and this machine's are not")),
    }
}

/// Takes a lock, waiting for whoever has it; `waits` is told once.
fn lock(
    file: &File,
    path: &Path,
    take: impl Fn(&File) -> Result<(), TryLockError>,
    waits: impl FnOnce(Duration),
) -> Result<()> {
    let (start, mut waits) = (Instant::now(), Some(waits));
    loop {
        match take(file) {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                if let Some(waits) = waits.take() {
                    waits(PATIENCE);
                }
                std::thread::sleep(Duration::from_millis(20))
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::data(path, "is in use by another process; try again when that is done"));
            }
            Err(TryLockError::Error(source)) => return Err(Error::io(path, "lock")(source)),
        }
    }
}
