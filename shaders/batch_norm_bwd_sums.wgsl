// Sums that the gradients of batch normalization need.
//
//     y[0, c] = sum over rows of dz[row, c], y[1, c] = sum over rows of dz[row, c] * xhat[row, c]
//
// In two stages, over chunks of rows and over chunks: see shared/chunk_sums.wgsl.
// Operations: ten an element. Bytes: each input read once.

struct Params {
    rows: u32,
    c: u32,
    // Rows of a chunk, and chunks.
    chunk: u32,
    chunks: u32,
    // Sums of a chunk: two a channel.
    width: u32,
    epsilon: f32,
    // Bits: 1 relu, 2 gamma.
    flags: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// moments: [3, c] f32
@group(0) @binding(2) var<storage, read> moments: array<f32>;
// beta: [c] f32
@group(0) @binding(3) var<storage, read> beta: array<f32>;
// gamma: [c] f32
@group(0) @binding(4) var<storage, read> gamma: array<f32>;
// dy: [rows, c] f32
@group(0) @binding(5) var<storage, read_write> dy: array<f32>;
// partial: [chunks, width] f32
@group(0) @binding(6) var<storage, read_write> partial: array<f32>;
// sums: [width] f32
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;

#include "batch_norm_layer"

#include "batch_norm_gradient"

#include "lines"

#include "two_sums"

fn term(at: u32, channel: u32) -> Sums {
    let value = normalized(x[at], channel);
    let dz = before(dy[at], value, channel);
    return vec2(dz, dz * value);
}

#include "chunk_sums"
