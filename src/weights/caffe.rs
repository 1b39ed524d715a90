//! Caffe's `.caffemodel`: a protocol buffer of layers with their blobs.
//!
//! The messages are Caffe's `caffe.proto`: `NetParameter`, `LayerParameter` and its predecessor `V1LayerParameter`,
//! `BlobProto`, `BlobShape`. Blob `i` of layer `conv1` is named `conv1/i`: filters or weights, then biases; slopes of a
//! PReLU. Both are in the order outputs, inputs, rows, columns.

use std::ops::Range;

use super::collector::{Collector, Part};
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};
use super::source::Source;
use super::wire::{self, Field, Fields};
use super::{Parsed, damaged};

/// How a `LayerParameter` begins, field 100 of the net.
const LAYER: &[u8] = &[0xa2, 0x06];
/// How its predecessor begins (field 2), and an input (3).
const OTHERS: [u8; 2] = [0x12, 0x1a];

/// Whether the file begins like a net: perhaps with its name, which is text, then with a layer or an input.
pub(super) fn is(head: &[u8]) -> bool {
    let is_field = |rest: &[u8]| rest.starts_with(LAYER) || rest.first().is_some_and(|first| OTHERS.contains(first));
    let Some((&0x0a, rest)) = head.split_first() else { return head.starts_with(LAYER) };
    let Some((&length, rest)) = rest.split_first() else { return false };
    let (name, rest) = rest.split_at(rest.len().min(length.into()));
    length < 0x80 && name.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic()) && is_field(rest)
}

/// Adds every blob as it lies there.
pub(super) fn read(source: &Source, out: &mut Collector) -> Parsed<()> {
    let damaged = |problem| damaged("Caffe model", problem);
    let mut net = Fields::of(source, 0..source.len());
    while let Some((field, value)) = net.next().map_err(damaged)? {
        // The name and the blobs of a layer are fields 1 and 7, of the older kind 4 and 6.
        match (field, value) {
            (100, Field::Bytes(range)) => layer(source, range, [1, 7], out).map_err(damaged)?,
            (2, Field::Bytes(range)) => layer(source, range, [4, 6], out).map_err(damaged)?,
            _ => {}
        }
    }
    Ok(())
}

fn layer(source: &Source, range: Range<usize>, [name_field, blob_field]: [u64; 2], out: &mut Collector) -> Parsed<()> {
    let (mut name, mut blobs) = (String::new(), Vec::new());
    let mut fields = Fields::of(source, range);
    while let Some((field, value)) = fields.next()? {
        match value {
            Field::Bytes(text) if field == name_field => name = wire::text(source, text)?,
            Field::Bytes(blob) if field == blob_field => blobs.push(blob),
            _ => {}
        }
    }
    for (i, range) in blobs.into_iter().enumerate() {
        blob(source, range, &format!("{name}/{i}"), out)?;
    }
    Ok(())
}

/// A `BlobProto`: four extents (1 to 4) of old, now a shape (7); its values, packed (5).
fn blob(source: &Source, range: Range<usize>, name: &str, out: &mut Collector) -> Parsed<()> {
    let (mut old, mut shape, mut data, mut double) = ([None; 4], None, None, None);
    let mut fields = Fields::of(source, range);
    while let Some(field) = fields.next()? {
        match field {
            (axis @ 1..=4, Field::Number(extent)) => old[axis as usize - 1] = Some(to_usize(extent)?),
            (5, Field::Bytes(values)) => data = Some(values),
            (7, Field::Bytes(range)) => shape = Some(extents(source, range)?),
            (8, Field::Bytes(values)) => double = Some(values),
            _ => {}
        }
    }
    let (float, values) = match (data, double) {
        (Some(data), _) => (Float::F32, data),
        (None, Some(double)) => (Float::F64, double),
        (None, None) => return out.skip(name, "a blob without values"),
    };
    let dims = shape.unwrap_or_else(|| old.iter().map(|extent| extent.unwrap_or(1)).collect());
    // Blobs had four axes: a vector was `[1, 1, 1, n]`, a matrix `[1, 1, n, m]`.
    let leading = dims.iter().take(dims.len().saturating_sub(1)).take_while(|&&extent| extent == 1).count();
    let dims = if dims.len() == 4 && leading >= 2 { &dims[leading..] } else { &dims[..] };
    out.insert_stored(name, dims, Dtype::little(float), false, Part::of(source, values.start, values.len()))
}

/// A `BlobShape`: its extents (1), packed or one by one.
fn extents(source: &Source, range: Range<usize>) -> Parsed<Vec<usize>> {
    let mut dims = Vec::new();
    let mut fields = Fields::of(source, range);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Number(extent)) => dims.push(to_usize(extent)?),
            (1, Field::Bytes(packed)) => {
                for extent in wire::numbers(source, packed)? {
                    dims.push(to_usize(extent)?);
                }
            }
            _ => {}
        }
    }
    Ok(dims)
}
