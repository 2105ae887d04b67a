//! Opens a model, and looks up or encodes what its images are asked for by.

use std::path::Path;

use gtr_backends::checkpoint::{Section, WeightsKind};
use gtr_backends::lightgen::{LightGenGenerator, TextFeatures, grid_of, prompt_length};
use gtr_backends::mar::{Class, MarGenerator};
use gtr_backends::vae::{KlEncoder, open_encoder};
use gtr_backends::{Compute, TextEncoder, text};
use gtr_core::{GuidanceSchedule, MaskedGenerator};

use crate::args::{ClassName, SampleArgs};
use crate::error::CliError;
use crate::output;
use gtr_run::series::Subjects;

/// A model, ready to make the images that were asked for.
pub(super) struct Opened<G: MaskedGenerator> {
    pub(super) generator: G,
    /// One a class or prompt.
    pub(super) prompts: Vec<G::Prompt>,
    /// The same in numbers or words.
    pub(super) subjects: Subjects,
    /// Where the weights come from, in words.
    pub(super) weights: String,
    /// The model's own scale of guidance, and how it moves.
    pub(super) guidance: Option<f64>,
    pub(super) guidance_schedule: GuidanceSchedule,
    /// Height, width and channels of its pictures.
    pub(super) shape: [usize; 3],
}

/// A model of classes.
pub(super) fn open_mar(args: &SampleArgs) -> Result<Opened<MarGenerator>, CliError> {
    let model = &args.model.model;
    if !args.prompt.is_empty() || args.bulk.prompts.is_some() {
        return Err(CliError::usage(format_args!("`{model}` makes images of classes: give --class, not --prompt")));
    }
    if args.size.is_some() {
        return Err(CliError::usage(format_args!(
            "`{model}` has one size, that of the grid which its positions are learned for: leave out --size"
        )));
    }
    if args.model.text_encoder.is_some() {
        return Err(CliError::usage(format_args!("`{model}` takes no texts: leave out --text-encoder")));
    }
    let generator = gtr_backends::open_mar(model, &args.model.files(), args.model.compute()?)?;
    check_vae(model, generator.makes_pictures(), "a file like kl16.ckpt")?;
    let generator = match encoder(args, generator.config().image_decoder.is_some())? {
        Some(encoder) => generator.with_encoder(encoder)?,
        None => generator,
    };
    // Random weights do not care.
    let any = [ClassName::Number(0)];
    let all = (0..).map(ClassName::Number).take(generator.config().classes).collect::<Vec<_>>();
    let unsaid = if args.bulk.classes.is_some() { &all[..] } else { &any[..] };
    let classes = args.class.as_ref().map_or(unsaid, |classes| &classes.0);
    let prompts = look_up(classes, &generator)?;
    Ok(Opened {
        subjects: Subjects::Classes(prompts.iter().map(|class| class.get()).collect()),
        weights: tell_weights(args, generator.section(), &generator),
        guidance: generator.config().guidance,
        guidance_schedule: generator.config().guidance_schedule,
        shape: generator.shape(),
        prompts,
        generator,
    })
}

/// The classes that were asked for. Commas part them, and also the names that one class has.
fn look_up(wanted: &[ClassName], generator: &MarGenerator) -> Result<Vec<Class>, CliError> {
    let mut classes = Vec::new();
    for run in wanted.chunk_by(|class, next| matches!((class, next), (ClassName::Name(_), ClassName::Name(_)))) {
        let names: Vec<&str> = run.iter().filter_map(ClassName::name).collect();
        for class in run {
            if let ClassName::Number(number) = class {
                classes.push(generator.class(*number)?);
            }
        }
        let found = Class::listed(&names, generator.config())?;
        if found.len() < names.len() {
            let classes: Vec<String> = found.iter().map(|class| class.get().to_string()).collect();
            let what = if found.len() == 1 { "is class" } else { "are the classes" };
            output::note(format_args!("`{}` {what} {}", names.join(", "), classes.join(", ")));
        }
        classes.extend(found);
    }
    Ok(classes)
}

/// A model of texts. The text encoder is gone before the model is loaded.
pub(super) fn open_lightgen(args: &SampleArgs, texts: Vec<String>) -> Result<Opened<LightGenGenerator>, CliError> {
    let model = &args.model.model;
    if args.class.is_some() || args.bulk.classes.is_some() {
        return Err(CliError::usage(format_args!("`{model}` makes images of texts: give --prompt, not --class")));
    }
    // Before anything is loaded.
    let grid = args.size.map(|(height, width)| grid_of(model, height, width)).transpose();
    let grid = grid.map_err(|error| CliError::usage(format_args!("--size: {error}")))?;
    let compute = args.model.compute()?;
    // Random weights do not care.
    let texts = if texts.is_empty() { vec![String::new()] } else { texts };
    let encoded = args.model.text_encoder.as_ref().map(|folder| encode(args, folder, &texts, &compute)).transpose()?;
    let width = encoded.as_ref().map(|(_, width)| *width);
    if encoded.is_none() && args.model.random_weights.is_none() {
        return Err(CliError::usage(format_args!(
            "`{model}` needs --text-encoder: the folder of its T5, with config.json, tokenizer.json and weights"
        )));
    }
    let mut generator = gtr_backends::open_lightgen(model, &args.model.files(), width, &compute)?;
    check_vae(model, generator.makes_pictures(), "a folder as diffusers writes it")?;
    if let Some(encoder) = encoder(args, false)? {
        generator = generator.with_encoder(encoder)?;
    }
    if let Some(grid) = grid {
        generator.set_grid(grid)?;
    }
    let prompts = match encoded {
        Some((encoded, _)) => encoded.iter().map(|text| generator.prompt(&text.vectors)).collect(),
        None => texts.iter().map(|text| generator.random_prompt(text)).collect::<Result<Vec<TextFeatures>, _>>(),
    };
    let prompts = prompts?;
    Ok(Opened {
        subjects: Subjects::Prompts(texts),
        weights: tell_weights(args, generator.section(), &generator),
        guidance: generator.config().guidance,
        guidance_schedule: generator.config().guidance_schedule,
        shape: generator.shape(),
        prompts,
        generator,
    })
}

/// The vectors of the prompts and their width.
fn encode(
    args: &SampleArgs,
    folder: &Path,
    texts: &[String],
    compute: &Compute,
) -> Result<(Vec<text::Prompt>, usize), CliError> {
    let model = &args.model;
    let t5 = TextEncoder::open(folder, prompt_length(&model.model)?, model.random_weights, compute)?;
    let encode = |(number, prompt): (usize, &String)| -> Result<text::Prompt, CliError> {
        let encoded = t5.encode(prompt)?;
        if encoded.cut {
            let length = t5.length();
            output::note(format_args!("prompt {number} is longer than {length} tokens: its end is cut off"));
        }
        tracing::info!(prompt = number, tokens = encoded.tokens, "encoded");
        Ok(encoded)
    };
    let encoded = (1..).zip(texts).map(encode).collect::<Result<_, _>>()?;
    Ok((encoded, t5.width()))
}

/// Says what is missing before hours are spent on latents that nothing can decode.
fn check_vae(model: &str, makes_pictures: bool, form: &str) -> Result<(), CliError> {
    if makes_pictures {
        return Ok(());
    }
    Err(CliError::usage(format_args!("`{model}` generates latents: give --vae, its autoencoder, {form}")))
}

/// The encoder that turns a picture to go on from into latents, where there is such a picture and tokens are no pixels.
fn encoder(args: &SampleArgs, tokens_are_pixels: bool) -> Result<Option<KlEncoder>, CliError> {
    if args.going_on.init.is_none() || tokens_are_pixels {
        return Ok(None);
    }
    let model = &args.model;
    let Some(path) = &model.vae else {
        return Err(CliError::usage(format_args!(
            "--init: `{}` goes on from latents, and a random autoencoder makes none: give --vae",
            model.model
        )));
    };
    Ok(Some(open_encoder(path, model.compute()?.device())?))
}

/// Where the weights come from; says so where it matters.
fn tell_weights<G: MaskedGenerator>(args: &SampleArgs, section: &Section, generator: &G) -> String {
    let model = &args.model;
    tracing::info!(model = model.model, grid = %generator.grid(), weights = %section, "loaded");
    let file = model.weights.as_ref().map_or_else(|| model.model.clone(), |path| path.display().to_string());
    if section.weights() == WeightsKind::Random {
        output::note(format_args!("{} has random weights: its pictures show nothing", model.model));
        return format!("random, seed {}", model.random_weights.unwrap_or_default());
    }
    if let Some(note) = section.note() {
        output::note(format_args!("{file}: {note}"));
    }
    format!("{file}, {section}")
}
