//! TensorFlow's V2 checkpoint, the "tensor bundle": `PREFIX.index` and `PREFIX.data-00000-of-00001`.
//!
//! The index is a LevelDB table (sorted keys, prefix-compressed in blocks) from tensor names to protocol buffers that
//! say where in which data file a tensor lies; see LevelDB's `doc/table_format.md` and TensorFlow's
//! `tensor_bundle.proto`. Both the blocks and the tensors carry a masked CRC-32C, which is verified.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;

use super::Parsed;
use super::collector::{Collector, Part};
use super::cursor::{Cursor, to_usize};
use super::dtype::Dtype;
use super::source::Source;
use super::tensorflow::{TensorShape, float};
use super::view::Bytes;
use super::wire::{self, Field, Fields};

/// LevelDB's magic number, the file's last 8 bytes.
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
/// Two block handles, padded, and the magic number.
pub(super) const FOOTER: usize = 48;
/// More data files than anybody writes.
const MAX_SHARDS: usize = 4096;

#[derive(Clone, PartialEq, Message)]
struct BundleHeader {
    #[prost(int32, tag = "1")]
    num_shards: i32,
    /// 0 is little, 1 is big.
    #[prost(int32, tag = "2")]
    endianness: i32,
}

#[derive(Clone, PartialEq, Message)]
struct BundleEntry {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShape>,
    #[prost(int32, tag = "3")]
    shard_id: i32,
    #[prost(int64, tag = "4")]
    offset: i64,
    #[prost(int64, tag = "5")]
    size: i64,
    #[prost(fixed32, tag = "6")]
    crc32c: u32,
    /// Present where a variable is stored in pieces, under other keys.
    #[prost(message, repeated, tag = "7")]
    slices: Vec<Slice>,
}

#[derive(Clone, PartialEq, Message)]
struct Slice {}

/// A checkpoint's table of contents.
pub(super) struct Index {
    pub shards: usize,
    big_endian: bool,
    entries: Vec<(String, BundleEntry)>,
    bytes: usize,
}

/// Whether these bytes end as a LevelDB table does.
pub(super) fn is_index(bytes: &[u8]) -> bool {
    bytes.len() >= FOOTER && bytes.ends_with(&MAGIC.to_le_bytes())
}

/// The index that belongs to a checkpoint's prefix or data file, if there is one.
pub(super) fn index_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let prefix = match name.rsplit_once(".data-") {
        Some((prefix, shard)) if shard.contains("-of-") => prefix,
        _ if path.is_file() => return None,
        _ => name,
    };
    Some(path.with_file_name(format!("{prefix}.index"))).filter(|index| index.is_file())
}

/// The data files beside an index.
pub(super) fn shard_paths(index: &Path, shards: usize) -> Parsed<Vec<PathBuf>> {
    let name = index.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let prefix = name.strip_suffix(".index").ok_or_else(|| {
        format!("is a checkpoint's index: name it `PREFIX.index` beside `PREFIX.data-00000-of-{shards:05}`")
    })?;
    Ok((0..shards).map(|i| index.with_file_name(format!("{prefix}.data-{i:05}-of-{shards:05}"))).collect())
}

/// Reads the table of contents.
pub(super) fn read_index(bytes: &[u8]) -> Parsed<Index> {
    let footer = bytes.len().checked_sub(FOOTER).and_then(|at| bytes.get(at..)).unwrap_or_default();
    if !is_index(bytes) {
        return Err("is no checkpoint index, or cut short; fetch it again".into());
    }
    let mut footer = Cursor::new(footer);
    let _metaindex = Handle::read(&mut footer)?;
    let root = Handle::read(&mut footer)?.block(bytes)?;
    let mut header: Option<BundleHeader> = None;
    let mut entries = Vec::new();
    for (_, handle) in pairs(&root)? {
        let block = Handle::read(&mut Cursor::new(&handle))?.block(bytes)?;
        for (key, value) in pairs(&block)? {
            if key.is_empty() {
                // The older form describes its tensors here, as a message; a bundle has numbers.
                if value.first() == Some(&0x0a) {
                    return Err("is a TensorFlow V1 checkpoint: restore it, and save it by a Saver of today \
                                (write_version V2)"
                        .into());
                }
                header = Some(BundleHeader::decode(value.as_slice()).map_err(damaged)?);
                continue;
            }
            let entry = BundleEntry::decode(value.as_slice()).map_err(damaged)?;
            // Pieces of partitioned variables have binary keys; the whole's entry reports them.
            if let Ok(name) = String::from_utf8(key) {
                entries.push((name, entry));
            }
        }
    }
    let header = header.ok_or("is damaged: the checkpoint's index has no header")?;
    let shards = to_usize(header.num_shards)?;
    if shards == 0 || shards > MAX_SHARDS {
        return Err(format!("is damaged: a checkpoint of {shards} data files"));
    }
    Ok(Index { shards, big_endian: header.endianness == 1, entries, bytes: bytes.len() })
}

