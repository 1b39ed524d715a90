// Sums over everything but channels: the gradient of a bias.
//
//     y[c] = sum over rows of x[row, c]
//
// In two stages, over chunks of rows and over chunks: see shared/chunk_sums.wgsl.
// Operations: two an element. Bytes: each input read once.

struct Params {
    rows: u32,
    c: u32,
    // Rows of a chunk, and chunks.
    chunk: u32,
    chunks: u32,
    // Sums of a chunk: one a channel.
    width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// partial: [chunks, width] f32
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
// sums: [width] f32
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

#include "lines"

#include "one_sum"

fn term(at: u32, channel: u32) -> Sums {
    return x[at];
}

#include "chunk_sums"
