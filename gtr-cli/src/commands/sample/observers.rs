//! Observes a run: progress bar, animation, preview in the terminal.

use std::mem;
use std::ops::ControlFlow;

use gtr_backends::{BackendError, Picture};
use gtr_core::sampler::{Observer, StepEvent};
use gtr_core::{MaskedGenerator, Plan};
use gtr_run::Interrupt;
use gtr_run::animation::Format;
use gtr_run::picture::{Bitmap, Sheet};
use gtr_run::series::{Numbering, SheetLayout};

use super::preview::Preview;
use super::progress::Progress;
use crate::args::SampleArgs;
use crate::error::CliError;
use crate::output::{self, Target};

/// Largest size of the frames of an animation in memory, in bytes.
const MOST: usize = 1 << 29;

/// The observers of a run.
pub(super) struct Observers {
    progress: Progress,
    animation: Option<Animation>,
    preview: Option<Preview>,
    /// Arrangement of the images of the current batch.
    layout: SheetLayout,
    scale: Option<usize>,
}

/// An animation, with the frames so far.
struct Animation {
    target: Target,
    format: Format,
    frames: Vec<Bitmap>,
    bytes: usize,
}

impl Observers {
    /// Creates the observers, before the run starts.
    pub(super) fn new(
        args: &SampleArgs,
        numbering: Numbering,
        plan: &Plan,
        interrupt: &Interrupt,
    ) -> Result<Self, CliError> {
        let images = numbering.images();
        let animation = args.preview.animate.as_deref().map(|path| {
            if images > args.batch.into() {
                return Err(CliError::usage(format_args!(
                    "--animate requires all images in one batch: use --batch {images}, or fewer images"
                )));
            }
            let format = Format::of(path).ok_or_else(|| {
                CliError::usage(format_args!(
                    "--animate {}: expected a file name ending in .gif or .png",
                    path.display()
                ))
            })?;
            Ok(Animation { format, target: Target::new(path)?, frames: Vec::new(), bytes: 0 })
        });
        let reconstructions = args.inpaint.reconstructions();
        let batches = images.div_ceil(args.batch.into()).saturating_mul(reconstructions.into());
        Ok(Self {
            progress: Progress::new(
                batches.saturating_mul(plan.steps().len() as u64),
                images.saturating_mul(reconstructions.into()),
                interrupt,
            ),
            animation: animation.transpose()?,
            preview: preview(args),
            layout: SheetLayout::of_batch(numbering, reconstructions, args.batch.into()),
            scale: args.scale.map(|scale| scale as usize),
        })
    }

    /// Counts finished images.
    pub(super) fn done(&mut self, images: usize) {
        self.progress.done(images);
    }

    /// Removes the progress bar and writes the animation.
    pub(super) fn finish(self) -> Result<(), CliError> {
        self.progress.finish();
        match self.animation {
            Some(Animation { target, format, frames, .. }) => Ok(target.write(&format.encode(&frames)?)?),
            None => Ok(()),
        }
    }

    fn look<G: MaskedGenerator<Image = Picture, Error = BackendError>>(
        &mut self,
        generator: &G,
        canvas: &G::Canvas,
    ) -> Result<(), gtr_run::Error> {
        if self.animation.is_none() && self.preview.is_none() {
            return Ok(());
        }
        let Some(previewer) = generator.previewer() else {
            return Err(gtr_run::Error::request(
                "this model cannot show unfinished images: remove --animate and --preview",
            ));
        };
        let pictures = previewer.preview(canvas)?;
        let mut sheet = Sheet::default();
        for (position, picture) in (0..).zip(&pictures) {
            let scale = *self.scale.get_or_insert_with(|| self.layout.scale(picture));
            sheet.place(&Bitmap::of(picture, scale), self.layout.cell(position, 0), self.layout.size())?;
        }
        let Some(frame) = sheet.finish() else { return Ok(()) };
        if let Some(preview) = &mut self.preview {
            self.progress.above(|| preview.show(&frame));
        }
        self.animation.as_mut().map_or(Ok(()), |animation| animation.add(frame))
    }
}

/// Returns the preview if it is requested and standard output is a terminal.
fn preview(args: &SampleArgs) -> Option<Preview> {
    if !args.preview.preview {
        return None;
    }
    let preview = Preview::new();
    if preview.is_none() {
        output::note("--preview has no effect: standard output is not a terminal");
    }
    preview
}

impl Animation {
    fn add(&mut self, frame: Bitmap) -> Result<(), gtr_run::Error> {
        self.bytes += frame.bytes().len();
        if self.bytes > MOST {
            let frames = gtr_core::count(mem::take(&mut self.frames).len(), "frame");
            return Err(gtr_run::Error::request(format_args!(
                "--animate: more than {frames} would exceed {MOST} bytes: use fewer images or a lower --scale"
            )));
        }
        self.frames.push(frame);
        Ok(())
    }
}

impl<G: MaskedGenerator<Image = Picture, Error = BackendError>> Observer<G> for Observers {
    type Error = gtr_run::Error;

    fn start(&mut self, generator: &G, canvas: &G::Canvas) -> Result<(), gtr_run::Error> {
        Observer::<G>::start(&mut self.progress, generator, canvas)?;
        self.look(generator, canvas)
    }

    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, gtr_run::Error> {
        let flow = Observer::<G>::step(&mut self.progress, event)?;
        self.look(event.generator, event.canvas)?;
        Ok(flow)
    }
}
