// Order of queries, keys and values in attention.

// Rows `[batch * n, parts * heads * depth]` to `[parts, batch, heads, n, depth]`, multiplied by `scale`.
KERNEL split_heads(float *out, const float *rows, int parts, int batch, int heads, int n, int depth, float scale,
                   long long elements) {
    long long at = element();
    if (at >= elements) return;
    long long rest = at / depth;
    int row = (int)(rest % n);
    rest /= n;
    int head = (int)(rest % heads);
    rest /= heads;
    long long image = rest % batch, part = rest / batch;
    out[at] = rows[(((image * n + row) * parts + part) * heads + head) * depth + at % depth] * scale;
}

// `[batch, heads, m, depth]` to rows `[batch * m, heads * depth]`.
#define MERGE_HEADS(name, type)                                                                                         \
    KERNEL merge_heads_##name(type *out, const float *mixed, int heads, int m, int depth, long long elements) {         \
        long long at = element();                                                                                       \
        if (at >= elements) return;                                                                                     \
        long long rest = at / depth;                                                                                    \
        int head = (int)(rest % heads);                                                                                 \
        rest /= heads;                                                                                                  \
        long long row = rest % m, image = rest / m;                                                                     \
        store_##name(out + at, mixed[((image * heads + head) * m + row) * depth + at % depth]);                         \
    }

MERGE_HEADS(f32, float)
MERGE_HEADS(bf16, bf16_bits)
MERGE_HEADS(f16, f16_bits)
