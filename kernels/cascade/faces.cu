// The faces of all photographs side by side, for the host to read.
//
// One block a photograph; best first. Bytes: 80 a face written.
// Targets: compute_75
// Hot: faces_f32

#include "cascade/head.cuh"

struct Params {
    u32 images;
};

// A face as the host reads it: 80 bytes.
struct Face {
    i32 corners[4];
    float offsets[4];
    float score;
    float landmarks[10];
    u32 unused;
};

extern "C" __global__ void __launch_bounds__(256) faces_f32(
    const Params p,
    // segments: [images] of Segment: the photographs'
    const Segment *__restrict__ segments,
    // kept: [slots] u32
    const u32 *kept,
    // kept_counts: [images] u32
    const u32 *kept_counts,
    // boxes: [slots] of Box
    const Box *boxes,
    // landmarks: [slots, 10] f32
    const float *landmarks,
    // faces_out: [faces] of Face: 20 words each
    Face *faces_out
) {
    u32 image = blockIdx.x;
    u32 before = 0;
    for (u32 other = 0; other < image; other++) {
        before += kept_counts[other];
    }
    for (u32 k = threadIdx.x; k < kept_counts[image]; k += 256) {
        u32 slot = kept[segments[image].first + k];
        const Box &b = boxes[slot];
        Face &face = faces_out[before + k];
        int4 corners = b.corners;
        float4 offsets = b.offsets;
        face.corners[0] = corners.x;
        face.corners[1] = corners.y;
        face.corners[2] = corners.z;
        face.corners[3] = corners.w;
        face.offsets[0] = offsets.x;
        face.offsets[1] = offsets.y;
        face.offsets[2] = offsets.z;
        face.offsets[3] = offsets.w;
        face.score = b.score;
        face.unused = 0;
        for (u32 i = 0; i < 10; i++) {
            face.landmarks[i] = landmarks[(u64)slot * 10 + i];
        }
    }
}
