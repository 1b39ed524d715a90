// P-Net's cells that may be faces, appended to the lists of their photographs' levels.
//
// One thread a cell. Slots are given out in any order; `order` keeps the original's, which walks column by column, and
// everything that follows sorts by it. A list that is full still counts, so that the host sees by how much.
// Operations: 1 a cell. Bytes: 8 a cell read, 64 a candidate written.
// Targets: compute_75
// Hot: collect_cells_f32

#include "cascade/head.cuh"

struct Params {
    // Cells of the job, the first row's place in the level, the level's rows, photographs.
    u32 rows;
    u32 columns;
    u32 first_row;
    u32 level_rows;
    u32 images;
    // Where the network's outputs begin in the arena.
    u32 probabilities;
    u32 offsets;
    // Where the level's corners begin in `corners`: of its columns, of its rows.
    u32 corners_x;
    u32 corners_y;
    // The first photograph's list, and how many lists a photograph has.
    u32 segment;
    u32 levels;
    float threshold;
};

static __device__ __forceinline__ float4 offsets_of(const Params &p, const float *arena, u32 cell) {
    const float *at = arena + p.offsets + (u64)cell * 4;
    return make_float4(at[0], at[1], at[2], at[3]);
}

extern "C" __global__ void __launch_bounds__(256) collect_cells_f32(
    const Params p,
    // arena: [arena] f32; probabilities [images, rows, columns, 2] and offsets [images, rows, columns, 4] within
    const float *arena,
    // corners: [levels, axes: extent] of first and last pixel of a cell in the photograph
    const int2 *__restrict__ corners,
    // segments: [lists] of Segment
    const Segment *__restrict__ segments,
    // counts: [lists] u32
    u32 *counts,
    // boxes: [slots] of Box
    Box *boxes
) {
    u32 cell;
    if (!element(p.images * p.rows * p.columns, cell)) {
        return;
    }
    float score = arena[p.probabilities + (u64)cell * 2 + 1];
    if (!(score >= p.threshold)) {
        return;
    }
    u32 column = cell % p.columns;
    u32 image = cell / p.columns / p.rows;
    u32 row = cell / p.columns % p.rows + p.first_row;
    u32 list = p.segment + image * p.levels;
    u32 slot = atomicAdd(&counts[list], 1u);
    if (slot >= segments[list].capacity) {
        return;
    }
    Box found{};
    int2 x = corners[p.corners_x + column];
    int2 y = corners[p.corners_y + row];
    found.corners = make_int4(x.x, y.x, x.y, y.y);
    found.offsets = offsets_of(p, arena, cell);
    found.extra = offsets_of(p, arena, cell - column + p.columns - 1 - column);
    found.score = score;
    found.order = column * p.level_rows + row;
    boxes[segments[list].first + slot] = found;
}
