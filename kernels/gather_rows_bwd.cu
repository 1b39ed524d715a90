// The gradient of rows by their numbers.
//
//     dx[r] = sum of dy[i] over the i with indices[i] = r
//
// One block a row; a warp takes 32 columns, finds the indices that name the row 32 at a time, and adds their rows in
// order. Operations: 1 an element of dy. Bytes: dy read once, the indices by each block, from the cache; dx written once.
// Targets: compute_75
// Hot: gather_rows_bwd_f32

#include "common.cuh"

struct Params {
    u32 count;
    u32 rows;
    u32 d;
};

extern "C" __global__ void __launch_bounds__(256) gather_rows_bwd_f32(
    const Params p,
    // dy: [count, d] f32
    const float *dy,
    // indices: [count] f32
    const float *indices,
    // dx: [rows, d] f32
    float *dx
) {
    u32 row = blockIdx.x;
    u32 lane = threadIdx.x % 32;
    for (u32 first = threadIdx.x - lane; first < p.d; first += 256) {
        u32 column = first + lane;
        float sum = 0.0f;
        for (u32 from = 0; from < p.count; from += 32) {
            bool names = from + lane < p.count && indices[from + lane] == (float)row;
            u32 named = __ballot_sync(0xffffffffu, names);
            while (named != 0) {
                u32 i = from + __ffs(named) - 1;
                named &= named - 1;
                if (column < p.d) {
                    sum += dy[(u64)i * p.d + column];
                }
            }
        }
        if (column < p.d) {
            dx[(u64)row * p.d + column] = sum;
        }
    }
}
