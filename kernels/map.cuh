// Maps over elements: a thread takes four of them where they come in fours, else one.
#pragma once

#include "common.cuh"

namespace map {

template <class F, class... V>
__device__ __forceinline__ float4 by_four(F f, V... v) {
    return make_float4(f(v.x...), f(v.y...), f(v.z...), f(v.w...));
}

// y[i] = f(x[i]..), of any number of inputs.
template <class T, class F, class... X>
__device__ __forceinline__ void elements(u32 count, T *y, F f, const X *...x) {
    u32 at;
    if (count % 4 == 0) {
        if (four_elements(count, at)) {
            float4 values = by_four(f, load4(x + at)...);
            store4(y + at, values);
        }
        return;
    }
    if (element(count, at)) {
        store(y + at, f(load(x + at)...));
    }
}

// *to(i) = *from(i), where `fours` tells that both begin and run on by fours.
template <class To, class From>
__device__ __forceinline__ void copy(u32 count, bool fours, To to, From from) {
    u32 at;
    if (fours) {
        if (four_elements(count, at)) {
            store4(to(at), load4(from(at)));
        }
        return;
    }
    if (element(count, at)) {
        *to(at) = *from(at);
    }
}

} // namespace map
