// `x + gate * y`, where the gate is the third part of each row of `modulation` `[rows, 3 * width]`.

KERNEL gated_sum(float *out, const float *x, const float *modulation, const float *y, int width, long long elements) {
    long long at = element();
    if (at >= elements) return;
    long long row = at / width;
    out[at] = x[at] + modulation[(3 * row + 2) * width + at % width] * y[at];
}
