//! The bits of an image do not depend on the batch, the number of threads or the other rows.

use candle_core::{Device, Tensor};
use gtr_backends::diffusion::{Conditions, sample};
use gtr_backends::mar::MarGenerator;
use gtr_core::solver::Ddpm;
use gtr_core::{
    Denoise, DiffusionSteps, Grid, HeadRow, ImageIndex, MaskedGenerator, Noise, Seed, StepContext, Targets, Timesteps,
    TokenIndex,
};

use crate::golden::{Golden, floats};

fn digits() -> MarGenerator {
    gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap()
}

fn timesteps(generator: &MarGenerator, steps: u32) -> Timesteps {
    Timesteps::new(DiffusionSteps::new(steps).unwrap(), generator.head_kind().timesteps()).unwrap()
}

/// Returns the order of an image: a permutation of the 64 tokens.
fn order(grid: Grid, image: u64) -> Vec<TokenIndex> {
    let factor = 2 * usize::try_from(image).unwrap() + 5;
    (0..64).map(|place| grid.token((place * factor + 11) % 64).unwrap()).collect()
}

/// Generates images in one batch and returns the bits of their latents. Steps have 1, 5, 20 and 38 tokens, and every third token gets
/// more evaluations.
fn generate(images: &[u64], guided: bool) -> Vec<Vec<u32>> {
    let mut generator = digits();
    let grid = generator.grid();
    let classes: Vec<_> =
        images.iter().map(|&image| generator.class(u32::try_from(image % 10).unwrap()).unwrap()).collect();
    let mut canvas = generator.canvas(&classes, guided).unwrap();
    let orders: Vec<_> = images.iter().map(|&image| order(grid, image)).collect();
    let timesteps = [timesteps(&generator, 3), timesteps(&generator, 7)];
    let noise = Noise::new(Seed(3));
    let mut done = 0;
    for count in [1, 5, 20, 38] {
        let targets = Targets::new(orders.iter().map(|order| &order[done..done + count]));
        done += count;
        let rows: Vec<_> = images
            .iter()
            .zip(targets.by_image())
            .flat_map(|(&image, tokens)| {
                let row = move |(n, &token): (usize, &TokenIndex)| HeadRow {
                    image: ImageIndex(image),
                    token,
                    group: usize::from(n % 3 == 2),
                };
                tokens.iter().enumerate().map(row)
            })
            .collect();
        let step = StepContext { guidance: 2.5, temperature: 0.95, ..StepContext::single(64, done - count) };
        let features = generator.features(&mut canvas, &targets, &step).unwrap();
        let request = Denoise { timesteps: &timesteps, rows: &rows, step: &step, solver: &Ddpm {}, noise: &noise };
        let values = generator.denoise(&features, &request).unwrap();
        generator.commit(&mut canvas, &targets, values).unwrap();
    }
    let latents = generator.latents(&canvas).unwrap();
    (0..images.len()).map(|image| bits(&latents.get(image).unwrap())).collect()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    floats(tensor).into_iter().map(f32::to_bits).collect()
}

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    for guided in [false, true] {
        let together = generate(&[4, 7, 2], guided);
        for (slot, image) in [(0, 4), (1, 7), (2, 2)] {
            assert!(generate(&[image], guided)[0] == together[slot], "image {image}, guided: {guided}");
        }
        assert!(together[0] != together[1]);
    }
}

#[test]
fn an_image_does_not_depend_on_the_number_of_threads() {
    let one = with_threads(1, || generate(&[0, 9], true));
    for threads in [2, 3, 5] {
        assert!(with_threads(threads, || generate(&[0, 9], true)) == one, "{threads} threads");
    }
}

#[test]
fn a_row_does_not_depend_on_the_step_counts_of_other_rows() {
    let generator = digits();
    let golden = Golden::open("digits");
    // The 64 conditioning vectors of one image.
    let part = |half: &str| golden.tensor(&format!("half.{half}.z")).get(0).unwrap();
    let (conditional, unconditional) = (part("cond"), part("uncond"));
    let timesteps = [5, 9, 1].map(|steps| timesteps(&generator, steps));
    let noise = Noise::new(Seed(8));
    let run = |rows: &[HeadRow], guided: bool| {
        let index: Vec<u32> = rows.iter().map(|row| row.token.get()).collect();
        let index = Tensor::new(index.as_slice(), &Device::Cpu).unwrap();
        let chosen = |z: &Tensor| z.index_select(&index, 0).unwrap();
        let conditions =
            Conditions { conditional: chosen(&conditional), unconditional: guided.then(|| chosen(&unconditional)) };
        let step = StepContext { guidance: 3.0, ..StepContext::single(64, 0) };
        let request = Denoise { timesteps: &timesteps, rows, step: &step, solver: &Ddpm {}, noise: &noise };
        bits(&sample(generator.model().head(), &conditions, &request).unwrap())
    };
    let rows: Vec<_> = generator
        .grid()
        .iter()
        .map(|token| HeadRow { image: ImageIndex(1), token, group: [0, 1, 1, 0, 2, 0, 1][token.index() % 7] })
        .collect();
    for guided in [false, true] {
        let alone: Vec<u32> = rows.iter().flat_map(|row| run(&[*row], guided)).collect();
        for count in [2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 50, 64] {
            assert!(run(&rows[..count], guided) == alone[..16 * count], "{count} rows, guided: {guided}");
        }
        let mut reversed = rows.clone();
        reversed.reverse();
        let found: Vec<u32> = run(&reversed, guided).chunks(16).rev().flatten().copied().collect();
        assert!(found == alone, "in another order, guided: {guided}");
    }
}
