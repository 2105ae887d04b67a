// Runs kernels on the CPU, for tests: one block after the other, each thread of a block as a thread of the CPU.
#pragma once

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL static void
#define DEVICE static inline
// Blocks run one after the other, so they can share the same memory.
#define SHARED static

struct dim {
    int x;
};
static _Thread_local struct dim threadIdx;
static struct dim blockIdx;
static pthread_barrier_t barrier;

static void __syncthreads(void) { pthread_barrier_wait(&barrier); }

static inline float load_bf16(const unsigned short *from) {
    uint32_t bits = (uint32_t)*from << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void store_bf16(unsigned short *to, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    // To the nearest, ties to even. The tests use no NaN.
    *to = (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float load_f16(const unsigned short *from) {
    _Float16 value;
    memcpy(&value, from, sizeof value);
    return (float)value;
}

static inline void store_f16(unsigned short *to, float value) {
    _Float16 rounded = (_Float16)value;
    memcpy(to, &rounded, sizeof rounded);
}
