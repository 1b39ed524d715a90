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
