//! Benchmarks of the parts of MAR-B with random weights: encoder and decoder for both halves of the guidance, the diffusion head for
//! 2 to 256 rows, and the decoder of the autoencoder.

use candle_core::{DType, Device, Tensor};
use divan::{Bencher, black_box};
use gtr_backends::mar::{MarGenerator, Sequence};
use gtr_backends::vae::{DecoderSize, KlDecoder};
use gtr_backends::{Files, open_mar};

fn main() {
    divan::main();
}

fn model() -> MarGenerator {
    let files = Files { random: Some(0), ..Files::default() };
    open_mar("mar-b", &files, &Device::Cpu).expect("random weights fit")
}

fn numbers(shape: (usize, usize)) -> Tensor {
    Tensor::ones(shape, DType::F32, &Device::Cpu).expect("a small tensor")
}

/// The transformer of one AR step, with `known` of 256 tokens known and 6 target tokens.
#[divan::bench(args = [0, 64, 192], sample_count = 5)]
fn conditioning_vectors(bencher: Bencher<'_, '_>, known: u32) {
    let generator = model();
    let (known, targets): (Vec<u32>, Vec<u32>) = ((0..known).collect(), (known..known + 6).collect());
    let halves = [Some(1), None].map(|class| Sequence { class, known: &known, targets: &targets });
    let tokens = Tensor::ones((2, known.len(), 16), DType::F32, &Device::Cpu).expect("a small tensor");
    let tokens = (!known.is_empty()).then_some(tokens);
    bencher.bench_local(|| {
        let encoded = generator.model().encode(black_box(&halves), tokens.as_ref())?;
        generator.model().decode(&halves, &encoded)
    });
}

/// One evaluation of the diffusion head.
#[divan::bench(args = [2, 12, 48, 256], sample_count = 30)]
fn head(bencher: Bencher<'_, '_>, rows: usize) {
    let generator = model();
    let (head, wide) = (generator.model().head(), numbers((rows, 1024)));
    bencher.bench_local(|| head.predict(black_box(&wide), &wide, &wide));
}

/// Decodes a latent image of 16x16 tokens to 256x256 pixels.
#[divan::bench(sample_count = 3)]
fn picture(bencher: Bencher<'_, '_>) {
    let decoder = KlDecoder::random(&DecoderSize::kl16(), 0, &Device::Cpu).expect("random weights fit");
    let latent = Tensor::ones((1, 16, 16, 16), DType::F32, &Device::Cpu).expect("a small tensor");
    bencher.bench_local(|| decoder.pictures(black_box(&latent)));
}
