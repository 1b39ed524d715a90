// Gradient of a convolution with respect to its filters.
//
//     dw[o, k] = sum over output pixels of dy[pixel, o] * x[element k of the pixel's window]
//
// Pixels are cut into chunks so that there are workgroups enough; their length is chosen by the extents alone, and
// the second stage adds the chunks' sums in order: two runs give the same bits. A workgroup of 256 threads makes 64 o by
// 64 k, a thread 4 by 4; workgroup memory holds a stage of 16 pixels.
// Operations: 2 * pixels * c_out * k. Bytes: x read once per 64 o, dy once per 64 k.

#include "bwd_filter"
