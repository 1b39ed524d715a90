// Rows of a matrix by their numbers.
//
//     y[i] = x[indices[i]]; not a number where there is no such row
//
// One thread an element. Bytes: each row that is named read once, or from the cache; y written once.
// Targets: compute_75
// Hot: gather_rows_fwd_f32

#include "block.cuh"

struct Params {
    u32 elements;
    u32 rows;
    u32 d;
};

extern "C" __global__ void __launch_bounds__(256) gather_rows_fwd_f32(
    const Params p,
    // x: [rows, d] f32
    const float *x,
    // indices: [elements / d] f32
    const float *indices,
    // y: [elements / d, d] f32
    float *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u64 base;
    bool there = row_of(indices[at / p.d], p.rows, p.d, base);
    y[at] = there ? x[base + at % p.d] : not_a_number();
}
