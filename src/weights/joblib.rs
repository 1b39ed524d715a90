//! joblib's files: a pickle in which each array's bytes follow the object that stands for it, perhaps within an LZ4 frame.
//!
//! See `joblib/numpy_pickle.py`: a `NumpyArrayWrapper` has shape, order and type; behind it come the length of a padding, the
//! padding, and the bytes. The package mtcnn 1.0.0 keeps its weights so.

use super::Parsed;
use super::collector::Collector;
use super::cursor::Cursor;
use super::npy::{self, WRAPPER};
use super::pickle::{Id, Pickle};
use super::source::Source;

/// How an LZ4 frame begins.
const LZ4: &[u8] = b"\x04\x22\x4d\x18";

/// Whether the file is joblib's.
pub(super) fn is(head: &[u8]) -> bool {
    let names_joblib = head.windows(WRAPPER.len()).any(|window| window == WRAPPER.as_bytes());
    head.starts_with(LZ4) || (head.starts_with(b"\x80") && (names_joblib || split_name(head)))
}

/// Protocol 4 writes the module and the class apart.
fn split_name(head: &[u8]) -> bool {
    ["joblib.numpy_pickle", "NumpyArrayWrapper"]
        .iter()
        .all(|name| head.windows(name.len()).any(|window| window == name.as_bytes()))
}

/// Reads every array, under the names that dicts and the places in lists give.
pub(super) fn read(source: &Source, out: &mut Collector) -> Parsed<()> {
    let bytes = source.all()?;
    let bytes = if bytes.starts_with(LZ4) { unpack(&bytes)? } else { bytes };
    if !bytes.starts_with(b"\x80") {
        return Err("is an LZ4 frame, but not joblib's: no pickle is in it".into());
    }
    let pickle = Pickle::parse_inline(&bytes, |global| global == WRAPPER || npy::allowed(global), inline)?;
    npy::flatten(&pickle, pickle.root(), "", npy::MAX_DEPTH, out)
}

#[cfg(feature = "decode")]
fn unpack(bytes: &[u8]) -> Parsed<Vec<u8>> {
    use std::io::Read;

    /// LZ4 packs 255 bytes into one at best.
    const EXPANSION: u64 = 256;

    let mut unpacked = Vec::new();
    let frame = lz4_flex::frame::FrameDecoder::new(bytes);
    let most = EXPANSION.saturating_mul(bytes.len() as u64);
    let read = frame.take(most).read_to_end(&mut unpacked);
    read.map_err(|e| format!("is a damaged or cut LZ4 frame ({e}); fetch it again"))?;
    Ok(unpacked)
}

#[cfg(not(feature = "decode"))]
fn unpack(_: &[u8]) -> Parsed<Vec<u8>> {
    Err("is an LZ4 frame, which this build cannot read; build with the feature `decode`, or save it as .safetensors"
        .into())
}

/// The bytes behind an object that was just built, if it stands for an array.
fn inline<'a>(pickle: &Pickle<'a>, id: Id, cursor: &mut Cursor<'a>) -> Parsed<Option<&'a [u8]>> {
    let Some(array) = npy::wrapped(pickle, id) else { return Ok(None) };
    let len = array.shape.iter().try_fold(array.element_size, |n, &extent| n.checked_mul(extent));
    let len = len.ok_or("is damaged: an array is larger than any memory")?;
    if array.padded {
        let padding = cursor.u8()?;
        cursor.take(padding.into())?;
    }
    cursor.take(len).map(Some)
}
