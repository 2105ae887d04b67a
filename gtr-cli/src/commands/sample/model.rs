//! Opens a model, and looks up its classes or encodes its prompts.

use std::path::Path;

use gtr_backends::checkpoint::{Section, WeightsKind};
use gtr_backends::vae::{KlEncoder, open_encoder};
use gtr_backends::{AnyModel, Compute, Families, ModelSpec, OpenOptions, PromptInput, TextEncoder, text};
use gtr_core::erased::AnyPrompt;
use gtr_core::{GuidanceSchedule, MaskedGenerator, count};

use crate::args::{ClassName, SampleArgs};
use crate::error::CliError;
use crate::output;
use gtr_run::series::Subjects;

/// An open model, with the prompts of the run.
pub(super) struct Opened {
    pub(super) generator: AnyModel,
    /// One per class or prompt.
    pub(super) prompts: Vec<AnyPrompt>,
    /// Class numbers or texts of the prompts.
    pub(super) subjects: Subjects,
    /// Origin of the weights, as text.
    pub(super) weights: String,
    /// Default guidance scale of the model.
    pub(super) guidance: Option<f64>,
    /// Default schedule of the guidance scale.
    pub(super) guidance_schedule: GuidanceSchedule,
    /// Height, width and channels of its images.
    pub(super) shape: [usize; 3],
}

/// Opens a class-conditional model.
pub(super) fn open_classes(args: &SampleArgs, families: &Families) -> Result<Opened, CliError> {
    let model = &args.model.model;
    if !args.prompt.is_empty() || args.bulk.prompts.is_some() {
        return Err(CliError::usage(format_args!("`{model}` is class-conditional: use --class instead of --prompt")));
    }
    if args.size.is_some() {
        return Err(CliError::usage(format_args!("`{model}` has a fixed image size: remove --size")));
    }
    if args.model.text_encoder.is_some() {
        return Err(CliError::usage(format_args!("`{model}` has no text prompts: remove --text-encoder")));
    }
    let (generator, spec) = load(args, families, None)?;
    // With --random-weights, --class is optional.
    let any = [ClassName::Number(0)];
    let all = (0..).map(ClassName::Number).take(spec.classes.unwrap_or_default()).collect::<Vec<_>>();
    let unsaid = if args.bulk.classes.is_some() { &all[..] } else { &any[..] };
    let classes = args.class.as_ref().map_or(unsaid, |classes| &classes.0);
    let classes = look_up(classes, &generator)?;
    let prompts = classes.iter().map(|&class| generator.class(class)).collect::<Result<_, _>>()?;
    Ok(Opened {
        subjects: Subjects::Classes(classes),
        weights: weights_origin(args, generator.section(), &generator),
        guidance: spec.guidance,
        guidance_schedule: spec.guidance_schedule,
        shape: generator.shape(),
        prompts,
        generator,
    })
}

/// Looks up the classes. Commas separate classes, and also the names of a single class.
fn look_up(wanted: &[ClassName], generator: &AnyModel) -> Result<Vec<u32>, CliError> {
    let mut classes = Vec::new();
    for run in wanted.chunk_by(|class, next| matches!((class, next), (ClassName::Name(_), ClassName::Name(_)))) {
        let names: Vec<&str> = run.iter().filter_map(ClassName::name).collect();
        for class in run {
            if let ClassName::Number(number) = class {
                generator.class(*number)?;
                classes.push(*number);
            }
        }
        let found = generator.classes_named(&names)?;
        if found.len() < names.len() {
            let classes: Vec<String> = found.iter().map(u32::to_string).collect();
            let what = if found.len() == 1 { "is class" } else { "are the classes" };
            output::note(format_args!("`{}` {what} {}", names.join(", "), classes.join(", ")));
        }
        classes.extend(found);
    }
    Ok(classes)
}

/// Opens a text-conditional model. The text encoder is freed before the model is loaded.
pub(super) fn open_texts(args: &SampleArgs, families: &Families, texts: Vec<String>) -> Result<Opened, CliError> {
    let model = &args.model.model;
    if args.class.is_some() || args.bulk.classes.is_some() {
        return Err(CliError::usage(format_args!("`{model}` is text-conditional: use --prompt instead of --class")));
    }
    // Check the size before any file is loaded.
    let grid = args.size.map(|(height, width)| families.grid_for(model, height, width)).transpose();
    let grid = grid.map_err(|error| CliError::usage(format_args!("--size: {error}")))?;
    let compute = args.model.compute()?;
    // With --random-weights, --prompt is optional.
    let texts = if texts.is_empty() { vec![String::new()] } else { texts };
    let encoded =
        args.model.text_encoder.as_ref().map(|folder| encode(args, families, folder, &texts, &compute)).transpose()?;
    let width = encoded.as_ref().map(|(_, width)| *width);
    if encoded.is_none() && args.model.random_weights.is_none() {
        return Err(CliError::usage(format_args!(
            "`{model}` requires --text-encoder: a folder with config.json, tokenizer.json and weights of its T5"
        )));
    }
    let (mut generator, spec) = load(args, families, width)?;
    if let Some(grid) = grid {
        generator.set_grid(grid)?;
    }
    let inputs: Vec<_> = match encoded {
        Some((encoded, _)) => encoded.into_iter().map(|text| PromptInput::Text(text.vectors)).collect(),
        None => texts.iter().cloned().map(PromptInput::RandomText).collect(),
    };
    let prompts = inputs.iter().map(|input| generator.prompt(input)).collect::<Result<_, _>>()?;
    Ok(Opened {
        subjects: Subjects::Prompts(texts),
        weights: weights_origin(args, generator.section(), &generator),
        guidance: spec.guidance,
        guidance_schedule: spec.guidance_schedule,
        shape: generator.shape(),
        prompts,
        generator,
    })
}

/// Opens the model, with its image decoder and, for --init, the image encoder.
fn load(args: &SampleArgs, families: &Families, width: Option<usize>) -> Result<(AnyModel, ModelSpec), CliError> {
    let found = families.find(&args.model.model)?;
    let family = families.of(&found);
    let options = OpenOptions::new(args.model.files(), args.model.compute()?).with_text_width(width);
    let mut generator = family.open(&found, &options)?;
    check_vae(&args.model.model, generator.makes_pictures(), family.autoencoder())?;
    if let Some(encoder) = encoder(args, generator.image_encoder().is_some())? {
        generator.set_encoder(encoder)?;
    }
    let spec = generator.spec();
    Ok((generator, spec))
}

/// Encodes the prompts. Returns their vectors, and the width of a vector.
fn encode(
    args: &SampleArgs,
    families: &Families,
    folder: &Path,
    texts: &[String],
    compute: &Compute,
) -> Result<(Vec<text::Prompt>, usize), CliError> {
    let model = &args.model;
    let t5 = TextEncoder::open(folder, text_length(families, &model.model)?, model.random_weights, compute)?;
    let encode = |(number, prompt): (usize, &String)| -> Result<text::Prompt, CliError> {
        let encoded = t5.encode(prompt)?;
        if encoded.cut {
            let length = count(t5.length(), "token");
            output::note(format_args!("prompt {number} is longer than {length} and is truncated"));
        }
        tracing::info!(prompt = number, tokens = encoded.tokens, "encoded");
        Ok(encoded)
    };
    let encoded = (1..).zip(texts).map(encode).collect::<Result<_, _>>()?;
    Ok((encoded, t5.width()))
}

/// Returns the number of text encoder tokens of a prompt, after padding or truncation.
fn text_length(families: &Families, model: &str) -> Result<usize, CliError> {
    Ok(families.spec(model)?.arch.text.map_or(0, |text| text.length))
}

/// Returns an error if the model generates latents and has no autoencoder, before a long run.
fn check_vae(model: &str, makes_pictures: bool, form: &str) -> Result<(), CliError> {
    if makes_pictures {
        return Ok(());
    }
    Err(CliError::usage(format_args!("`{model}` generates latents: give its autoencoder with --vae, {form}")))
}

/// Opens the encoder for the image of --init, if there is one and the tokens are latents.
fn encoder(args: &SampleArgs, encodes_already: bool) -> Result<Option<KlEncoder>, CliError> {
    if args.inpaint.init.is_none() || encodes_already {
        return Ok(None);
    }
    let model = &args.model;
    let Some(path) = &model.vae else {
        return Err(CliError::usage(format_args!(
            "--init: `{}` needs an encoder: give its autoencoder with --vae",
            model.model
        )));
    };
    Ok(Some(open_encoder(path, model.compute()?.device())?))
}

/// Returns the origin of the weights, and prints a note if the weights are random or their section needs one.
fn weights_origin<G: MaskedGenerator>(args: &SampleArgs, section: &Section, generator: &G) -> String {
    let model = &args.model;
    tracing::info!(model = model.model, grid = %generator.grid(), weights = %section, "loaded");
    let file = model.weights.as_ref().map_or_else(|| model.model.clone(), |path| path.display().to_string());
    if section.weights() == WeightsKind::Random {
        output::note(format_args!("{} has random weights: its images are noise", model.model));
        return format!("random, seed {}", model.random_weights.unwrap_or_default());
    }
    if let Some(note) = section.note() {
        output::note(format_args!("{file}: {note}"));
    }
    format!("{file}, {section}")
}
