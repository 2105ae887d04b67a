// Layer normalisation of rows, one block per row. `affine`, if not null, is a scale and a shift `[2, width]`. `modulation`, if
// not null, has rows of `stride` values that start with a shift and a scale.

#define LAYER_NORM(name, type)                                                                                          \
    KERNEL layer_norm_##name(type *out, const float *x, const float *affine, const float *modulation, int width,        \
                             int stride, float eps) {                                                                   \
        long long row = blockIdx.x;                                                                                     \
        x += row * width;                                                                                               \
        float sum = 0.0f, squares = 0.0f;                                                                               \
        for (int at = threadIdx.x; at < width; at += THREADS) sum += x[at];                                             \
        float mean = block_sum(sum) / (float)width;                                                                     \
        for (int at = threadIdx.x; at < width; at += THREADS) squares += (x[at] - mean) * (x[at] - mean);               \
        float factor = 1.0f / sqrtf(block_sum(squares) / (float)width + eps);                                           \
        for (int at = threadIdx.x; at < width; at += THREADS) {                                                         \
            float value = (x[at] - mean) * factor;                                                                      \
            if (affine) value = value * affine[at] + affine[width + at];                                                \
            if (modulation) {                                                                                           \
                const float *shift = modulation + row * stride;                                                         \
                value = value * (1.0f + shift[width + at]) + shift[at];                                                 \
            }                                                                                                           \
            store_##name(out + row * width + at, value);                                                                \
        }                                                                                                               \
    }

LAYER_NORM(f32, float)
LAYER_NORM(bf16, bf16_bits)
LAYER_NORM(f16, f16_bits)
