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
        gtr_kernels::modulate(out, shift, scale);
    }
}

/// Computes `SiLU` of `x + y`.
pub(super) fn silu_of_sum(x: &[f32], y: &[f32], out: &mut [f32]) {
    out.copy_from_slice(x);
    gtr_kernels::add(out, y);
    gtr_kernels::silu(out);
}
