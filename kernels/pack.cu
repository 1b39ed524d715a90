// Filters to the layout of conv2d and dense, for filters that are computed rather than given: given ones are packed
// once, when they are brought to the device.
//
//     packed[k, o] = w[o, k] for o < c_out, else 0
//
// One thread an element. Bytes: w read once, packed written once. Launch: 256 threads, [ceil(k * columns / 256)].
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 k;
    u32 c_out;
    // Channels with their padding: a multiple of four.
    u32 columns;
};

template <class T>
__device__ void pack(
    const Params &p,
    // w: [c_out, k] T
    const T *w,
    // packed: [k, columns] T
    T *packed
) {
    u32 at;
    if (!element(p.k * p.columns, at)) {
        return;
    }
    u32 k = at / p.columns;
    u32 o = at % p.columns;
    T value{};
    if (o < p.c_out) {
        value = w[(u64)o * p.k + k];
    }
    packed[at] = value;
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) pack_##SUFFIX(const Params p, const T *w, T *packed) {           \
        pack(p, w, packed);                                                                                            \
    }
EVERY_DTYPE(KERNEL)
