// The largest of the threads' values, in every thread.
fn largest_of(value: f32, thread: u32) -> f32 {
    partial[thread] = value;
    workgroupBarrier();
    for (var lanes = 128u; lanes > 0u; lanes /= 2u) {
        if (thread < lanes) {
            partial[thread] = max(partial[thread], partial[thread + lanes]);
        }
        workgroupBarrier();
    }
    let all = partial[0];
    // Before the next use.
    workgroupBarrier();
    return all;
}
