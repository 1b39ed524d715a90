//! Keras's HDF5 files: groups, one a layer, of datasets such as `model_weights/conv/conv/kernel:0` in an `.h5`.
//!
//! Keras 3's `.weights.h5`, which a `.keras` archive holds, has numbers in their place, `layers/conv2d_3/vars/0`, and the
//! layer's name as the attribute `name` of `vars`. Keras 2's have no names; its `.keras` has them in `config.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdf5_reader::group::Group;
use hdf5_reader::storage::{Storage, StorageBuffer};
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};

use super::Parsed;
use super::archive::Archive;
use super::collector::{Collector, Part};
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};
use super::keras_config;
use super::source::Source;
use super::view::Bytes;

/// Keras nests its groups four deep; links may form circles.
const MAX_DEPTH: usize = 16;

/// Adds every float dataset under its path from the root, without the leading slash.
pub(super) fn read(source: &Source, out: &mut Collector) -> Parsed<()> {
    read_named(source, &BTreeMap::new(), out)
}

/// As [`read`]; `names` are those of layers by the groups that their weights are in.
fn read_named(source: &Source, names: &BTreeMap<String, String>, out: &mut Collector) -> Parsed<()> {
    let limit = source.len().saturating_mul(64).saturating_add(1 << 16);
    let options = OpenOptions::default().with_max_read_bytes(limit);
    let file = Hdf5File::from_storage_with_options(Arc::new(source.clone()), options).map_err(damaged)?;
    let end = file.superblock().eof_address;
    if end > source.len() as u64 {
        return Err(damaged(format!("{end} bytes are wanted, of {}", source.len())));
    }
    let root = file.root_group().map_err(damaged)?;
    walk(&root, "", MAX_DEPTH, names, out)?;
    let is_numbered = |name: &str| name.contains("/vars/");
    if out.has_name(is_numbered) && !out.has_name(|name| !is_numbered(name)) {
        return Err(
            "has no names of its layers, as Keras 2 writes `.weights.h5`: save the model as `.h5` or `.keras`".into()
        );
    }
    Ok(())
}

/// Reads the weights of a `.keras` archive.
pub(super) fn read_archive(archive: &Archive, out: &mut Collector) -> Parsed<()> {
    let names = match archive.has(CONFIG) {
        true => keras_config::layer_names(&archive.read(CONFIG)?)?,
        false => BTreeMap::new(),
    };
    read_named(&archive.source_of(IN_ARCHIVE)?, &names, out)
}

/// Whether a zip archive is Keras's.
pub(super) fn is_archive(archive: &Archive) -> bool {
    archive.has(IN_ARCHIVE)
}

/// Which member of a `.keras` the weights are.
const IN_ARCHIVE: &str = "model.weights.h5";
/// Which describes the model.
const CONFIG: &str = "config.json";

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

fn walk(group: &Group, path: &str, depth: usize, names: &BTreeMap<String, String>, out: &mut Collector) -> Parsed<()> {
    let depth = depth.checked_sub(1).ok_or("is damaged: its HDF5 groups are nested without end")?;
    out.spend(1)?;
    let (groups, datasets) = group.members().map_err(damaged)?;
    let layer = path.strip_suffix("/vars/").and_then(|owner| {
        let name =
            group.attribute("name").ok().and_then(|name| name.read_string().ok()).filter(|name| !name.is_empty());
        Some(Numbered::new(owner, name.or_else(|| names.get(owner).cloned())?, datasets.len()))
    });
    for dataset in datasets {
        let name = match &layer {
            Some(layer) => layer.name_of(dataset.name()),
            None => format!("{path}{}", dataset.name()),
        };
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
        walk(&child, &format!("{path}{}/", child.name()), depth, names, out)?;
    }
    Ok(())
}

/// A layer whose weights have numbers.
struct Numbered {
    /// The layer's name, behind those of the groups around it.
    scope: String,
    parameters: &'static [&'static str],
}

impl Numbered {
    /// The layer of this name and so many weights, whose group is `owner/vars`: `owner` ends in its class.
    fn new(owner: &str, name: String, weights: usize) -> Self {
        let (outer, class) = owner.rsplit_once('/').unwrap_or(("", owner));
        let parameters: &[&str] = match (class.starts_with("batch_normalization"), weights) {
            (true, 4) => &["gamma", "beta", "moving_mean", "moving_variance"],
            // Without a scale.
            (true, _) => &["beta", "moving_mean", "moving_variance"],
            (false, _) => &["kernel", "bias"],
        };
        Numbered { scope: format!("{outer}/{name}"), parameters }
    }

    fn name_of(&self, number: &str) -> String {
        let parameter = number.parse::<usize>().ok().and_then(|i| self.parameters.get(i).copied());
        format!("{}/{}", self.scope, parameter.unwrap_or(number))
    }
}

fn damaged(e: impl std::fmt::Display) -> String {
    format!("is a damaged or cut HDF5 file ({e}); fetch it again")
}
