//! `field`: measures a field from images.

use std::collections::BTreeMap;

use gtr_backends::field::{FieldFile, PictureTokens, Samples};
use gtr_backends::{BackendError, Families};
use gtr_core::{count, loss};

use crate::args::{FieldArgs, open_device};
use crate::error::{CliError, ExitStatus};
use crate::output::{self, Target};
use gtr_lab::evaluation::Labelled;

/// Runs the command.
pub(super) fn run(args: &FieldArgs, families: &Families) -> Result<ExitStatus, CliError> {
    let target = Target::new(&args.out)?;
    let pictures = Labelled::open(&args.pictures)?;
    let device = open_device(&args.device)?;
    let tokens =
        PictureTokens::open_in(families, &args.model, args.vae.as_deref(), &device).map_err(|error| match error {
            error @ BackendError::NoEncoder { .. } => CliError::usage(format_args!("--vae: {error}")),
            error => error.into(),
        })?;
    let mut samples = Samples::new(tokens.grid(), tokens.channels());
    pictures.each(tokens.shape(), |picture, label| Ok(samples.add(&tokens.values(&picture)?, label)?))?;
    let channels = samples.channels();
    let components = args.components.unwrap_or_else(|| channels.min((loss::LARGEST / samples.grid().tokens()).max(1)));
    let mut held = None;
    if components < channels || args.components.is_some() {
        let (reduced, share) =
            samples.principal(components).map_err(|error| CliError::usage(format_args!("--components: {error}")))?;
        samples = reduced;
        held = Some(share);
    }
    let mut field = samples.field(args.form, args.nugget).map_err(|error| match error {
        error @ BackendError::OutOfRange(_) => CliError::usage(format_args!("--nugget: {error}")),
        error => error.into(),
    })?;
    if args.half {
        field = field.halved();
    }
    note_provenance(&mut field, args);
    if let Some(share) = held {
        field.note("components", &format!("{components} of {channels}, with {:.2} % of the variance", 100.0 * share));
    }
    // Do not write a field for which no loss can be computed.
    field.check()?;
    target.write(&field.bytes())?;
    output::print(&describe(&field, &samples, args))?;
    Ok(ExitStatus::Success)
}

/// Records the program, the model, the source and the encoder, and of files only their names.
fn note_provenance(field: &mut FieldFile, args: &FieldArgs) {
    let name = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let model = std::path::Path::new(&args.model);
    field.note("program", concat!("gtr-cli ", env!("CARGO_PKG_VERSION")));
    field.note("model", &if model.exists() { name(model) } else { args.model.clone() });
    field.note("source", &name(&args.pictures));
    field.note("encoder", &args.vae.as_deref().map_or_else(|| "pixels".to_owned(), name));
}

fn describe(field: &FieldFile, samples: &Samples, args: &FieldArgs) -> String {
    let provenance: &BTreeMap<String, String> = field.provenance();
    let shrunk = provenance.get("shrinkage_share").map_or_else(String::new, |share| {
        let share: f64 = share.parse().unwrap_or(f64::NAN);
        format!("; shrunk by {:.2} % towards a multiple of the identity (OAS)", 100.0 * share)
    });
    let components = provenance.get("components").map_or_else(String::new, |it| format!("; components: {it}"));
    format!(
        "{}: {} covariance of {} tokens of {}, from {}, {} subtracted{shrunk}{components}\n",
        args.out.display(),
        field.form(),
        field.grid(),
        count(field.channels(), "channel"),
        count(samples.pictures(), "image"),
        count(samples.classes(), "mean"),
    )
}
