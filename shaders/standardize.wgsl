// Pixels to network input.
//
//     y = (x - mean) / deviation, of given numbers, or
//     prewhiten: of each image's own mean and max(std, 1 / sqrt(count))
//
// One workgroup an image; thread i takes elements i, i + 256, ..; partial sums are added pairwise, always in one order.
// Operations: 2 an element, prewhiten 6. Bytes: x read once (prewhiten three times), y written once.

struct Params {
    images: u32,
    // Elements of an image.
    count: u32,
    // 1: the two that follow are each image's own.
    prewhiten: u32,
    mean: f32,
    deviation: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [images, count] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [images, count] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> of_threads: array<f32, 256>;

// The sum of every thread's value.
fn total(value: f32, thread: u32) -> f32 {
    workgroupBarrier();
    of_threads[thread] = value;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            of_threads[thread] += of_threads[thread + half];
        }
    }
    return workgroupUniformLoad(&of_threads[0]);
}

@compute @workgroup_size(256)
fn standardize_fwd(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let image = group.x + group.y * groups.x;
    if (image >= p.images) {
        return;
    }
    let base = image * p.count;
    var mean = p.mean;
    var deviation = p.deviation;
    if (p.prewhiten == 1u) {
        var sum = 0.0;
        for (var i = thread; i < p.count; i += 256u) {
            sum += x[base + i];
        }
        mean = total(sum, thread) / f32(p.count);
        var square = 0.0;
        for (var i = thread; i < p.count; i += 256u) {
            square += (x[base + i] - mean) * (x[base + i] - mean);
        }
        let variance = total(square, thread) / f32(p.count);
        deviation = max(sqrt(variance), 1.0 / sqrt(f32(p.count)));
    }
    for (var i = thread; i < p.count; i += 256u) {
        y[base + i] = (x[base + i] - mean) / deviation;
    }
}
