#include "block_sum"

@compute @workgroup_size(256)
fn STEM_fwd_total(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var i = thread; i < partial_count(); i += 256u) {
        sum += partial[i];
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        y[0] = result(sum);
    }
}
