//! Keras's `.h5`: an HDF5 file of groups, one a layer, and datasets such as `model_weights/conv/conv/kernel:0`.

use std::sync::Arc;

use hdf5_reader::group::Group;
use hdf5_reader::storage::{Storage, StorageBuffer};
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};

use super::Parsed;
use super::collector::{Collector, Part};
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};
use super::source::Source;
use super::view::Bytes;

/// Keras nests its groups four deep; links may form circles.
const MAX_DEPTH: usize = 16;

/// Adds every float dataset under its path from the root, without the leading slash.
pub(super) fn read(source: &Source, out: &mut Collector) -> Parsed<()> {
    let limit = source.len().saturating_mul(64).saturating_add(1 << 16);
    let options = OpenOptions::default().with_max_read_bytes(limit);
    let file = Hdf5File::from_storage_with_options(Arc::new(source.clone()), options).map_err(damaged)?;
    let end = file.superblock().eof_address;
    if end > source.len() as u64 {
        return Err(damaged(format!("{end} bytes are wanted, of {}", source.len())));
    }
    let root = file.root_group().map_err(damaged)?;
    walk(&root, "", MAX_DEPTH, out)
}

/// HDF5's own reads.
impl Storage for Source {
    fn len(&self) -> u64 {
        Source::len(self) as u64
    }

    fn read_range(&self, offset: u64, len: usize) -> hdf5_reader::error::Result<StorageBuffer> {
        let bytes = to_usize(offset).and_then(|at| self.bytes(at..at.saturating_add(len)));
        bytes.map(StorageBuffer::from_vec).map_err(|problem| std::io::Error::other(problem).into())
    }
}

/// A dataset, read when it is wanted.
struct Stored(Dataset);

impl Bytes for Stored {
    fn read(&self, to: &mut [u8]) -> Parsed<()> {
        self.0.read_raw_bytes_into(to).map_err(damaged)
    }
}

fn walk(group: &Group, path: &str, depth: usize, out: &mut Collector) -> Parsed<()> {
    let depth = depth.checked_sub(1).ok_or("is damaged: its HDF5 groups are nested without end")?;
    out.spend(1)?;
    let (groups, datasets) = group.members().map_err(damaged)?;
    for dataset in datasets {
        let name = format!("{path}{}", dataset.name());
        let &Datatype::FloatingPoint { size, byte_order } = dataset.dtype() else {
            out.skip(&name, "not a float dataset")?;
            continue;
        };
        let float = match size {
            2 => Float::F16,
            4 => Float::F32,
            8 => Float::F64,
            _ => {
                out.skip(&name, format!("a float of {size} bytes"))?;
                continue;
            }
        };
        let dims = dataset.shape().iter().map(|&d| to_usize(d)).collect::<Parsed<Vec<_>>>()?;
        let dtype = Dtype { float, big_endian: byte_order == ByteOrder::BigEndian };
        let len = dataset.raw_byte_len().map_err(damaged)?;
        out.insert_stored(&name, &dims, dtype, false, Part { bytes: Arc::new(Stored(dataset)), len })?;
    }
    for child in groups {
        walk(&child, &format!("{path}{}/", child.name()), depth, out)?;
    }
    Ok(())
}

fn damaged(e: impl std::fmt::Display) -> String {
    format!("is a damaged or cut HDF5 file ({e}); fetch it again")
}
