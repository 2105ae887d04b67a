// Bias and activation of a product `[rows, width]`. `kind`: 0 nothing, 1 GELU, 2 SiLU, 3 adds `rows`.

#define FINISH(in_name, in_type, out_name, out_type)                                                                    \
    KERNEL finish_##in_name##_##out_name(out_type *out, const in_type *product, const float *bias, const float *rows,   \
                                         int kind, int width, long long elements) {                                     \
        long long at = element();                                                                                       \
        if (at >= elements) return;                                                                                     \
        float value = load_##in_name(product + at) + bias[at % width];                                                  \
        if (kind == 1) value = gelu(value);                                                                             \
        if (kind == 2) value = silu(value);                                                                             \
        if (kind == 3) value += rows[at];                                                                               \
        store_##out_name(out + at, value);                                                                              \
    }

FINISH(f32, float, f32, float)
FINISH(bf16, bf16_bits, f32, float)
FINISH(bf16, bf16_bits, bf16, bf16_bits)
FINISH(f16, f16_bits, f32, float)
FINISH(f16, f16_bits, f16, f16_bits)
