// How many parts there are.
fn part_count() -> u32 {
    return p.rows;
}

// What their sum comes to.
fn result(sum: f32) -> f32 {
    return sum / f32(max(p.rows, 1u));
}

#include "parts_total"
