// A reverse diffusion step of the first `active` of `rows` rows; the others are copied.
//
// `predicted` `[halves * active, 2 * channels]`: noise, then the position of the log-variance between its bounds.
// `state` and `out` `[2, rows, channels]`: values, and the clean values that the evaluation before predicted.
// `steps` `[rows, 8 + channels]`: the columns of `COLUMNS` in src/ops/fused/reverse_step.rs, then new noise.
KERNEL reverse_step(float *out, const float *predicted, const float *state, const float *steps, int active, int rows,
                    int channels, int guided, float guidance, float temperature, long long elements) {
    long long at = element(), half = (long long)rows * channels;
    if (at >= half) return;
    long long row = at / channels;
    if (row >= active) {
        out[at] = state[at];
        out[half + at] = state[half + at];
        return;
    }
    int channel = (int)(at % channels);
    const float *step = steps + row * (8 + channels);
    const float *with = predicted + row * 2 * channels;
    float noise = with[channel], share = (with[channels + channel] + 1.0f) / 2.0f;
    if (guided) {
        float without = with[(long long)active * 2 * channels + channel];
        noise = without + guidance * (noise - without);
    }
    float x0 = step[0] * state[at] - step[1] * noise;
    float deviation = expf(0.5f * (share * step[5] + (1.0f - share) * step[4])) * step[7];
    out[at] = step[2] * x0 + step[3] * state[at] + step[6] * state[half + at] +
              deviation * step[8 + channel] * temperature;
    out[half + at] = x0;
}
