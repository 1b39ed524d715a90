// Partial sums of chunks of rows, then their sums: a shader gives `term(at, channel)`, what an element adds, and includes
// one_sum or two_sums.
//
// In two stages. A workgroup of 256 threads takes 32 channels and a chunk of the rows, of which each of its 8 lines of 32
// threads takes every eighth; then the lines are added in order. The second stage adds the chunks' partial sums in order,
// a line an eighth of them. The chunks' length is chosen by the extents alone: two runs give the same bits.

@compute @workgroup_size(256)
fn STEM_chunk(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let line = thread / 32u;
    let lane = thread % 32u;
    let channel = group.x * 32u + lane;
    let end = min((group.y + 1u) * p.chunk, p.rows);
    var sums = Sums();
    if (channel < p.c) {
        for (var row = group.y * p.chunk + line; row < end; row += 8u) {
            sums += term(row * p.c + channel, channel);
        }
    }
    let totals = over_all_lines(sums, line, lane);
    if (line == 0u && channel < p.c) {
        put(totals, group.y * p.width + channel);
    }
}

@compute @workgroup_size(256)
fn STEM_merge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let line = thread / 32u;
    let lane = thread % 32u;
    let at = group.x * 32u + lane;
    let each = (p.chunks + 7u) / 8u;
    let end = min((line + 1u) * each, p.chunks);
    var sum = 0.0;
    if (at < p.width) {
        for (var chunk = line * each; chunk < end; chunk++) {
            sum += partial[chunk * p.width + at];
        }
    }
    let total = over_lines(sum, line, lane);
    if (line == 0u && at < p.width) {
        sums[at] = total;
    }
}
