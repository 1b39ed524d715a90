// Gradient of the parametric rectifier with respect to its slopes.
//
//     y[c] = sum over rows of dy[row, c] * min(x[row, c], 0)
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
// dy: [rows, c] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// partial: [chunks, width] f32
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;
// sums: [width] f32
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

#include "lines"

#include "one_sum"

fn term(at: u32, channel: u32) -> Sums {
    return dy[at] * min(x[at], 0.0);
}

#include "chunk_sums"
