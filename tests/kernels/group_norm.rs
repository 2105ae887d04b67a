//! Group normalisation, compared with the same function in f64.

use gtr_kernels::group_norm;

use crate::{bits, numbers, with_threads};

#[test]
fn groups_have_mean_0_and_variance_1_before_scale_and_shift() {
    for (pixels, channels, groups, offset) in [(1, 4, 2, 0.0), (700, 6, 3, 0.0), (1100, 64, 32, 100.0), (9, 5, 1, -3.0)]
    {
        let x: Vec<f32> = numbers(5, pixels * channels).iter().map(|value| value + offset).collect();
        let (scale, shift) = (numbers(1, channels), numbers(2, channels));
        let plain = group_norm(&x, groups, (&scale, &shift), 1e-6, false);
        let width = channels / groups;
        for group in 0..groups {
            let mine =
                || x.chunks_exact(channels).flat_map(|pixel| &pixel[group * width..][..width]).map(|&x| f64::from(x));
            let count = f64::from(u32::try_from(pixels * width).unwrap());
            let mean = mine().sum::<f64>() / count;
            let deviation = (mine().map(|x| (x - mean).powi(2)).sum::<f64>() / count + 1e-6).sqrt();
            for (pixel, found) in x.chunks_exact(channels).zip(plain.chunks_exact(channels)) {
                for channel in group * width..(group + 1) * width {
                    let normed = (f64::from(pixel[channel]) - mean) / deviation;
                    let expected = normed * f64::from(scale[channel]) + f64::from(shift[channel]);
                    assert!((f64::from(found[channel]) - expected).abs() < 2e-5, "{} {expected}", found[channel]);
                }
            }
        }
        let mut activated = plain;
        gtr_kernels::silu(&mut activated);
        assert_eq!(bits(&group_norm(&x, groups, (&scale, &shift), 1e-6, true)), bits(&activated));
    }
}

#[test]
fn sums_do_not_depend_on_threads() {
    let x = numbers(8, 5000 * 8);
    let run = || group_norm(&x, 2, (&[1.0; 8], &[0.0; 8]), 1e-6, true);
    assert_eq!(bits(&with_threads(1, run)), bits(&with_threads(7, run)));
}
