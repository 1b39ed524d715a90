//! Keras's `.h5`: an HDF5 file of groups, one a layer, and datasets such as `model_weights/conv/conv/kernel:0`.

use hdf5_reader::group::Group;
use hdf5_reader::{ByteOrder, Datatype, Hdf5File, OpenOptions};

use super::Parsed;
use super::collector::Collector;
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};

/// Keras nests its groups four deep; links may form circles.
const MAX_DEPTH: usize = 16;

/// Reads every float dataset under its path from the root, without the leading slash.
pub(super) fn read(bytes: &[u8], out: &mut Collector) -> Parsed<()> {
    let options = OpenOptions::default().with_max_read_bytes(bytes.len().saturating_mul(64).saturating_add(1 << 16));
    let file = Hdf5File::from_vec_with_options(bytes.to_vec(), options).map_err(damaged)?;
    let root = file.root_group().map_err(damaged)?;
    walk(&root, "", MAX_DEPTH, out)
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
        let data = dataset.read_raw_bytes().map_err(damaged)?;
        out.insert_bytes(&name, &dims, dtype, false, &data)?;
    }
    for child in groups {
        walk(&child, &format!("{path}{}/", child.name()), depth, out)?;
    }
    Ok(())
}

fn damaged(e: impl std::fmt::Display) -> String {
    format!("is a damaged or cut HDF5 file ({e}); fetch it again")
}
