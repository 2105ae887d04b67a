// SiLU of `table[index] + rows`. `rows` `[k * count, width]` are `k` parts that take the same `count` rows of the table.

KERNEL silu_of_sum(float *out, const float *table, const unsigned *index, const float *rows, int width, int count,
                   long long elements) {
    long long at = element();
    if (at >= elements) return;
    long long from = index[at / width % count];
    out[at] = silu(table[from * width + at % width] + rows[at]);
}
