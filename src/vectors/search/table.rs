//! Vectors in a file or in memory, with their names: what is searched, looked for, or put into an index.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::f16;

use super::Neighbours;
use super::neighbours::Part;
use crate::backend::Device;
use crate::backend::cpu::nearest::Values;
use crate::backend::mapped::Mapped;
use crate::error::Subject;
use crate::face::Embeddings;
use crate::vectors::Origin;
use crate::weights::npy;
use crate::{Error, Result};

/// Rows of one length, in memory or mapped from a file, and perhaps a name for each.
#[derive(Debug)]
pub struct Table {
    dim: usize,
    rows: Rows,
    names: Option<Vec<Option<String>>>,
    origin: Option<Origin>,
    /// Where it was read, for messages.
    file: Option<PathBuf>,
}

#[derive(Debug)]
enum Rows {
    Memory(Embeddings),
    /// From a byte on: f32, or f16.
    Mapped {
        map: Mapped,
        begin: usize,
        half: bool,
    },
}

impl From<Embeddings> for Table {
    fn from(rows: Embeddings) -> Table {
        Table { dim: rows.dim(), rows: Rows::Memory(rows), names: None, origin: None, file: None }
    }
}

impl Table {
    /// The rows of an `.npy` of `[n, d]` f16, f32 or f64 in C order; f16 and f32 as this processor stores them are mapped, not
    /// read. f64 is rounded to f32.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] for a file that is no such array, or is cut short.
    pub fn npy(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(Error::io(path, "read"))?;
        let bytes = file.metadata().map_err(Error::io(path, "read"))?.len();
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(npy::HEAD as u64).read_to_end(&mut head).map_err(Error::io(path, "read"))?;
        let (header, begin) = npy::split(&head).map_err(|problem| Error::data(path, problem))?;
        let wrong = |problem: String| Error::data(path, problem);
        let [rows, dim] = header.shape[..] else {
            let problem = format!("has the shape {:?}, and rows of vectors are [n, d]: reshape it", header.shape);
            return Err(wrong(problem));
        };
        if header.fortran && rows > 1 && dim > 1 {
            return Err(wrong("is in Fortran's order; save it by numpy.ascontiguousarray".to_owned()));
        }
        let size = match header.descr.as_str() {
            "<f2" | ">f2" => 2,
            "<f4" | ">f4" => 4,
            "<f8" | ">f8" => 8,
            other => {
                return Err(wrong(format!("holds {other}; vectors are f16, f32 or f64: save it by astype(\"f4\")")));
            }
        };
        let len = rows.checked_mul(dim).and_then(|n| n.checked_mul(size)).and_then(|n| n.checked_add(begin));
        let Some(len) = len.filter(|&len| len as u64 <= bytes) else {
            let problem = format!("is cut short: {bytes} bytes, and it promises {rows} x {dim} values; write it again");
            return Err(wrong(problem));
        };
        if dim == 0 && rows > 0 {
            return Err(wrong("has rows without values".to_owned()));
        }
        let native = header.descr.starts_with(if cfg!(target_endian = "little") { '<' } else { '>' });
        let rows = match native && size < 8 && begin.is_multiple_of(size) && rows > 0 {
            true => {
                let map = Mapped::new(&file, len).map_err(Error::io(path, "map"))?;
                Rows::Mapped { map, begin, half: size == 2 }
            }
            false => Rows::Memory(Embeddings::new(dim, read(&mut file, path, begin..len, dim, &header.descr)?)),
        };
        Ok(Table { dim, rows, names: None, origin: None, file: Some(path.to_owned()) })
    }

    /// With a name for each row.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another number of names than of rows.
    pub fn with_names(self, names: Vec<String>) -> Result<Table> {
        self.with_some_names(names.into_iter().map(Some).collect())
    }

    /// With a name for some rows.
    pub(super) fn with_some_names(mut self, names: Vec<Option<String>>) -> Result<Table> {
        if names.len() != self.len() {
            let problem = format!("{}, and there are {} rows: one for each", names.len(), self.len());
            return Err(Error::invalid("names", problem));
        }
        self.names = Some(names);
        Ok(self)
    }

