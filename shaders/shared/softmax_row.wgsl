// A row of logits and its label: what the cross entropy and its gradient share.
#include "softmax"
// logits: [rows, c] f32
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
// labels: [rows] f32
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;

#include "block_sum"

#include "block_max"

#include "label"

// The largest logit of a row that begins here, and the sum of all exponentials with it taken off; in every thread.
fn softmax_of(base: u32, thread: u32) -> vec2<f32> {
    var largest = logits[base];
    for (var i = base + thread; i < base + p.c; i += 256u) {
        largest = max(largest, logits[i]);
    }
    largest = largest_of(largest, thread);
    var sum = 0.0;
    for (var i = base + thread; i < base + p.c; i += 256u) {
        sum += exp(logits[i] - largest);
    }
    return vec2(largest, total(sum, thread));
}
