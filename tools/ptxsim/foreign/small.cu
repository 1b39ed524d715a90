// Small kernels of what CUDA programs are full of: shared memory, what the lanes of a warp do together, atomics.
// Launched with blocks of 256.

extern "C" __global__ void block_sums(const float *x, float *out, int n) {
    __shared__ float sums[8];
    float sum = 0.0f;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += x[i];
    for (int by = 16; by > 0; by /= 2) sum += __shfl_down_sync(0xffffffffu, sum, by);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 8) {
        sum = sums[threadIdx.x];
        for (int by = 4; by > 0; by /= 2) sum += __shfl_xor_sync(0xffu, sum, by);
        if (threadIdx.x == 0) out[blockIdx.x] = sum;
    }
}

extern "C" __global__ void transpose(const float *x, float *out, int rows, int columns) {
    __shared__ float tile[16][17];
    int column = blockIdx.x * 16 + threadIdx.x % 16, row = blockIdx.y * 16 + threadIdx.x / 16;
    if (row < rows && column < columns) tile[threadIdx.x / 16][threadIdx.x % 16] = x[row * columns + column];
    __syncthreads();
    column = blockIdx.y * 16 + threadIdx.x % 16, row = blockIdx.x * 16 + threadIdx.x / 16;
    if (row < columns && column < rows) out[row * rows + column] = tile[threadIdx.x % 16][threadIdx.x / 16];
}

// Counts values by their low four bits: in shared memory first, then one atomic addition a bin.
extern "C" __global__ void histogram(const unsigned *x, unsigned *bins, unsigned long long *total, int *least, int n) {
    __shared__ unsigned mine[16];
    if (threadIdx.x < 16) mine[threadIdx.x] = 0;
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        atomicAdd(&mine[x[i] % 16], 1u);
        atomicAdd(total, (unsigned long long)x[i]);
        atomicMin(least, (int)x[i]);
    }
    __syncthreads();
    if (threadIdx.x < 16) atomicAdd(&bins[threadIdx.x], mine[threadIdx.x]);
}

// Each warp's: how many lanes hold an odd value, the first that does, who has my value's like, and the last lane's value.
extern "C" __global__ void warps(const unsigned *x, unsigned *out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned value = x[i], odd = __ballot_sync(0xffffffffu, value & 1);
    bool all = __all_sync(0xffffffffu, value < 1000), any = __any_sync(0xffffffffu, value == 7);
    unsigned last = __shfl_sync(0xffffffffu, value, 31), before = __shfl_up_sync(0xffffffffu, value, 1);
    unsigned like = __match_any_sync(0xffffffffu, value % 4);
    out[6 * i] = __popc(odd);
    out[6 * i + 1] = __ffs(odd);
    out[6 * i + 2] = (all ? 2 : 0) + any;
    out[6 * i + 3] = last;
    out[6 * i + 4] = before;
    out[6 * i + 5] = like;
}

#if __CUDA_ARCH__ >= 800
extern "C" __global__ void reductions(const int *x, int *out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, value = x[i];
    int sum = __reduce_add_sync(0xffffffffu, value), most = __reduce_max_sync(0xffffffffu, value);
    unsigned least = __reduce_min_sync(0xffffffffu, (unsigned)value), both = __reduce_and_sync(0xffffffffu, (unsigned)value);
    unsigned either = __reduce_or_sync(0xffffffffu, (unsigned)value), odd = __reduce_xor_sync(0xffffffffu, (unsigned)value);
    if (threadIdx.x % 32 == 0) {
        int *to = out + i / 32 * 6;
        to[0] = sum, to[1] = most, to[2] = least, to[3] = both, to[4] = either, to[5] = odd;
    }
}
#endif

// Additions of floats, whose order is open: whole numbers, so that every order gives the same.
extern "C" __global__ void float_atomics(const float *x, float *sum, double *sum64, float *most, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    atomicAdd(sum, x[i]);
    atomicAdd(sum64, (double)x[i]);
    int *bits = (int *)most, old = *(volatile int *)bits;
    while (__int_as_float(old) < x[i]) {
        int seen = atomicCAS(bits, old, __float_as_int(x[i]));
        if (seen == old) break;
        old = seen;
    }
}

// Divisions, roots, powers, and conversions of every width.
extern "C" __global__ void arithmetic(const float *x, const int *y, float *out, long long *whole, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float a = x[i];
    int b = y[i];
    out[4 * i] = a / (fabsf(a) + 3.0f) + sqrtf(fabsf(a)) * rsqrtf(fabsf(a) + 1.0f);
    out[4 * i + 1] = expf(-a * a) + logf(fabsf(a) + 1.0f);
    out[4 * i + 2] = sinf(a) + tanhf(a) + fminf(a, (float)b) + fmaxf(a, 0.5f) + copysignf(2.0f, a);
    out[4 * i + 3] = powf(fabsf(a), 1.5f) + fmodf(a, 0.75f) + (float)(a > (float)b ? b : -b);
    whole[4 * i] = (long long)b * 123456789LL / (b % 97 * 2 + 1);
    whole[4 * i + 1] = (long long)rintf(a * 1000.0f) + (signed char)b + (unsigned short)b;
    whole[4 * i + 2] = __clz(b) + 100 * __popc(b) + 10000LL * __brev((unsigned)b) + (long long)__mulhi(b, 1 << 20);
    whole[4 * i + 3] = (long long)((unsigned)b >> (i & 31)) ^ ((long long)b << (i & 63)) ^ (b >> (i & 7));
}
