//! Benchmarks of the kernels at the sizes of MAR-B, and of the product of the `gemm` crate for comparison.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use gtr_kernels::{
    Attention, Convolution, Image, PackedShape, Weights, attention, convolution, gelu, product, softmax,
};

fn main() {
    divan::main();
}

/// Rows, inputs and outputs of products: the MLP and projection of a block, and the modulation in the head for 12 to 256 rows.
const PRODUCTS: [(usize, usize, usize); 7] = [
    (640, 768, 3072),
    (640, 3072, 768),
    (640, 768, 768),
    (12, 1024, 3072),
    (24, 1024, 3072),
    (48, 1024, 3072),
    (256, 1024, 3072),
];

/// Returns enough copies of the weights that they do not stay in the caches between rounds.
fn weights(len: usize) -> Vec<Vec<f32>> {
    vec![vec![0.5; len]; (100_000_000 / 4 / len).clamp(1, 8)]
}

#[divan::bench(args = PRODUCTS)]
fn packed(bencher: Bencher<'_, '_>, (rows, inputs, outputs): (usize, usize, usize)) {
    let shape = PackedShape { inputs, outputs };
    let (x, weights, bias) = (vec![1.0; rows * inputs], weights(shape.len()), vec![0.0; outputs]);
    let mut turn = 0;
    bencher.counter(ItemsCount::new(2 * rows * inputs * outputs)).bench_local(|| {
        turn = (turn + 1) % weights.len();
        product(black_box(&x), Weights::F32(&weights[turn]), shape, &bias, &|_, _| ())
    });
}

#[divan::bench(args = PRODUCTS)]
#[expect(unsafe_code, clippy::many_single_char_names, reason = "gemm takes pointers, and these are its names")]
fn of_gemm(bencher: Bencher<'_, '_>, (m, k, n): (usize, usize, usize)) {
    let (a, weights, mut out) = (vec![1.0_f32; m * k], weights(k * n), vec![0.0_f32; m * n]);
    let mut turn = 0;
    let (k_stride, n_stride) = (k.cast_signed(), n.cast_signed());
    bencher.counter(ItemsCount::new(2 * m * k * n)).bench_local(|| {
        turn = (turn + 1) % weights.len();
        let (out, a, b) = (out.as_mut_ptr(), black_box(&a).as_ptr(), weights[turn].as_ptr());
        // SAFETY: the vectors have m k, k n and m n elements, and the row-major strides address exactly these elements.
        unsafe {
            let threads = gemm::Parallelism::Rayon(0);
            gemm::gemm(
                m, n, k, out, 1, n_stride, false, a, 1, k_stride, b, 1, n_stride, 0.0, 1.0, false, false, false,
                threads,
            );
        }
    });
}

/// Side and channels of feature maps, early and late in the decoder of the autoencoder.
#[divan::bench(args = [(32, 512), (128, 128)])]
fn pixels(bencher: Bencher<'_, '_>, (side, channels): (usize, usize)) {
    let how = Convolution::same(3);
    let (weights, bias) = (vec![0.5; how.weights(channels, channels).len()], vec![0.0; channels]);
    let pixels = vec![1.0; side * side * channels];
    let operations = 2 * 9 * side * side * channels * channels;
    bencher.counter(ItemsCount::new(operations)).bench_local(|| {
        let image = Image { rows: side, columns: side, channels, pixels: black_box(&pixels) };
        convolution(image, &weights, &bias, how, &|_, _| ())
    });
}

#[divan::bench(args = [6, 320])]
fn heads(bencher: Bencher<'_, '_>, queries: usize) {
    let sides = Attention { batch: 2, heads: 12, depth: 64 };
    let (asking, looked_at) = (vec![0.1; 2 * queries * 768], vec![0.1; 2 * 320 * 2 * 768]);
    let operations = 2 * 2 * 2 * queries * 320 * 768;
    bencher
        .counter(ItemsCount::new(operations))
        .bench_local(|| attention(black_box(&asking), black_box(&looked_at), sides));
}

#[divan::bench]
fn gelu_of_a_row(bencher: Bencher<'_, '_>) {
    let mut row = vec![0.3; 3072];
    bencher.counter(ItemsCount::new(row.len())).bench_local(|| gelu(black_box(&mut row)));
}

#[divan::bench]
fn softmax_of_a_row(bencher: Bencher<'_, '_>) {
    let mut row = vec![0.3; 320];
    bencher.counter(ItemsCount::new(row.len())).bench_local(|| softmax(black_box(&mut row)));
}
