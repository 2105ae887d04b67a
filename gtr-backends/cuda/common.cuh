// Types and functions that all kernels use.
#pragma once

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define KERNEL extern "C" __global__ void
#define DEVICE static __device__ __forceinline__
#define SHARED __shared__
#else
#include "emulation.h"
#endif

// Threads of a block: `THREADS` of src/ops/fused/cuda.rs.
#define THREADS 128

// 16-bit floating-point numbers are stored as integers.
typedef unsigned short bf16_bits;
typedef unsigned short f16_bits;

#ifdef __CUDACC__
DEVICE float load_bf16(const bf16_bits *from) { return __bfloat162float(__ushort_as_bfloat16(*from)); }
DEVICE void store_bf16(bf16_bits *to, float value) { *to = __bfloat16_as_ushort(__float2bfloat16_rn(value)); }
DEVICE float load_f16(const f16_bits *from) { return __half2float(__ushort_as_half(*from)); }
DEVICE void store_f16(f16_bits *to, float value) { *to = __half_as_ushort(__float2half_rn(value)); }
#endif
DEVICE float load_f32(const float *from) { return *from; }
DEVICE void store_f32(float *to, float value) { *to = value; }

// Number of this thread among all threads of the launch: the element that it computes.
DEVICE long long element(void) { return (long long)blockIdx.x * THREADS + threadIdx.x; }

// Returns the sum of the values of all threads of a block to each of them.
DEVICE float block_sum(float value) {
    SHARED float sums[THREADS];
    sums[threadIdx.x] = value;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    float total = sums[0];
    // The next sum must not overwrite this one before every thread has read it.
    __syncthreads();
    return total;
}

DEVICE float silu(float x) { return x / (1.0f + expf(-x)); }
DEVICE float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }
