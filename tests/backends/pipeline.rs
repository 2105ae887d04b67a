//! From a prompt to an image, with a small text encoder, tokenizer, model and autoencoder.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::stable_diffusion::vae::{AutoEncoderKL, AutoEncoderKLConfig};
use gtr_backends::checkpoint::{Checkpoint, Section};
use gtr_backends::conform::{Options, conform};
use gtr_backends::lightgen::{self, LightGenConfig, LightGenGenerator, LightGenModel};
use gtr_backends::trace::{Provenance, Tracer};
use gtr_backends::vae::{open_diffusers, open_encoder};
use gtr_backends::{Compute, Families, Files, Picture, TextEncoder, open_lightgen};
use gtr_core::sampler::{Job, Observer, Settings, StepEvent};
use gtr_core::solver::Ddpm;
use gtr_core::{
    Denoise, DiffusionSteps, Grid, Guidance, GuidanceSchedule, HeadRow, ImageEncoder, ImageIndex, MaskedGenerator,
    Noise, Registry, Sampler, Seed, StepContext, Targets, TimestepLimit, Timesteps, TokenIndex, TokenSet, preset,
};

use crate::golden::{assert_near, distance, random_tensors, write_random};
use crate::text::write_text_encoder;

/// The configuration of a small autoencoder: four levels, so that a latent value is 8 pixels wide.
fn vae_config() -> AutoEncoderKLConfig {
    AutoEncoderKLConfig {
        block_out_channels: vec![32, 32, 64, 64],
        layers_per_block: 2,
        latent_channels: 4,
        norm_num_groups: 32,
        use_quant_conv: false,
        use_post_quant_conv: false,
    }
}

/// The tensors of encoder and decoder of an autoencoder, with the names of diffusers.
fn vae_tensors() -> HashMap<String, Tensor> {
    let variables = VarMap::new();
    let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    AutoEncoderKL::new(builder, 3, 3, vae_config()).unwrap();
    let mut layout = gtr_backends::checkpoint::WeightLayout::default();
    let names = [(".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0.")];
    let variables = variables.data().lock().unwrap();
    let variables: std::collections::BTreeMap<_, _> = variables.iter().collect();
    for (name, variable) in variables {
        let name = names.iter().fold(name.clone(), |name, (old, new)| name.replace(old, new));
        layout.add(name, variable.dims());
    }
    random_tensors(&layout, 11)
}

/// Writes an autoencoder in the format of diffusers.
fn write_vae(folder: &Path, latent_channels: usize) {
    let config = serde_json::json!({
        "_class_name": "AutoencoderKL", "latent_channels": latent_channels, "scaling_factor": 1.5305, "shift_factor": 0.0609,
        "block_out_channels": [32, 32, 64, 64], "norm_num_groups": 32,
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    candle_core::safetensors::save(&vae_tensors(), folder.join("diffusion_pytorch_model.safetensors")).unwrap();
}

#[test]
fn decoding_with_diffusers_names_agrees_with_candle() {
    let folder = tempfile::tempdir().unwrap();
    write_vae(folder.path(), 4);
    let (decoder, scale) = open_diffusers(folder.path(), &Device::Cpu).unwrap();
    assert_eq!((scale.scale, scale.shift, decoder.size().stride()), (1.5305, 0.0609, 8));
    let builder = VarBuilder::from_tensors(vae_tensors(), DType::F32, &Device::Cpu);
    let theirs = AutoEncoderKL::new(builder, 3, 3, vae_config()).unwrap();
    let latents: Vec<f32> = (0_u16..2 * 4 * 6 * 5).map(|place| f32::from((place * 37) % 41) / 20.0 - 1.0).collect();
    let latents = Tensor::from_vec(latents, (2, 4, 6, 5), &Device::Cpu).unwrap();
    let found = decoder.decode(&latents).unwrap();
    assert_eq!(found.dims(), [2, 3, 48, 40]);
    // One image at a time: in candle the second image of a batch differs from the same image alone.
    for image in 0..2 {
        let expected = theirs.decode(&latents.narrow(0, image, 1).unwrap().contiguous().unwrap()).unwrap();
        assert_near("decode", &found.narrow(0, image, 1).unwrap(), &expected, 1e-4);
    }
}

/// The folders and files of a complete small pipeline.
struct Pipeline {
    _folder: tempfile::TempDir,
    model: PathBuf,
    text_encoder: PathBuf,
    vae: PathBuf,
}

impl Pipeline {
    fn write() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let (model, text_encoder, vae) = (inside("model"), inside("text_encoder"), inside("vae"));
        write_text_encoder(&text_encoder);
        write_vae(&vae, 4);
        let config = serde_json::json!({
            "img_size": 64, "vae_stride": 8, "patch_size": 2, "vae_embed_dim": 4, "text_depth": 1, "mlp_ratio": 4,
            "encoder_embed_dim": 32, "encoder_depth": 2, "encoder_num_heads": 4,
            "decoder_embed_dim": 32, "decoder_depth": 2, "decoder_num_heads": 4,
            "cross_embed_dim": 32, "cross_depth": 2, "cross_num_heads": 4,
            "caption_channels": 24, "max_length": 128, "diffloss_d": 2, "diffloss_w": 32,
        })
        .to_string();
        fs::write(model.join("config.json"), &config).unwrap();
        let layout = LightGenModel::layout(&LightGenConfig::parse("tiny", &config).unwrap()).unwrap();
        write_random(&layout, 9, &model.join("model.safetensors"));
        Self { _folder: folder, model, text_encoder, vae }
    }

    /// Generates images of prompts, with two tokens per step in each quarter of the tokens.
    fn run(&self, prompts: &[&str], images: &[u64], size: (u32, u32)) -> Vec<Picture> {
        self.run_by(&Compute::from(&Device::Cpu), prompts, images, size)
    }

    /// [`Pipeline::run`] with any type and path.
    fn run_by(&self, compute: &Compute, prompts: &[&str], images: &[u64], (height, width): (u32, u32)) -> Vec<Picture> {
        let encoder = TextEncoder::open(&self.text_encoder, 128, None, compute).unwrap();
        let vectors: Vec<_> = prompts.iter().map(|prompt| encoder.encode(prompt).unwrap().vectors).collect();
        let text_width = encoder.width();
        drop(encoder);
        let files = Files { vae: Some(&self.vae), ..Files::default() };
        let mut generator = open_lightgen(self.model.to_str().unwrap(), &files, Some(text_width), compute).unwrap();
        let grid = generator.config().clone().with_pixels(height, width).unwrap().grid;
        generator.set_grid(grid).unwrap();
        let prompts: Vec<_> = vectors.iter().map(|vectors| generator.prompt(vectors).unwrap()).collect();
        let mut canvas = generator.canvas(&prompts, true).unwrap();
        let count = grid.tokens();
        let order: Vec<TokenIndex> = (0..count).map(|place| grid.token((place * 7 + 3) % count).unwrap()).collect();
        let steps = |steps| Timesteps::new(DiffusionSteps::new(steps).unwrap(), TimestepLimit::NONE).unwrap();
        let (timesteps, noise) = ([steps(6), steps(9)], Noise::new(Seed(2)));
        for tokens in order.chunks(count / 4) {
            let targets = Targets::new(images.iter().map(|_| tokens));
            let row = |image, number: usize, token| HeadRow {
                image: ImageIndex(image),
                token,
                group: usize::from(number.is_multiple_of(3)),
            };
            let rows: Vec<_> = images
                .iter()
                .flat_map(|&image| tokens.iter().enumerate().map(move |(number, &token)| row(image, number, token)))
                .collect();
            let step = StepContext { guidance: 4.0, ..StepContext::single(count, 0) };
            let features = generator.features(&mut canvas, &targets, &step).unwrap();
            let request = Denoise { timesteps: &timesteps, rows: &rows, step: &step, solver: &Ddpm {}, noise: &noise };
            let values = generator.denoise(&features, &request).unwrap();
            generator.commit(&mut canvas, &targets, values).unwrap();
        }
        assert_eq!(generator.find_non_finite(&canvas).unwrap(), None);
        generator.decode(canvas).unwrap()
    }
}

#[test]
fn prompts_can_be_sampled() {
    let pipeline = Pipeline::write();
    let long = "a red cat on the roof ".repeat(40);
    let pictures = pipeline.run(&["a red cat", &long], &[0, 1], (64, 64));
    assert_eq!((pictures[0].width(), pictures[0].height(), pictures[0].channels()), (64, 64, 3));
    assert!(pictures.iter().all(|picture| picture.pixels().iter().all(|pixel| (0.0..=1.0).contains(pixel))));
    // An image has the same bits alone, and another prompt gives another image with the same noise.
    assert!(pipeline.run(&[&long], &[1], (64, 64))[0] == pictures[1]);
    assert!(pipeline.run(&["the roof"], &[1], (64, 64))[0] != pictures[1]);
}

/// Text encoder, transformers, diffusion head and autoencoder, as on a GPU.
#[test]
fn the_device_path_generates_the_same_images() {
    let (pipeline, host) = (Pipeline::write(), Compute::from(&Device::Cpu));
    let run = |compute: &Compute| pipeline.run_by(compute, &["a red cat", "the roof"], &[0, 1], (32, 64));
    let (expected, found) = (run(&host), run(&host.clone().through_device_path()));
    for (found, expected) in found.iter().zip(&expected) {
        // The paths add in another order.
        assert!(distance(found.pixels(), expected.pixels()) < 1e-3);
        assert!(found != expected, "the device path was not used");
    }
}

#[test]
fn a_traced_run_can_be_replayed() {
    let pipeline = Pipeline::write();
    let (model, device) = (pipeline.model.to_str().unwrap(), Device::Cpu);
    let encoder = TextEncoder::open(&pipeline.text_encoder, 128, None, &device).unwrap();
    let files = Files { vae: Some(&pipeline.vae), ..Files::default() };
    let mut generator = open_lightgen(model, &files, Some(encoder.width()), &device).unwrap();
    let (grid, registry) = (Grid::new(2, 6).unwrap(), Registry::builtin());
    generator.set_grid(grid).unwrap();
    let plan = preset::find("gtr-8").unwrap().schedule.plan(grid, &registry).unwrap().plan;
    let guidance = Guidance::new(4.0, GuidanceSchedule::Constant).unwrap();
    let settings = Settings { seed: Seed(9), guidance, temperature: 0.9 };
    let job = |image: u64, prompt: &str| {
        let prompt = generator.prompt(&encoder.encode(prompt).unwrap().vectors).unwrap();
        Job::new(prompt, ImageIndex(image))
    };
    let jobs = [job(0, "a red cat"), job(5, "the roof")];
    let path = pipeline.model.join("../run.safetensors");
    let provenance = Provenance { model: model.to_owned(), ..Provenance::default() };
    let mut tracer = Tracer::create(&path, &plan, &settings, &provenance).unwrap();
    let sampler = Sampler::new(&plan, &registry).unwrap();
    let pictures = tracer.run(&sampler, &mut generator, &jobs, &mut ()).unwrap();
    tracer.finish().unwrap();
    assert!(pictures == sampler.batch(&jobs, &settings).run(&mut generator).unwrap());

    let report = conform(
        std::slice::from_ref(&path),
        &Options::default().with_model(model, None),
        &Registry::builtin(),
        &Families::builtin(),
    )
    .unwrap();
    assert!(report.passed() && report.notes.is_empty(), "{report}");
    assert!(report.quantities.iter().all(|quantity| quantity.absolute == 0.0), "{report}");
    let other = Options::default().with_model(model, None).with_random(4);
    assert!(
        !conform(std::slice::from_ref(&path), &other, &Registry::builtin(), &Families::builtin()).unwrap().passed()
    );
    // The model is not built in, so the user must name its files.
    let report = conform(&[path], &Options::default(), &Registry::builtin(), &Families::builtin()).unwrap();
    assert!(report.problems[0].text.ends_with("is not built in: give the model"), "{report}");
}

#[test]
fn pictures_may_be_rectangular() {
    let pictures = Pipeline::write().run(&["a cat"], &[0], (32, 96));
    assert_eq!((pictures[0].width(), pictures[0].height()), (96, 32));
}

#[test]
fn inconsistent_parts_are_refused() {
    let pipeline = Pipeline::write();
    let model = pipeline.model.to_str().unwrap();
    let refuse =
        |files: &Files<'_>, width| open_lightgen(model, files, width, &Device::Cpu).map(drop).unwrap_err().to_string();
    let text = refuse(&Files::default(), Some(512));
    assert!(text.ends_with("expected a text encoder of width 24, found width 512"), "{text}");
    // An autoencoder with the sizes of KL-16.
    let other = crate::golden::path("vae_kl16_tiny/weights_decoder.safetensors");
    let text = refuse(&Files { vae: Some(&other), ..Files::default() }, None);
    assert!(
        text.contains("latents of 16 channels at 1/16 of the resolution, the model generates 4 channels at 1/8"),
        "{text}"
    );
    let config = pipeline.vae.join("config.json");
    let good = fs::read_to_string(&config).unwrap();
    for (right, wrong, expected) in [
        ("\"norm_num_groups\":32", "\"norm_num_groups\":16", "`norm_num_groups`: expected 32"),
        ("1.5305", "0", "expected a number above 0 as `scaling_factor`"),
    ] {
        assert!(good.contains(right), "{good}");
        fs::write(&config, good.replace(right, wrong)).unwrap();
        let text = refuse(&Files { vae: Some(&pipeline.vae), ..Files::default() }, None);
        assert!(text.contains(expected), "{text}");
    }
    write_vae(&pipeline.vae, 16);
    let text = refuse(&Files { vae: Some(&pipeline.vae), ..Files::default() }, None);
    assert!(text.ends_with("`latent_channels`: expected 4 from the weights, found 16"), "{text}");
    fs::remove_file(pipeline.vae.join("diffusion_pytorch_model.safetensors")).unwrap();
    let text = refuse(&Files { vae: Some(&pipeline.vae), ..Files::default() }, None);
    assert!(text.ends_with("diffusion_pytorch_model.safetensors: cannot be read"), "{text}");
    let families = gtr_backends::Families::builtin();
    assert_eq!(families.of(&families.find(model).unwrap()).name(), "lightgen");
    let text = gtr_backends::open_mar(model, &gtr_backends::Files::default(), &Device::Cpu).unwrap_err().to_string();
    assert!(text.contains("unknown field"), "{text}");
}

#[test]
fn random_weights_fit_the_text_encoder() {
    let pipeline = Pipeline::write();
    let files = Files { vae: Some(&pipeline.vae), random: Some(3), ..Files::default() };
    let model = pipeline.model.to_str().unwrap();
    let generator = open_lightgen(model, &files, Some(48), &Device::Cpu).unwrap();
    assert_eq!((generator.config().caption_channels, generator.section()), (48, &Section::random()));
    let checkpoint = Checkpoint::open(&pipeline.model.join("model.safetensors")).unwrap();
    assert_eq!(checkpoint.section(), &Section::whole());
}

/// Records the values of the initially known tokens, before the first step and after each step.
struct Kept {
    known: usize,
    values: Vec<Tensor>,
}

impl Observer<LightGenGenerator> for Kept {
    type Error = Infallible;

    fn start(&mut self, _generator: &LightGenGenerator, canvas: &lightgen::Canvas) -> Result<(), Infallible> {
        self.values.push(canvas.values().unwrap().clone());
        Ok(())
    }

    fn step(&mut self, event: &StepEvent<'_, LightGenGenerator>) -> Result<ControlFlow<()>, Infallible> {
        let values = event.canvas.values().unwrap().narrow(1, 0, self.known).unwrap();
        self.values.push(values);
        let shown = event.generator.previewer().unwrap().preview(event.canvas).unwrap();
        // Unknown tokens are grey; a token has 16 pixels per side.
        let row = |token: TokenIndex, line: usize| (token.index() / 4 * 16 + line) * 64 + token.index() % 4 * 16;
        let is_grey = |token: &TokenIndex| {
            (0..16).all(|line| shown[0].pixels()[row(*token, line) * 3..][..48].iter().all(|&pixel| pixel == 0.5))
        };
        let known = event.canvas.values().unwrap().dims()[1];
        assert_eq!(event.generator.grid().iter().filter(is_grey).count(), 8 - known);
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn a_run_can_start_from_an_encoded_picture() {
    let pipeline = Pipeline::write();
    let (model, device) = (pipeline.model.to_str().unwrap(), Device::Cpu);
    let text = TextEncoder::open(&pipeline.text_encoder, 128, None, &device).unwrap();
    let files = Files { vae: Some(&pipeline.vae), ..Files::default() };
    let (grid, registry) = (Grid::new(2, 4).unwrap(), Registry::builtin());
    let open = || {
        let mut generator = open_lightgen(model, &files, Some(text.width()), &device).unwrap();
        generator.set_grid(grid).unwrap();
        generator
    };
    let left = TokenSet::from_tokens(grid, grid.iter().filter(|token| token.index() % 4 < 2));
    let plan = preset::find("gtr-8").unwrap().schedule.plan_rest(&left, &registry).unwrap().plan;
    let settings = Settings { seed: Seed(4), guidance: Guidance::NONE, temperature: 1.0 };
    let mut generator = open().with_encoder(open_encoder(&pipeline.vae, &device).unwrap()).unwrap();
    assert_eq!(generator.shape(), [32, 64, 3]);
    let job = |image: u64| {
        let prompt = open().prompt(&text.encode("a red cat").unwrap().vectors).unwrap();
        Job::new(prompt, ImageIndex(image))
    };
    let (jobs, levels) = ([job(0), job(1)], (0_u16..32 * 64 * 3).map(|place| f32::from(place % 251) / 250.0));
    let picture = Picture::new(64, 32, 3, levels.collect()).unwrap();
    let sampler = Sampler::new(&plan, &registry).unwrap();
    let from = vec![picture.clone(); 2];
    let begun = jobs.clone().map(|job| job.starting_from(picture.clone()));
    let mut kept = Kept { known: 4, values: Vec::new() };
    let made = sampler.batch(&begun, &settings).observe(&mut kept).run(&mut generator).unwrap();
    assert_eq!((made.len(), kept.values.len()), (2, plan.steps().len() + 1));
    let bits = |tensor: &Tensor| -> Vec<u32> {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|value| value.to_bits()).collect()
    };
    let targets = Targets::new([plan.known(), plan.known()]);
    let encoded = bits(&generator.encode(&from, &targets).unwrap());
    assert!(kept.values.iter().all(|values| bits(values) == encoded));
    // Encoding applies the scale that the decoder removes.
    let all: Vec<TokenIndex> = grid.iter().collect();
    let whole = generator.encode(std::slice::from_ref(&picture), &Targets::new([all.as_slice()])).unwrap();
    let mut canvas = generator.canvas(&[jobs[0].prompt.clone()], false).unwrap();
    generator.commit(&mut canvas, &Targets::new([all.as_slice()]), whole).unwrap();
    let way_in = open_encoder(&pipeline.vae, &device).unwrap();
    let pixels = Tensor::from_vec(picture.pixels().to_vec(), (1, 32, 64, 3), &device).unwrap();
    let values = ((pixels * 2.0).unwrap() - 1.0).unwrap().permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
    let mean = way_in.encode(&values).unwrap().mean;
    let scaled = mean.affine(1.5305, -0.0609 * 1.5305).unwrap();
    assert_near("latents", &generator.latents(&canvas).unwrap(), &scaled, 1e-6);

    // The traced run has the same bits, and is replayed without the recorded images.
    let path = pipeline.model.join("../begun.safetensors");
    let model = pipeline.model.to_str().unwrap();
    let provenance = Provenance { model: model.to_owned(), ..Provenance::default() };
    let mut tracer = Tracer::create(&path, &plan, &settings, &provenance).unwrap();
    assert!(tracer.run(&sampler, &mut generator, &begun, &mut ()).unwrap() == made);
    tracer.finish().unwrap();
    let report =
        conform(&[path], &Options::default().with_model(model, None), &Registry::builtin(), &Families::builtin())
            .unwrap();
    assert!(report.passed() && report.notes.is_empty(), "{report}");
    assert!(report.quantities.iter().all(|quantity| quantity.absolute == 0.0), "{report}");

    // Without an encoder, or with an unsuitable one, images cannot be encoded.
    let error = sampler.batch(&begun, &settings).run(&mut open()).unwrap_err().to_string();
    assert_eq!(error, "the plan requires encoding of images, which this model does not provide");
    assert!(open().image_encoder().is_none() && generator.image_encoder().is_some());
    let error = open().encode(&from, &targets).unwrap_err().to_string();
    assert!(error.ends_with(" generates latents: give the autoencoder that encodes images"), "{error}");
    let other = open_encoder(&crate::golden::path("vae_kl16_tiny/weights_encoder.safetensors"), &device).unwrap();
    let error = open().with_encoder(other).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("encodes to latents of 16 channels at 1/16 of the resolution, the model generates 4"),
        "{error}"
    );
    let small = Picture::new(16, 16, 3, vec![0.0; 16 * 16 * 3]).unwrap();
    let begun = [jobs[0].clone().starting_from(small)];
    let error = sampler.batch(&begun, &settings).run(&mut generator).unwrap_err().to_string();
    assert!(error.starts_with("expected latent images of shape [1, 4, 4, 8], found [1, 4, 2, 2]"), "{error}");
}