    /// With what made the vectors.
    pub fn with_origin(mut self, origin: Option<Origin>) -> Table {
        self.origin = origin;
        self
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values().len() / self.dim.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// A row's name.
    pub fn name(&self, row: usize) -> Option<&str> {
        self.names.as_ref()?.get(row)?.as_deref()
    }

    /// Whether rows have names.
    pub fn has_names(&self) -> bool {
        self.names.is_some()
    }

    /// What made the vectors, where it is known.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// With the file that it was read from.
    #[cfg(feature = "parquet")]
    pub(super) fn of_file(mut self, path: &Path) -> Table {
        self.file = Some(path.to_owned());
        self
    }

    /// An error about a row, with the file that the row is from.
    pub(super) fn told(&self, error: Error) -> Error {
        match (&self.file, error) {
            (Some(file), Error::Invalid { what: Subject::Text(what), problem }) => {
                Error::data(file, format!("{what}: {problem}"))
            }
            (_, error) => error,
        }
    }

    /// Refuses rows that have no distance; `what` is what a row is called.
    ///
    /// # Errors
    /// [`Error::Data`] that names the file, and [`Error::Invalid`] for rows of none; [`Error::Device`] if the device's
    /// threads cannot be started.
    pub fn check(&self, device: &Device, what: &str) -> Result<()> {
        let checked = Part::new(&device.host()?, self.values(), self.dim, what, 0).map(drop);
        checked.map_err(|error| self.told(error))
    }

    /// These rows, in f32.
    pub fn rows(&self, rows: Range<usize>) -> Embeddings {
        let values = match self.values().rows(rows, self.dim) {
            Values::F32(values) => values.to_vec(),
            Values::F16(values) => values.iter().map(|x| x.to_f32()).collect(),
        };
        Embeddings::new(self.dim, values)
    }

    /// What finds neighbours among the rows.
    ///
    /// # Errors
    /// As [`Neighbours::new`].
    pub fn neighbours<'a>(&'a self, device: &'a Device) -> Result<Neighbours<'a>> {
        let host = device.host()?;
        let part = Part::new(&host, self.values(), self.dim, "row", 0).map_err(|error| self.told(error))?;
        Neighbours::of(device, host, self.dim, vec![part])
    }

    pub(super) fn values(&self) -> Values<'_> {
        match &self.rows {
            Rows::Memory(rows) => Values::F32(rows.as_slice()),
            Rows::Mapped { map, begin, half: true } => Values::F16(bytemuck::cast_slice::<u8, f16>(&map[*begin..])),
            Rows::Mapped { map, begin, half: false } => Values::F32(bytemuck::cast_slice::<u8, f32>(&map[*begin..])),
        }
    }
}

/// Values that are not stored as this processor has them, a piece at a time.
fn read(file: &mut File, path: &Path, bytes: Range<usize>, dim: usize, descr: &str) -> Result<Vec<f32>> {
    let size = match descr {
        "<f8" | ">f8" => 8,
        "<f4" | ">f4" => 4,
        _ => 2,
    };
    let value = |bytes: &[u8]| -> f64 {
        let mut little = [0; 8];
        little[..bytes.len()].copy_from_slice(bytes);
        if descr.starts_with('>') {
            little[..bytes.len()].reverse();
        }
        match bytes.len() {
            8 => f64::from_le_bytes(little),
            4 => f32::from_le_bytes([little[0], little[1], little[2], little[3]]).into(),
            _ => f16::from_le_bytes([little[0], little[1]]).into(),
        }
    };
    let mut values = Vec::with_capacity(bytes.len() / size);
    let mut piece = vec![0; 1 << 20];
    file.seek(SeekFrom::Start(bytes.start as u64)).map_err(Error::io(path, "read"))?;
    let mut left = bytes.len();
    while left > 0 {
        let piece = &mut piece[..left.min(1 << 20)];
        file.read_exact(piece).map_err(Error::io(path, "read"))?;
        for wide in piece.chunks_exact(size).map(value) {
            if is_beyond(wide) {
                return Err(Error::data(path, beyond(values.len() / dim)));
            }
            values.push(wide as f32);
        }
        left -= piece.len();
    }
    Ok(values)
}

/// Whether a number is too large for f32.
pub(super) fn is_beyond(wide: f64) -> bool {
    wide.is_finite() && (wide as f32).is_infinite()
}

/// What is wrong with a row that has a number too large for f32.
pub(super) fn beyond(row: usize) -> String {
    format!("row {row} has a value that is beyond f32's range, {:.1e}; scale all rows down", f32::MAX)
}

/// Names from a text file, a line each.
///
/// # Errors
/// [`Error::Io`] for a file that cannot be read, or is no UTF-8.
pub fn names_of(path: impl AsRef<Path>) -> Result<Vec<String>> {
    let path: PathBuf = path.as_ref().to_owned();
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path, "read"))?;
    Ok(text.lines().map(str::to_owned).collect())
}