/// Adds every float tensor, given the data files in order.
pub(super) fn read(index: &Index, shards: &[Source]) -> Parsed<Collector> {
    let total = shards.iter().fold(index.bytes, |n, shard| n.saturating_add(shard.len()));
    let mut out = Collector::new(total);
    let names = object_graph(index, shards)?;
    let mut seen = BTreeMap::new();
    for (key, entry) in &index.entries {
        let mut name = names.get(key).unwrap_or(key);
        // An object that two others have is stored under each of its paths; another one of the same name has other bytes.
        match seen.insert(name, entry) {
            Some(known) if (known.crc32c, known.size) == (entry.crc32c, entry.size) => continue,
            Some(_) => name = key,
            None => {}
        }
        let Some(float) = float(entry.dtype) else {
            out.skip(name, format!("TensorFlow type {}", entry.dtype))?;
            continue;
        };
        if !entry.slices.is_empty() {
            out.skip(name, "a partitioned variable: save it whole")?;
            continue;
        }
        let dims = entry.shape.as_ref().map_or(Ok(Vec::new()), TensorShape::dims)?;
        let (shard, at, len) = (to_usize(entry.shard_id)?, to_usize(entry.offset)?, to_usize(entry.size)?);
        let source = shard_with(shards, shard, at, len).map_err(|problem| format!("tensor `{name}`: {problem}"))?;
        let bytes = Arc::new(Checked { source: source.clone(), at, crc32c: unmask(entry.crc32c), shard });
        let dtype = Dtype { float, big_endian: index.big_endian };
        out.insert_stored(name, &dims, dtype, false, Part { bytes, len })?;
    }
    if out.is_empty() {
        return Err(format!("is a TensorFlow checkpoint, {}", out.why_empty()));
    }
    Ok(out)
}

/// The data file that has these bytes.
fn shard_with(shards: &[Source], shard: usize, at: usize, len: usize) -> Parsed<&Source> {
    let source = shards.get(shard).filter(|data| at.checked_add(len).is_some_and(|end| end <= data.len()));
    source.ok_or_else(|| format!("data file {shard} is missing or cut short; fetch it again"))
}

/// Where TensorFlow 2 keeps what its objects are called.
const OBJECT_GRAPH: &str = "_CHECKPOINTABLE_OBJECT_GRAPH";
/// A larger graph of objects than anybody writes.
const MAX_OBJECT_GRAPH: usize = 64 << 20;

/// The variables' own names by their keys, which TensorFlow 2 makes of the path from object to object:
/// `layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE`. An optimizer's variables keep their keys; their names are
/// those of the variables that they belong to.
fn object_graph(index: &Index, shards: &[Source]) -> Parsed<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    let Some((_, entry)) = index.entries.iter().find(|(key, _)| key == OBJECT_GRAPH) else { return Ok(names) };
    let (shard, at, len) = (to_usize(entry.shard_id)?, to_usize(entry.offset)?, to_usize(entry.size)?);
    let source = shard_with(shards, shard, at, len)?;
    if len > MAX_OBJECT_GRAPH {
        return Err("is damaged: its graph of objects is absurdly long".into());
    }
    // A tensor of one text: its length, the length's checksum, and the text.
    let stored = source.bytes(at..at + len)?;
    let mut cursor = Cursor::new(&stored);
    let text = cursor.varint()?;
    cursor.take(4)?;
    let graph = Source::memory(cursor.take(text)?);
    let mut nodes = Fields::of(&graph, 0..graph.len());
    while let Some((field, node)) = nodes.next()? {
        if let (1, Field::Bytes(node)) = (field, node) {
            attributes(&graph, node, &mut names)?;
        }
    }
    Ok(names)
}

/// Adds a node's attributes (2), each with the variable's name (2) and its key (3).
fn attributes(graph: &Source, node: Range<usize>, names: &mut BTreeMap<String, String>) -> Parsed<()> {
    let mut node = Fields::of(graph, node);
    while let Some((field, attribute)) = node.next()? {
        let (2, Field::Bytes(attribute)) = (field, attribute) else { continue };
        let (mut name, mut key) = (String::new(), String::new());
        let mut attribute = Fields::of(graph, attribute);
        while let Some(field) = attribute.next()? {
            match field {
                (2, Field::Bytes(range)) => name = wire::text(graph, range)?,
                (3, Field::Bytes(range)) => key = wire::text(graph, range)?,
                _ => {}
            }
        }
        if !name.is_empty() && !key.split('/').any(|part| part == "optimizer") {
            names.insert(key, name);
        }
    }
    Ok(())
}

/// A tensor's bytes, held against their checksum.
struct Checked {
    source: Source,
    at: usize,
    crc32c: u32,
    shard: usize,
}

impl Bytes for Checked {
    fn read(&self, to: &mut [u8]) -> Parsed<()> {
        self.source.read_at(self.at, to)?;
        match crc32c([&*to]) == self.crc32c {
            true => Ok(()),
            false => Err(format!("its checksum does not match, data file {} is damaged; fetch it again", self.shard)),
        }
    }
}

