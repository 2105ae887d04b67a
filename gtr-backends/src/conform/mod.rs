//! Conformance: compares this implementation with recordings of others.
//!
//! A recording is a pair of files, `NAME.json` (where it comes from, how it was called) and `NAME.safetensors` (inputs,
//! noises, outputs). A folder of recordings of one model holds its weights too; its kind is the prefix of its name, that of a
//! recording the prefix of its own. Sizes, grids, step counts, scales and schedules are what the files say.
//!
//! | path | kind | compared |
//! |---|---|---|
//! | `mar_*/` | `weights`, `checkpoint` | the archive's averaged weights with the weights |
//! | | `encdec` | encoder, conditioning vectors, unpatchifying |
//! | | `head` | the network of the diffusion head and its parts, with and without guidance |
//! | | `p_sample_loop` | denoising chains, step by step and free running |
//! | | `sample` | whole runs, step by step from the recorded state and free running |
//! | `lightgen_*/` | `weights`, `checkpoint` | the archive's raw weights with the weights |
//! | | `text` | projected and embedded texts, the absence of a text |
//! | | `pos_embed` | position embeddings interpolated to other grids |
//! | | `encdec` | encoder, decoder, text decoder, patchifying, on the grid that it states |
//! | | `head`, `p_sample_loop`, `sample` | as above |
//! | `vae_kl16_*/` | `weights_decoder`, `weights_encoder`, `golden` | decoder, encoder, mean and variance |
//! | `diffusion_coefs` | | coefficients of the denoising process, timesteps |
//! | `fts`, `halton`, `disa` | | scores, token orders, diffusion step counts |
//! | `loss` | | what steps lose on Gaussian fields |
//! | `digits`, `judge` | | the built-in models |
//! | `fashion` | | the model of clothes, in a clone of the repository |
//! | `*.safetensors` with the metadata of a [trace](crate::trace) | | a run of this program, made again |
//!
//! # Examples
//! ```no_run
//! use gtr_backends::conform::{Options, conform};
//! use gtr_core::Registry;
//!
//! let report = conform(&["recordings".into()], &Options::default(), &Registry::builtin(), &Families::builtin())?;
//! print!("{report}");
//! assert!(report.passed());
//! # Ok::<(), gtr_backends::BackendError>(())
//! ```

mod chains;
mod checks;
mod coefficients;
mod disa;
mod discover;
mod folder;
mod fts;
mod halton;
mod head;
mod judge;
mod kl16;
mod lightgen;
mod loss;
mod mar;
mod model;
mod named;
mod noise;
mod recording;
mod report;
mod runs;
mod trace;
mod transformer;

use std::path::PathBuf;

use gtr_core::Registry;

use self::checks::Checks;
use self::folder::Folder;
use self::recording::Recording;
pub use self::report::{ConformReport, Quantity, Remark, Tolerance};
use crate::{BackendError, Families};

/// How recordings are compared.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Instead of every tolerance that is not exact: the largest difference allowed (coefficients and scores: relative).
    pub tolerance: Option<f64>,
    /// The model that traces are replayed with, by name or path; without it, the built-in model that they
    /// name.
    pub model: Option<String>,
    /// Weights of that model, instead of its own.
    pub weights: Option<PathBuf>,
    /// Random weights of this seed, instead of its own.
    pub random: Option<u64>,
}

impl Options {
    /// Sets [`Options::tolerance`].
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Sets the model, and its weights if they are not its own, that traces are replayed with.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>, weights: Option<PathBuf>) -> Self {
        (self.model, self.weights) = (Some(model.into()), weights);
        self
    }

    /// Sets [`Options::random`].
    #[must_use]
    pub fn with_random(mut self, seed: u64) -> Self {
        self.random = Some(seed);
        self
    }
}

/// What a comparison is given.
struct Inputs<'a> {
    options: &'a Options,
    /// Where implementations of a trace's schedule come from.
    registry: &'a Registry,
    /// Model families that can open the model of a trace.
    families: &'a Families,
}

/// A kind of folder: the recordings of a model.
struct FolderKind {
    prefix: &'static str,
    check: fn(&Folder, &mut Checks<'_>) -> Result<(), BackendError>,
}

/// A kind of recording that stands apart.
struct FileKind {
    prefix: &'static str,
    check: fn(&Recording, &mut Checks<'_>) -> Result<(), BackendError>,
}

/// All kinds of folders.
const FOLDERS: &[FolderKind] = &[
    FolderKind { prefix: "mar_", check: mar::check },
    FolderKind { prefix: "lightgen_", check: lightgen::check },
    FolderKind { prefix: "vae_kl16_", check: kl16::check },
];

/// All kinds of recordings that stand apart.
const FILES: &[FileKind] = &[
    FileKind { prefix: "diffusion_coefs", check: coefficients::check },
    FileKind { prefix: "fts", check: fts::check },
    FileKind { prefix: "halton", check: halton::check },
    FileKind { prefix: "disa", check: disa::check },
    FileKind { prefix: "loss", check: loss::check },
    FileKind { prefix: "digits", check: named::digits },
    FileKind { prefix: "fashion", check: named::fashion },
    FileKind { prefix: "judge", check: judge::check },
];

/// Compares this implementation with all recordings under `paths`: folders of recordings, folders of such folders, or single
/// files.
///
/// A recording that cannot be compared is a problem of the report, not an error.
///
/// # Errors
/// [`BackendError::Read`] for a path that does not exist, [`BackendError::NoRecording`] if there is nothing to check under
/// `paths`.
pub fn conform(
    paths: &[PathBuf],
    options: &Options,
    registry: &Registry,
    families: &Families,
) -> Result<ConformReport, BackendError> {
    let mut report = ConformReport::default();
    for path in paths {
        discover::visit(path, &mut report, &Inputs { options, registry, families })?;
    }
    if report.quantities.is_empty() && report.problems.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let mut reason = format!("there is nothing to check in {}", paths.join(", "));
        if let Some(note) = report.notes.first() {
            reason = format!("{reason} ({}: {})", note.recording, note.text);
        }
        return Err(BackendError::NoRecording(reason));
    }
    Ok(report)
}
