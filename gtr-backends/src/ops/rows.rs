//! Functions of one row, for the host path and as the reference of the fused kernels.

/// Normalises a row; then, if given, applies `affine` (scale and shift) and `modulation` (shift and scale).
pub(super) fn layer_norm(
    row: &[f32],
    out: &mut [f32],
    affine: Option<(&[f32], &[f32])>,
    modulation: Option<(&[f32], &[f32])>,
    eps: f32,
) {
    gtr_kernels::layer_norm(row, out, affine, eps);
    if let Some((shift, scale)) = modulation {
        for ((out, scale), shift) in out.iter_mut().zip(scale).zip(shift) {
            *out = *out * (1.0 + scale) + shift;
        }
    }
}

/// Computes `x + gate * y`.
pub(super) fn gated_sum(x: &[f32], gate: &[f32], y: &[f32], out: &mut [f32]) {
    for (((out, x), gate), y) in out.iter_mut().zip(x).zip(gate).zip(y) {
        *out = x + gate * y;
    }
}

/// Computes `SiLU` of `x + y`.
pub(super) fn silu_of_sum(x: &[f32], y: &[f32], out: &mut [f32]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = x + y;
    }
    gtr_kernels::silu(out);
}
