// Exponential moving averages, in place.
//
//     average -= (1 - decay) (average - value)
//
// Nothing if `finite` is 0. One thread an element. Operations: 3 an element. Bytes: the average read and written once, the value read once.
// Targets: compute_75
// Hot: moving_average_fwd_f32

#include "common.cuh"

struct Params {
    u32 elements;
    float decay;
};

extern "C" __global__ void __launch_bounds__(256) moving_average_fwd_f32(
    const Params p,
    // value: [elements] f32
    const float *value,
    // finite: [1] f32
    const float *finite,
    // average: [elements] f32
    float *average
) {
    u32 at;
    if (element(p.elements, at) && finite[0] != 0.0f) {
        float old = average[at];
        average[at] = old - (1.0f - p.decay) * (old - value[at]);
    }
}
