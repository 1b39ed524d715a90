// Two sums a channel, those of a chunk one after the other.
alias Sums = vec2<f32>;

fn over_all_lines(sums: Sums, line: u32, lane: u32) -> Sums {
    let first = over_lines(sums.x, line, lane);
    return vec2(first, over_lines(sums.y, line, lane));
}

fn put(sums: Sums, at: u32) {
    partial[at] = sums.x;
    partial[at + p.c] = sums.y;
}
