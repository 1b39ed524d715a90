// P-Net's cells that may be faces, appended to the lists of their photographs' levels.
//
// One thread a cell. Slots are given out in any order; `order` keeps the original's, which walks column by column, and
// everything that follows sorts by it. A list that is full still counts, so that the host sees by how much.
// Operations: 1 a cell. Bytes: 8 a cell read, 64 a candidate written.

#include "cascade"

struct Params {
    // Cells of the job, the first row's place in the level, the level's rows, photographs.
    rows: u32,
    columns: u32,
    first_row: u32,
    level_rows: u32,
    images: u32,
    // Where the network's outputs begin in the arena.
    probabilities: u32,
    offsets: u32,
    // Where the level's corners begin in `corners`: of its columns, of its rows.
    corners_x: u32,
    corners_y: u32,
    // The first photograph's list, and how many lists a photograph has.
    segment: u32,
    levels: u32,
    threshold: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// arena: [arena] f32; probabilities [images, rows, columns, 2] and offsets [images, rows, columns, 4] within
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;
// corners: [levels, axes: extent] of first and last pixel of a cell in the photograph
@group(0) @binding(2) var<storage, read> corners: array<vec2<i32>>;
// segments: [lists] of Segment
@group(0) @binding(3) var<storage, read> segments: array<Segment>;
// counts: [lists] u32
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>>;
// boxes: [slots] of Box
@group(0) @binding(5) var<storage, read_write> boxes: array<Box>;

fn offsets_of(cell: u32) -> vec4<f32> {
    let at = p.offsets + cell * 4u;
    return vec4(arena[at], arena[at + 1u], arena[at + 2u], arena[at + 3u]);
}

@compute @workgroup_size(64)
fn collect_cells(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let cell = id.x + id.y * groups.x * 64u;
    if (cell >= p.images * p.rows * p.columns) {
        return;
    }
    let score = arena[p.probabilities + cell * 2u + 1u];
    if (!(score >= p.threshold)) {
        return;
    }
    let column = cell % p.columns;
    let image = cell / p.columns / p.rows;
    let row = cell / p.columns % p.rows + p.first_row;
    let list = p.segment + image * p.levels;
    let slot = atomicAdd(&counts[list], 1u);
    if (slot >= segments[list].capacity) {
        return;
    }
    var found = Box();
    let x = corners[p.corners_x + column];
    let y = corners[p.corners_y + row];
    found.corners = vec4(x.x, y.x, x.y, y.y);
    found.offsets = offsets_of(cell);
    found.extra = offsets_of(cell - column + p.columns - 1u - column);
    found.score = score;
    found.order = column * p.level_rows + row;
    boxes[segments[list].first + slot] = found;
}
