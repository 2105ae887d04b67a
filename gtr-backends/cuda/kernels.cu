// Fused kernels of the device path, one translation unit. `src/ops/fused` launches them.
//
// The sources are CUDA and also C, so that tests can compile them with a C compiler and run them on the CPU, one thread of
// the CPU per thread of a block (emulation.h).

#include "common.cuh"
#include "finish.cuh"
#include "gated_sum.cuh"
#include "heads.cuh"
#include "layer_norm.cuh"
#include "reverse_step.cuh"
#include "silu_of_sum.cuh"
