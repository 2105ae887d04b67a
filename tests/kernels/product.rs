//! Products: correctness, and bits that depend neither on the number of rows nor on the number of threads.

use gtr_kernels::{PackedShape, Weights, gelu, product};
use half::{bf16, f16};
use proptest::prelude::*;

use crate::{bits, numbers, with_threads};

/// Packs a matrix `[inputs, outputs]`.
fn packed(weights: &[f32], shape: PackedShape) -> Vec<f32> {
    let mut packed = vec![0.0; shape.len()];
    for (index, &weight) in weights.iter().enumerate() {
        packed[shape.place(index / shape.outputs, index % shape.outputs)] = weight;
    }
    packed
}

fn plain(x: &[f32], weights: &[f32], shape: PackedShape) -> Vec<f32> {
    let bias = numbers(3, shape.outputs);
    product(x, Weights::F32(&packed(weights, shape)), shape, &bias, &|_, _| ())
}

/// Returns true if a product gives each row the same bits as for the row alone.
fn is_independent(inputs: usize, x: &[f32], product: impl Fn(&[f32]) -> Vec<f32>) -> bool {
    let together = product(x);
    let alone: Vec<f32> = x.chunks_exact(inputs).flat_map(&product).collect();
    bits(&together) == bits(&alone)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_product_agrees_with_the_formula(rows in 1..40_usize, inputs in 1..90_usize, outputs in 1..150_usize, seed: u32) {
        let shape = PackedShape { inputs, outputs };
        let (x, weights, bias) = (numbers(seed, rows * inputs), numbers(!seed, inputs * outputs), numbers(3, outputs));
        let found = plain(&x, &weights, shape);
        for (row, found) in x.chunks_exact(inputs).zip(found.chunks_exact(outputs)) {
            for (output, found) in found.iter().enumerate() {
                let terms = row.iter().zip(weights[output..].iter().step_by(outputs));
                let sum: f64 = terms.map(|(&x, &weight)| f64::from(x) * f64::from(weight)).sum();
                let expected = sum + f64::from(bias[output]);
                prop_assert!((f64::from(*found) - expected).abs() < 1e-5 * f64::from(u8::try_from(inputs).unwrap()).sqrt());
            }
        }
    }

    #[test]
    fn rows_do_not_depend_on_each_other(rows in 1..30_usize, inputs in 1..200_usize, outputs in 1..200_usize, seed: u32) {
        let shape = PackedShape { inputs, outputs };
        let (x, weights) = (numbers(seed, rows * inputs), numbers(!seed, inputs * outputs));
        prop_assert!(is_independent(inputs, &x, |x| plain(x, &weights, shape)));
    }
}

/// Large enough that rows are divided among threads and that inputs are summed in parts.
const LARGE: (usize, PackedShape) = (301, PackedShape { inputs: 2100, outputs: 70 });

#[test]
fn rows_divided_among_threads_do_not_depend_on_each_other() {
    let (rows, shape) = LARGE;
    let (x, weights) = (numbers(1, rows * shape.inputs), numbers(2, shape.inputs * shape.outputs));
    assert!(is_independent(shape.inputs, &x, |x| plain(x, &weights, shape)));
}

#[test]
fn products_do_not_depend_on_threads() {
    let (rows, shape) = LARGE;
    let (x, weights) = (numbers(1, rows * shape.inputs), numbers(2, shape.inputs * shape.outputs));
    let expected = bits(&with_threads(1, || plain(&x, &weights, shape)));
    for threads in [2, 3, 8] {
        assert!(bits(&with_threads(threads, || plain(&x, &weights, shape))) == expected, "{threads} threads");
    }
}

/// The check of the tests above detects a product that chooses its algorithm by the number of rows.
#[test]
#[expect(unsafe_code, reason = "gemm takes pointers")]
fn a_product_with_dependent_rows_is_detected() {
    let (k, n) = (3000, 70);
    let (x, weights) = (numbers(1, 24 * k), numbers(2, k * n));
    let other = |x: &[f32]| {
        let m = x.len() / k;
        let mut out = vec![0.0_f32; m * n];
        let (k_stride, n_stride) = (k.cast_signed(), n.cast_signed());
        let (out_start, x, weights) = (out.as_mut_ptr(), x.as_ptr(), weights.as_ptr());
        // SAFETY: the slices have m n, m k and k n elements, and the row-major strides address exactly these elements.
        unsafe {
            let alone = gemm::Parallelism::None;
            gemm::gemm(
                m, n, k, out_start, 1, n_stride, false, x, 1, k_stride, weights, 1, n_stride, 0.0, 1.0, false, false,
                false, alone,
            );
        }
        out
    };
    assert!(!is_independent(k, &x, other));
    let by_sum = |x: &[f32]| vec![x.iter().sum::<f32>(); x.len() / k];
    assert!(!is_independent(k, &x, by_sum));
}

#[test]
fn weights_of_16_bits_are_widened_exactly() {
    let (rows, shape) = LARGE;
    let (x, weights) = (numbers(1, rows * shape.inputs), numbers(2, shape.inputs * shape.outputs));
    let (weights, bias) = (packed(&weights, shape), numbers(3, shape.outputs));
    let product = |weights: Weights<'_>| bits(&product(&x, weights, shape, &bias, &|_, _| ()));
    let short: Vec<bf16> = weights.iter().copied().map(bf16::from_f32).collect();
    let wide: Vec<f32> = short.iter().copied().map(f32::from).collect();
    assert!(product(Weights::Bf16(&short)) == product(Weights::F32(&wide)));
    assert!(product(Weights::F32(&wide)) != product(Weights::F32(&weights)), "narrowing must lose precision");
    let short: Vec<f16> = weights.iter().copied().map(f16::from_f32).collect();
    let wide: Vec<f32> = short.iter().copied().map(f32::from).collect();
    assert!(product(Weights::F16(&short)) == product(Weights::F32(&wide)));
}

#[test]
fn the_epilogue_gets_each_row_once_with_its_number() {
    for (rows, shape) in [(5, PackedShape { inputs: 3, outputs: 65 }), LARGE] {
        let (x, weights) = (numbers(1, rows * shape.inputs), numbers(2, shape.inputs * shape.outputs));
        let mut expected = plain(&x, &weights, shape);
        for (number, row) in expected.chunks_exact_mut(shape.outputs).enumerate() {
            row[0] += f32::from(u16::try_from(number).unwrap());
            gelu(row);
        }
        let finish = |number: usize, row: &mut [f32]| {
            row[0] += f32::from(u16::try_from(number).unwrap());
            gelu(row);
        };
        let found = product(&x, Weights::F32(&packed(&weights, shape)), shape, &numbers(3, shape.outputs), &finish);
        assert!(bits(&found) == bits(&expected));
    }
}

#[test]
fn an_empty_product_is_empty() {
    let shape = PackedShape { inputs: 2, outputs: 3 };
    assert!(plain(&[], &[0.0; 6], shape).is_empty());
}

#[test]
#[should_panic(expected = "weights of 2 x 3")]
fn weights_of_another_shape_are_refused() {
    product(&[0.0; 2], Weights::F32(&[0.0; 6]), PackedShape { inputs: 2, outputs: 3 }, &[0.0; 3], &|_, _| ());
}
