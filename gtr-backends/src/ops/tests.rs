//! The device path on the CPU, compared with the host path.

use candle_core::{DType, Device, Tensor};

use super::attention::{Shape, in_parts};
use super::*;
use crate::checkpoint::{Checkpoint, WeightLayout, Weights};
use crate::{BackendError, Compute, Precision};

/// Values of a sine, `[rows, width]`.
fn rows(rows: usize, width: usize, phase: f32) -> Tensor {
    let values = (0_u16..).map(|place| (f32::from(place) * 0.7 + phase).sin()).take(rows * width);
    Tensor::from_vec(values.collect(), (rows, width), &Device::Cpu).unwrap()
}

fn list(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Checks that the largest difference is at most `tolerance` of the largest value.
fn close(found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (list(found), list(expected));
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= tolerance * largest, "{found} {expected}, largest value {largest}");
    }
}

/// Relative error of a product whose operands and result are rounded to this precision.
fn rounding(precision: Precision) -> f32 {
    match precision {
        Precision::F32 => 1e-6,
        Precision::F16 => 1e-3,
        Precision::Bf16 => 8e-3,
    }
}

/// Builds the same layers with random weights for each path.
fn both<T>(precision: Precision, build: impl Fn(&mut Weights) -> std::result::Result<T, BackendError>) -> [T; 2] {
    let layout = WeightLayout::of(&build).unwrap();
    let compute = Compute::from(&Device::Cpu).with_precision(precision);
    [compute.clone(), compute.through_device_path()]
        .map(|compute| Weights::load(Checkpoint::random("layers", &layout, 7), compute, &build).unwrap())
}

#[test]
fn products_agree_in_all_precisions() {
    let (x, added) = (rows(5, 24, 0.0), rows(5, 70, 1.0));
    for precision in Precision::ALL {
        let load = |weights: &mut Weights| {
            Ok((weights.take_linear("weight", &[70, 24])?, weights.take("bias", &[70])?, weights.path()))
        };
        let [host, device] = both(precision, load);
        let product = |(weight, bias, path): &(Tensor, Tensor, ComputePath), finish, out| {
            path.linear(&x, weight, bias, finish, out).unwrap()
        };
        for finish in [Epilogue::Nothing, Epilogue::Gelu, Epilogue::Silu, Epilogue::Add(&added)] {
            let expected = product(&host, finish, DType::F32);
            // In f32, and in the type of the weights, for a result that only another product takes.
            for out in [DType::F32, device.2.rows_dtype(device.0.dtype())] {
                let found = product(&device, finish, out);
                assert_eq!(found.dtype(), out);
                close(&found, &expected, rounding(precision));
            }
        }
    }
}

#[test]
fn normalisations_agree() {
    let (x, modulation, affine) = (rows(4, 30, 0.0), rows(4, 90, 2.0), rows(2, 30, 3.0));
    for (affine, modulation) in [(Some(&affine), None), (Some(&affine), Some(&modulation)), (None, Some(&modulation))] {
        let norm = |path: ComputePath, out| path.layer_norm(&x, affine, modulation, 1e-6, out).unwrap();
        let expected = norm(ComputePath::Host, DType::F32);
        for (out, precision) in [DType::F32, DType::BF16, DType::F16].into_iter().zip(Precision::ALL) {
            let found = norm(ComputePath::Device, out);
            assert_eq!(found.dtype(), out);
            close(&found, &expected, rounding(precision));
        }
    }
}

#[test]
fn residuals_and_activations_agree() {
    let (x, y, modulation) = (rows(6, 20, 0.0), rows(6, 20, 1.0), rows(6, 60, 2.0));
    let sum = |path: ComputePath| path.gated_sum(&x, &modulation, &y).unwrap();
    close(&sum(ComputePath::Device), &sum(ComputePath::Host), 1e-6);
    // Two halves of three rows each take the same rows of the table.
    let (table, index) = (rows(9, 20, 3.0), Tensor::new(&[8_u32, 0, 5], &Device::Cpu).unwrap());
    let active = |path: ComputePath| path.silu_of_sum(&table, &index, &x).unwrap();
    close(&active(ComputePath::Device), &active(ComputePath::Host), 1e-6);
    let beyond = Tensor::new(&[9_u32, 0, 5], &Device::Cpu).unwrap();
    assert!(ComputePath::Device.silu_of_sum(&table, &beyond, &x).is_err());
}

#[test]
fn attention_agrees_in_any_number_of_parts() {
    let (batch, heads, depth) = (3, 2, 8);
    let (queries, keys_values) = (rows(batch * 4, heads * depth, 0.0), rows(batch * 5, 2 * heads * depth, 1.0));
    let expected = ComputePath::Host.attention(&queries, &keys_values, batch, heads, DType::F32).unwrap();
    for dtype in [DType::F32, DType::BF16, DType::F16] {
        let found = ComputePath::Device.attention(&queries, &keys_values, batch, heads, dtype).unwrap();
        assert_eq!(found.dtype(), dtype);
        close(&found, &expected, if dtype == DType::F32 { 1e-6 } else { 8e-3 });
    }
    // Each of the six heads has 4 x 5 scores.
    let shape = Shape::of(&queries, &keys_values, batch, heads).unwrap();
    for largest in [20, 41, 119, 120] {
        close(&in_parts(&queries, &keys_values, shape, largest, DType::F32).unwrap(), &expected, 1e-6);
    }
    let error = in_parts(&queries, &keys_values, shape, 19, DType::F32).unwrap_err().to_string();
    // A backtrace may follow.
    assert_eq!(error.lines().next(), Some("attention of 4 queries over 5 keys: expected at most 19 scores per head"));
}

#[test]
fn operands_of_wrong_shapes_are_refused() {
    let path = ComputePath::Device;
    let (x, wide, long) = (rows(4, 6, 0.0), rows(4, 7, 0.0), rows(5, 18, 0.0));
    assert!(path.layer_norm(&x, Some(&wide), None, 1e-6, DType::F32).is_err());
    assert!(path.layer_norm(&x, None, Some(&long), 1e-6, DType::F32).is_err());
    assert!(path.gated_sum(&x, &long, &x).is_err());
    assert!(path.gated_sum(&x, &rows(4, 18, 0.0), &wide).is_err());
    let bias = Tensor::zeros(7, DType::F32, &Device::Cpu).unwrap();
    let weight = rows(6, 7, 0.0);
    assert!(path.linear(&x, &weight, &bias, Epilogue::Add(&x), DType::F32).is_err());
    assert!(path.linear(&x, &weight, &rows(1, 7, 0.0), Epilogue::Nothing, DType::F32).is_err());
    assert!(path.attention(&x, &rows(4, 11, 0.0), 2, 2, DType::F32).is_err());
    // Two halves need a multiple of the rows of the index.
    let index = Tensor::new(&[0_u32, 1, 2], &Device::Cpu).unwrap();
    assert!(path.silu_of_sum(&x, &index, &x).is_err());
}
