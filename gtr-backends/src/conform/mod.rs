//! Conformance: compares this implementation with recordings of reference implementations.
//!
//! A recording is a pair of files, `NAME.json` (source and arguments) and `NAME.safetensors` (inputs, noise, outputs).
//! A folder of recordings of one model also has its weights. The prefix of its name is the kind of the folder; the
//! prefix of the name of a recording is the kind of the recording. Sizes, grids, step counts, scales and schedules are
//! read from the files.
//!
//! [`Options::compute`] selects the device and the type. Values that only the host computes do not depend on it: orders,
//! masks, timesteps, noise, coefficients, scores of images. [`Tolerances`] decides which differences of the others are
//! allowed; the report states it.
//!
//! | path | kind | compared |
//! |---|---|---|
//! | `mar_*/` | `weights`, `checkpoint` | averaged weights of the archive with the weights |
//! | | `encdec` | encoder, conditioning vectors, unpatchifying |
//! | | `head` | the network of the diffusion head and its parts, with and without guidance |
//! | | `p_sample_loop` | denoising chains, step by step and free running |
//! | | `sample` | whole runs, step by step from the recorded state and free running |
//! | `lightgen_*/` | `weights`, `checkpoint` | raw weights of the archive with the weights |
//! | | `text` | projected and embedded texts, the empty text |
//! | | `pos_embed` | position embeddings interpolated to other grids |
//! | | `encdec` | encoder, decoder, text decoder, patchifying, on the recorded grid |
//! | | `head`, `p_sample_loop`, `sample` | as above |
//! | `lazymar_*/` | `p_sample_loop` | denoising chains whose head reuses results of earlier evaluations |
//! | | `sample` | runs that reuse results of earlier steps: schedule, selected tokens, conditioning vectors |
//! | | `caches` | single steps from recorded caches: encoder, decoder, selected tokens, conditioning vectors |
//! | | `plain` | the same runs without reuse |
//! | `vae_kl16_*/` | `weights_decoder`, `weights_encoder`, `golden` | decoder, encoder, mean and variance |
//! | `diffusion_coefs` | | coefficients of the denoising process, timesteps |
//! | `fts`, `halton`, `disa` | | scores, token orders, diffusion step counts |
//! | `loss` | | information loss of steps on Gaussian fields |
//! | `solvers` | | steps of solvers on distributions whose exact prediction is known |
//! | `digits`, `judge` | | the built-in models |
//! | `fashion` | | the clothing model, in a clone of the repository |
//! | `*.safetensors` with the metadata of a [trace](crate::trace) | | replay of a run of this program |
//!
//! # Examples
//! ```no_run
//! use gtr_backends::Families;
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
mod lazymar;
mod lazymar_caches;
mod lazymar_head;
mod lazymar_run;
mod lazymar_steps;
mod lightgen;
mod loss;
mod mar;
mod model;
mod named;
mod noise;
mod recording;
mod report;
mod runs;
mod solvers;
mod tolerances;
mod trace;
mod transformer;

use std::path::PathBuf;

use candle_core::Device;
use gtr_core::Registry;

use self::checks::Checks;
use self::folder::Folder;
use self::recording::Recording;
pub use self::report::{ConformReport, Quantity, Remark, Setting, Tolerance};
pub use self::tolerances::Tolerances;
use crate::{BackendError, Compute, Families};

/// Options of [`conform`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Device and type of the models.
    pub compute: Compute,
    /// True to replay a trace in the type that it records instead of that of [`Options::compute`].
    pub own_precision: bool,
    /// Which differences are allowed.
    pub tolerances: Tolerances,
    /// Name or path of the model that replays traces; `None` for the built-in model that the trace names.
    pub model: Option<String>,
    /// Checkpoint of that model; `None` for its own.
    pub weights: Option<PathBuf>,
    /// Seed of random weights of that model.
    pub random: Option<u64>,
}

/// f32 on the CPU, with the tolerances of the recordings; traces in the type that they record.
impl Default for Options {
    fn default() -> Self {
        Self {
            compute: Compute::from(&Device::Cpu),
            own_precision: true,
            tolerances: Tolerances::default(),
            model: None,
            weights: None,
            random: None,
        }
    }
}

impl Options {
    /// Sets device and type, also for traces.
    #[must_use]
    pub fn with_compute(mut self, compute: impl Into<Compute>) -> Self {
        (self.compute, self.own_precision) = (compute.into(), false);
        self
    }

    /// Sets [`Options::tolerances`].
    #[must_use]
    pub fn with_tolerances(mut self, tolerances: Tolerances) -> Self {
        self.tolerances = tolerances;
        self
    }

    /// Sets [`Options::tolerances`] to one number.
    #[must_use]
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        self.with_tolerances(Tolerances::Number(tolerance))
    }

    /// Sets the model that replays traces, and optionally its checkpoint.
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

/// Inputs of a comparison.
struct Inputs<'a> {
    options: &'a Options,
    /// Implementations of the axes of schedules.
    registry: &'a Registry,
    /// Model families that can open the model of a trace.
    families: &'a Families,
}

/// A kind of folder: the recordings of a model.
struct FolderKind {
    prefix: &'static str,
    check: fn(&Folder, &mut Checks<'_>) -> Result<(), BackendError>,
}

/// A kind of standalone recording.
struct FileKind {
    prefix: &'static str,
    check: fn(&Recording, &mut Checks<'_>) -> Result<(), BackendError>,
}

/// All kinds of folders.
const FOLDERS: &[FolderKind] = &[
    FolderKind { prefix: "mar_", check: mar::check },
    FolderKind { prefix: "lightgen_", check: lightgen::check },
    FolderKind { prefix: "lazymar_", check: lazymar::check },
    FolderKind { prefix: "vae_kl16_", check: kl16::check },
];

/// All kinds of standalone recordings.
const FILES: &[FileKind] = &[
    FileKind { prefix: "diffusion_coefs", check: coefficients::check },
    FileKind { prefix: "fts", check: fts::check },
    FileKind { prefix: "halton", check: halton::check },
    FileKind { prefix: "disa", check: disa::check },
    FileKind { prefix: "loss", check: loss::check },
    FileKind { prefix: "solvers", check: solvers::check },
    FileKind { prefix: "digits", check: named::digits },
    FileKind { prefix: "fashion", check: named::fashion },
    FileKind { prefix: "judge", check: judge::check },
];

/// Compares this implementation with all recordings under `paths`: folders of recordings, folders of such folders, or
/// single files.
///
/// A recording that cannot be compared is a problem of the report, not an error.
///
/// # Errors
/// [`BackendError::Read`] for a path that does not exist, [`BackendError::NoRecording`] if there is nothing to check
/// under `paths`.
pub fn conform(
    paths: &[PathBuf],
    options: &Options,
    registry: &Registry,
    families: &Families,
) -> Result<ConformReport, BackendError> {
    let mut report = ConformReport { setting: Setting::of(options), ..ConformReport::default() };
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