/// Where a block lies in the table.
struct Handle {
    offset: usize,
    size: usize,
}

impl Handle {
    fn read(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        Ok(Handle { offset: cursor.varint()?, size: cursor.varint()? })
    }

    /// The block's contents, verified and uncompressed. After them come one byte of compression and a checksum of both.
    fn block(&self, table: &[u8]) -> Parsed<Vec<u8>> {
        let end = self.offset.checked_add(self.size);
        let contents = end.and_then(|end| table.get(self.offset..end));
        let trailer = end.and_then(|end| table.get(end..end.checked_add(5)?));
        let (Some(contents), Some(&[kind, a, b, c, d])) = (contents, trailer) else {
            return Err("is damaged: a block of the checkpoint's index lies outside it".into());
        };
        if crc32c([contents, &[kind]]) != unmask(u32::from_le_bytes([a, b, c, d])) {
            return Err("is damaged: a block of the checkpoint's index does not match its checksum".into());
        }
        match kind {
            0 => Ok(contents.to_vec()),
            1 => {
                // Snappy's densest element makes 64 bytes of 3: a larger claim would only waste memory.
                let length = snap::raw::decompress_len(contents).map_err(damaged)?;
                if length > contents.len().saturating_mul(24) {
                    return Err("is damaged: a block of the checkpoint's index claims an absurd size".into());
                }
                snap::raw::Decoder::new().decompress_vec(contents).map_err(damaged)
            }
            _ => Err(format!("has an index block of unknown compression {kind}")),
        }
    }
}

/// A block's keys and values. Each key stores only what differs from the one before it.
fn pairs(block: &[u8]) -> Parsed<Vec<(Vec<u8>, Vec<u8>)>> {
    let cut = || "is damaged: a block of the checkpoint's index ends early".to_owned();
    let (rest, restarts) = block.split_last_chunk::<4>().ok_or_else(cut)?;
    let restarts = to_usize(u32::from_le_bytes(*restarts))?;
    let end = restarts.checked_mul(4).and_then(|n| rest.len().checked_sub(n)).ok_or_else(cut)?;
    let mut cursor = Cursor::new(rest.get(..end).ok_or_else(cut)?);
    let mut pairs = Vec::new();
    let mut key: Vec<u8> = Vec::new();
    // Shared prefixes let a key grow with every entry; keys stay within a few times the block.
    let mut budget = block.len().saturating_mul(64).saturating_add(1 << 16);
    while !cursor.is_at_end() {
        let (shared, unshared, length) = (cursor.varint()?, cursor.varint()?, cursor.varint()?);
        if shared > key.len() {
            return Err(cut());
        }
        key.truncate(shared);
        key.extend_from_slice(cursor.take(unshared)?);
        budget = budget.checked_sub(key.len()).ok_or("is damaged: the checkpoint index's names are absurdly long")?;
        pairs.push((key.clone(), cursor.take(length)?.to_vec()));
    }
    Ok(pairs)
}

fn damaged(e: impl std::fmt::Display) -> String {
    format!("is a damaged checkpoint index ({e}); fetch it again")
}

/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78) of the parts in a row.
fn crc32c<const N: usize>(parts: [&[u8]; N]) -> u32 {
    const TABLES: [[u32; 256]; 8] = tables();
    let mut crc = !0u32;
    for part in parts {
        // Eight bytes a step, each through its own table, so that hundreds of megabytes take well under a second.
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            let mixed = (u64::from_le_bytes(*word) ^ u64::from(crc)).to_le_bytes();
            crc = mixed.iter().rev().zip(&TABLES).fold(0, |crc, (&byte, table)| crc ^ table[usize::from(byte)]);
        }
        for &byte in rest {
            crc = (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
        }
    }
    !crc
}

/// `tables()[k][b]`: the checksum of byte `b` followed by `k` zero bytes.
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[k - 1][byte];
            tables[k][byte] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// Undoes LevelDB's masking, which keeps checksums of data that contains checksums useful.
fn unmask(masked: u32) -> u32 {
    masked.wrapping_sub(0xa282_ead8).rotate_left(15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_is_castagnolis() {
        // The check value of the CRC catalogue, and RFC 3720's example of 32 zero bytes.
        assert_eq!(crc32c([b"123456789".as_slice()]), 0xe306_9283);
        assert_eq!(crc32c([b"1234".as_slice(), b"56789"]), 0xe306_9283);
        assert_eq!(crc32c([[0u8; 32].as_slice()]), 0x8a91_36aa);
    }

    #[test]
    fn keys_share_prefixes() {
        let block = [0, 3, 1, b'a', b'b', b'c', 1, 2, 1, 1, b'd', 2, 0, 0, 0, 0, 1, 0, 0, 0];
        let pairs = pairs(&block).unwrap();
        assert_eq!(pairs, [(b"abc".to_vec(), vec![1]), (b"abd".to_vec(), vec![2])]);
        assert!(super::pairs(&[5, 1, 1, b'a', 1, 0, 0, 0, 0]).is_err(), "a key sharing more than there is");
    }
}
