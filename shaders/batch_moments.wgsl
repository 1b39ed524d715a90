// Mean and variances of each channel of a batch.
//
//     y[0, c] = mean, y[1, c] = biased variance, y[2, c] = correction * biased variance
//
// In two stages. A workgroup of 256 threads takes 32 channels and a chunk of the rows, of which each of its 8 lines of 32
// threads takes every eighth: the chunk's mean first, then the squares of what differs from it. The second stage joins
// chunks in order by Chan, Golub and LeVeque's rule, a line an eighth of them, then the lines. The chunks' length is
// chosen by the extents alone: two runs give the same bits. Operations: 4 an element. Bytes: x read once.

struct Params {
    rows: u32,
    c: u32,
    // Rows of a chunk, and chunks.
    chunk: u32,
    chunks: u32,
    // rows / (rows - 1), or 1.
    correction: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// partial: [chunks, 2, c] f32: means, and sums of squares around them
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
// y: [3, c] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

#include "lines"

// of_threads: [8 lines, 32] of size, mean, squares
var<workgroup> of_threads: array<vec3<f32>, 256>;

fn rows_of(chunk: u32) -> f32 {
    return f32(min((chunk + 1u) * p.chunk, p.rows) - chunk * p.chunk);
}

// Two sets of values as one: of each its size, its mean, and the sum of squares around it.
fn joined(one: vec3<f32>, other: vec3<f32>) -> vec3<f32> {
    if (other.x == 0.0) {
        return one;
    }
    let share = other.x / (one.x + other.x);
    let apart = other.y - one.y;
    return vec3(one.x + other.x, one.y + apart * share, one.z + other.z + apart * apart * (one.x * share));
}

@compute @workgroup_size(256)
fn batch_moments_chunk(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let line = thread / 32u;
    let lane = thread % 32u;
    let channel = group.x * 32u + lane;
    let first = group.y * p.chunk + line;
    let end = min((group.y + 1u) * p.chunk, p.rows);
    var sum = 0.0;
    if (channel < p.c) {
        for (var row = first; row < end; row += 8u) {
            sum += x[row * p.c + channel];
        }
    }
    let mean = over_lines(sum, line, lane) / rows_of(group.y);
    var squares = 0.0;
    if (channel < p.c) {
        for (var row = first; row < end; row += 8u) {
            let rest = x[row * p.c + channel] - mean;
            squares += rest * rest;
        }
    }
    let total = over_lines(squares, line, lane);
    if (line == 0u && channel < p.c) {
        partial[group.y * 2u * p.c + channel] = mean;
        partial[(group.y * 2u + 1u) * p.c + channel] = total;
    }
}

@compute @workgroup_size(256)
fn batch_moments_merge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let line = thread / 32u;
    let lane = thread % 32u;
    let c = group.x * 32u + lane;
    let each = (p.chunks + 7u) / 8u;
    let end = min((line + 1u) * each, p.chunks);
    var moments = vec3(0.0);
    if (c < p.c) {
        for (var chunk = line * each; chunk < end; chunk++) {
            let at = chunk * 2u * p.c + c;
            moments = joined(moments, vec3(rows_of(chunk), partial[at], partial[at + p.c]));
        }
    }
    of_threads[thread] = moments;
    workgroupBarrier();
    if (line != 0u || c >= p.c) {
        return;
    }
    for (var i = 1u; i < 8u; i++) {
        moments = joined(moments, of_threads[i * 32u + lane]);
    }
    let variance = moments.z / f32(p.rows);
    y[c] = moments.y;
    y[p.c + c] = variance;
    y[2u * p.c + c] = variance * p.correction;
}
