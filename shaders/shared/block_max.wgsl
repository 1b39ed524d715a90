// The largest of the threads' values, in every thread.
fn largest_of(value: f32, thread: u32) -> f32 {
    of_threads[thread] = value;
    workgroupBarrier();
    for (var lanes = 128u; lanes > 0u; lanes /= 2u) {
        if (thread < lanes) {
            of_threads[thread] = max(of_threads[thread], of_threads[thread + lanes]);
        }
        workgroupBarrier();
    }
    let all = of_threads[0];
    // Before the next use.
    workgroupBarrier();
    return all;
}
