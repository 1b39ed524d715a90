//! `.safetensors`: a JSON header of names, types, shapes and offsets, then the bytes.

use ::safetensors::Dtype as Stored;
use ::safetensors::tensor::Metadata;
use serde_json::{Map, Value, json};

use super::Parsed;
use super::collector::{Collector, Part};
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};
use super::source::Source;

/// A longer header than anybody writes; safetensors' own limit.
const MAX_HEADER: u64 = 100_000_000;

/// Whether the file begins with a header length that fits it, and JSON.
pub(super) fn is(head: &[u8]) -> bool {
    let Some((length, rest)) = head.split_first_chunk::<8>() else { return false };
    rest.first() == Some(&b'{') && u64::from_le_bytes(*length) <= MAX_HEADER
}

/// Reads the header, and adds every float tensor as it lies there.
pub(super) fn read(source: &Source, out: &mut Collector) -> Parsed<()> {
    let mut length = [0; 8];
    source.read_at(0, &mut length)?;
    let begin = to_usize(u64::from_le_bytes(length))?.saturating_add(8);
    let header = source.bytes(8..begin)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|e| format!("is a damaged or cut safetensors file ({e}); fetch it again"))?;
    for (name, value) in metadata.metadata().iter().flatten() {
        out.learn(name, value)?;
    }
    let mut end = begin;
    for (name, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let place = begin.checked_add(to).zip(to.checked_sub(from)).filter(|&(to, _)| to <= source.len());
        let (to, len) = place.ok_or_else(|| {
            format!("is a damaged or cut safetensors file (tensor `{name}` lies outside it); fetch it again")
        })?;
        end = end.max(to);
        let float = match info.dtype {
            Stored::F16 => Float::F16,
            Stored::BF16 => Float::Bf16,
            Stored::F32 => Float::F32,
            Stored::F64 => Float::F64,
            other => {
                out.skip(&name, format!("type {other:?}"))?;
                continue;
            }
        };
        let part = Part::of(source, to - len, len);
        out.insert_stored(&name, &info.shape, Dtype::little(float), false, part)?;
    }
    match end == source.len() {
        true => Ok(()),
        false => Err(format!("is a damaged safetensors file: its tensors end at byte {end} of {}", source.len())),
    }
}

/// What a file begins with, for tensors in the order in which their values follow: the header's length and the header, padded to
/// 8 bytes. Of each tensor its name, the format's name of its type, its extents, and its bytes.
pub(crate) fn beginning<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a str, &'a [usize], usize)>,
    facts: &super::ModelFacts,
) -> Parsed<Vec<u8>> {
    let (mut header, mut end) = (Map::new(), 0);
    for (name, dtype, dims, bytes) in tensors {
        let start = end;
        end += bytes;
        let place = json!({ "dtype": dtype, "shape": dims, "data_offsets": [start, end] });
        if name == "__metadata__" || header.insert(name.to_owned(), place).is_some() {
            return Err(format!("two tensors are called `{name}`, or that name is the format's own"));
        }
    }
    let facts: Map<_, _> = facts.named().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    if !facts.is_empty() {
        header.insert("__metadata__".to_owned(), facts.into());
    }
    let mut header = Value::from(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok([&(header.len() as u64).to_le_bytes()[..], &header].concat())
}
