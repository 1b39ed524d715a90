// of_lines: [8 lines, 32] f32
var<workgroup> of_lines: array<f32, 256>;

// The sums of the lines, in order.
fn over_lines(value: f32, line: u32, lane: u32) -> f32 {
    workgroupBarrier();
    of_lines[line * 32u + lane] = value;
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
        sum += of_lines[i * 32u + lane];
    }
    return sum;
}
