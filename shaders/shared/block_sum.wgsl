// of_threads: what the threads of a workgroup join.
var<workgroup> of_threads: array<f32, 256>;

// The sum of the threads' values, in every thread: a tree of fixed shape.
fn total(value: f32, thread: u32) -> f32 {
    of_threads[thread] = value;
    workgroupBarrier();
    for (var lanes = 128u; lanes > 0u; lanes /= 2u) {
        if (thread < lanes) {
            of_threads[thread] += of_threads[thread + lanes];
        }
        workgroupBarrier();
    }
    let all = of_threads[0];
    // Before the next use.
    workgroupBarrier();
    return all;
}
