struct Params {
    elements: u32,
    pieces: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// partial: [pieces] f32
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
// y: [1] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

#include "partial_sums"
