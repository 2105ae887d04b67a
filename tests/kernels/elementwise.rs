//! Activations and normalisation, compared with the same functions in f64.

use gtr_kernels::{gelu, layer_norm, silu, softmax};

use crate::{bits, numbers};

/// Values from -20 to 20, denser near 0, and special values.
fn line() -> Vec<f32> {
    let near = (-40_000..=40_000_i32).map(|step| f32::from(i16::try_from(step / 2).unwrap()) / 1000.0);
    let tiny = (0..120).map(|power| 2.0_f32.powi(-power));
    near.chain(tiny).chain([0.0, -0.0, 1e30, -1e30, f32::MAX, f32::MIN]).collect()
}

/// Returns the largest difference from `expected`, relative to 1 + its absolute value.
fn distance(function: impl Fn(&mut [f32]), expected: impl Fn(f64) -> f64) -> f64 {
    let x = line();
    let mut found = x.clone();
    function(&mut found);
    let off = |(found, x): (&f32, &f32)| {
        let expected = expected(f64::from(*x));
        (f64::from(*found) - expected).abs() / (1.0 + expected.abs())
    };
    found.iter().zip(&x).map(off).fold(0.0, f64::max)
}

#[test]
fn gelu_is_within_a_few_units_of_the_last_place() {
    let exact = |x: f64| 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2));
    let off = distance(gelu, exact);
    assert!(off < 8e-7, "{off}");
    // The tanh approximation is another function, and the check distinguishes the two.
    let by_tanh = |x: f64| 0.5 * x * (1.0 + libm::tanh(0.797_884_560_802_865_4 * (x + 0.044_715 * x * x * x)));
    assert!(distance(gelu, by_tanh) > 1e-4);
}

#[test]
fn silu_is_within_a_few_units_of_the_last_place() {
    let off = distance(silu, |x| x / (1.0 + libm::exp(-x)));
    assert!(off < 3e-7, "{off}");
}

#[test]
fn values_do_not_depend_on_each_other() {
    let x = line();
    for function in [gelu, silu] {
        let mut together = x.clone();
        function(&mut together);
        let mut alone = x.clone();
        for value in &mut alone {
            function(std::slice::from_mut(value));
        }
        assert!(bits(&together) == bits(&alone));
    }
}

#[test]
fn nan_stays_nan() {
    for function in [gelu, silu, softmax] {
        let mut row = [f32::NAN, 1.0];
        function(&mut row);
        assert!(row[0].is_nan());
    }
}

#[test]
fn softmax_agrees_with_the_formula() {
    for length in [1, 3, 64, 65, 320, 1000] {
        let x: Vec<f32> = numbers(7, length).iter().map(|value| 30.0 * value).collect();
        let mut found = x.clone();
        softmax(&mut found);
        let total: f64 = x.iter().map(|&x| libm::exp(f64::from(x))).sum();
        for (found, x) in found.iter().zip(&x) {
            let expected = libm::exp(f64::from(*x)) / total;
            assert!((f64::from(*found) - expected).abs() < 1e-6 * expected + 1e-30, "{found} {expected}");
        }
    }
}

#[test]
fn normalised_rows_have_mean_0_and_variance_1() {
    for length in [2, 63, 64, 1024, 1025] {
        let row = numbers(9, length);
        let mut out = vec![0.0; length];
        layer_norm(&row, &mut out, None, 0.0);
        let count = f64::from(u16::try_from(length).unwrap());
        let mean = out.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = out.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "{length}: {mean} {variance}");
        let (scale, shift) = (numbers(1, length), numbers(2, length));
        let mut affine = vec![0.0; length];
        layer_norm(&row, &mut affine, Some((&scale, &shift)), 0.0);
        for ((found, normed), (scale, shift)) in affine.iter().zip(&out).zip(scale.iter().zip(&shift)) {
            assert_eq!(*found, normed * scale + shift);
        }
    }
}
