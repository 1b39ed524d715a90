//! TensorFlow's checkpoints. The first two bytes of the input say where the index ends and the data begins.
//!
//! Arbitrary bytes never pass the footer's handles and the blocks' checksums, so the input is also built into a table that
//! is whole: its first part is what the block of entries holds, in four ways, each one deeper than the one before.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use warpface::weights::load_checkpoint_bytes;
use warpface_fuzz::read_all;

fuzz_target!(|input: (u16, &[u8])| {
    let (length, bytes) = input;
    let (index, data) = bytes.split_at(usize::from(length).min(bytes.len()));
    let load = |index: &[u8]| {
        if let Ok(map) = load_checkpoint_bytes(Path::new("fuzz"), index, &[data]) {
            read_all(&map);
        }
    };
    load(index);
    // Blocks of any bytes, stored and compressed.
    load(&table(index, 0));
    load(&table(index, 1));
    // Entries of any names and any protocol buffers.
    load(&table(&entries(index), 0));
    // Tensors of any type, extents and place, whose checksum is that of the data they name.
    load(&table(&tensors(index, data), 0));
});

/// An index with one block of entries, and everything else as it should be.
fn table(entries: &[u8], compression: u8) -> Vec<u8> {
    let mut table = Vec::new();
    let first = block(&mut table, entries, compression);
    let mut root = Vec::new();
    // A key that sorts behind all others, and where its block lies.
    pair(&mut root, b"\xff", &first);
    root.extend(restarts());
    let root = block(&mut table, &root, 0);
    let meta = block(&mut table, &restarts(), 0);
    let mut footer = [meta, root].concat();
    footer.resize(40, 0);
    table.extend(footer);
    table.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    table
}

/// Appends a block with its checksum, and gives its handle.
fn block(table: &mut Vec<u8>, contents: &[u8], compression: u8) -> Vec<u8> {
    let mut handle = varint(table.len() as u64);
    handle.extend(varint(contents.len() as u64));
    let begin = table.len();
    table.extend_from_slice(contents);
    table.push(compression);
    let sum = masked(&table[begin..]);
    table.extend(sum.to_le_bytes());
    handle
}

/// A block of the header and of entries made of the bytes: each a name's and a value's length, and the two.
fn entries(bytes: &[u8]) -> Vec<u8> {
    let mut contents = header();
    let mut rest = bytes;
    while let Some((&[name, value], after)) = rest.split_first_chunk() {
        let (name, after) = after.split_at(usize::from(name).min(after.len()));
        let (value, after) = after.split_at(usize::from(value).min(after.len()));
        pair(&mut contents, name, value);
        rest = after;
    }
    contents.extend(restarts());
    contents
}

/// A block of the header and of tensors, eight bytes each: type, three extents, offset, size, and flags.
fn tensors(bytes: &[u8], data: &[u8]) -> Vec<u8> {
    let mut contents = header();
    for (i, &[dtype, a, b, c, offset, low, high, flags]) in bytes.as_chunks().0.iter().enumerate() {
        let (offset, size) = (usize::from(offset), usize::from(u16::from_le_bytes([low, high])));
        let mut value = field(1, u64::from(dtype));
        let mut shape = Vec::new();
        for extent in &[a, b, c][..usize::from(flags % 4)] {
            let extent = field(1, u64::from(*extent));
            shape.extend(message(2, &extent));
        }
        value.extend(message(2, &shape));
        value.extend(field(3, u64::from(flags >> 7)));
        value.extend(field(4, offset as u64));
        value.extend(field(5, size as u64));
        if flags & 0x40 != 0 {
            value.extend(message(7, &[]));
        }
        // Field 6 has four bytes.
        value.push(0x35);
        value.extend(masked(data.get(offset..offset + size).unwrap_or_default()).to_le_bytes());
        pair(&mut contents, format!("tensor {i:05}").as_bytes(), &value);
    }
    contents.extend(restarts());
    contents
}

/// The entry of the empty name: one data file, little-endian.
fn header() -> Vec<u8> {
    let mut contents = Vec::new();
    pair(&mut contents, b"", &field(1, 1));
    contents
}

/// A key that shares nothing with the one before, and its value.
fn pair(block: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    block.push(0);
    block.extend(varint(key.len() as u64));
    block.extend(varint(value.len() as u64));
    block.extend_from_slice(key);
    block.extend_from_slice(value);
}

/// One restart, at the block's beginning.
fn restarts() -> [u8; 8] {
    [0, 0, 0, 0, 1, 0, 0, 0]
}

/// A number as a field of a protocol buffer.
fn field(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

/// Bytes as one.
fn message(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// CRC-32C as LevelDB masks it, bit by bit: inputs are small.
fn masked(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    let crc = !bytes.iter().fold(!0, |crc: u32, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)));
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}
