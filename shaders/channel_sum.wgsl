// Sums over everything but channels: the gradient of a bias.
//
//     y[c] = sum over rows of x[row, c]
//
// In two stages. A workgroup of 256 threads takes 32 channels and a chunk of the rows, of which each of its 8 lines of 32
// threads takes every eighth; then the lines are added in order. The second stage adds the chunks in order, a line an
// eighth of them. The chunks' length is chosen by the extents alone: two runs give the same bits.
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

@compute @workgroup_size(256)
fn channel_sum_chunk(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let line = thread / 32u;
    let lane = thread % 32u;
    let channel = group.x * 32u + lane;
    let end = min((group.y + 1u) * p.chunk, p.rows);
    var sum0 = 0.0;
    if (channel < p.c) {
        for (var row = group.y * p.chunk + line; row < end; row += 8u) {
            let at = row * p.c + channel;
            sum0 += x[at];
        }
    }
    let total0 = over_lines(sum0, line, lane);
    if (line == 0u && channel < p.c) {
        partial[group.y * p.width + channel] = total0;
    }
}

#include "lines_merge"
