//! Models that generate images by class.

use std::convert::Infallible;
use std::fmt;
use std::ops::ControlFlow;

use gtr_backends::{AnyModel, BackendError, Picture};
use gtr_core::cost::ArchSpec;
use gtr_core::sampler::{Job, Observer, SampleError, Settings, StepEvent};
use gtr_core::{Capability, Grid, GuidanceSchedule, HeadKind, ImageIndex, MaskedGenerator, Sampler, TimestepLimit};

/// Class and index of an image to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRequest {
    /// Class, from 0.
    pub class: u32,
    /// Index that keys the random numbers of the image.
    pub image: ImageIndex,
}

/// Callback after each AR step of a batch. Its arguments are the number of finished AR steps and their total; `Break` stops the batch.
pub type OnStep<'a> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'a;

/// A class-conditional model of any family. [`ClassModel`] implements it for a generator.
pub trait PictureModel {
    /// Returns the token grid.
    fn grid(&self) -> Grid;

    /// Returns the range of timesteps that the model supports.
    fn timestep_limit(&self) -> TimestepLimit;

    /// Returns the kind of head.
    fn head_kind(&self) -> HeadKind;

    /// Returns true if the model provides a capability.
    fn provides(&self, capability: Capability) -> bool;

    /// Returns the architecture, from which costs are computed.
    fn arch(&self) -> ArchSpec;

    /// Returns the model's default guidance scale and its schedule over the AR steps.
    fn guidance(&self) -> (Option<f64>, GuidanceSchedule);

    /// Returns the number of classes. Classes are numbered from 0.
    fn classes(&self) -> usize;

    /// Returns height, width and channels of an image.
    fn shape(&self) -> [usize; 3];

    /// Generates the images in one batch.
    ///
    /// # Errors
    /// Errors of [`Batch::run`](gtr_core::sampler::Batch::run).
    fn sample(
        &mut self,
        sampler: &Sampler<'_>,
        images: &[ImageRequest],
        settings: &Settings,
        step: &mut OnStep<'_>,
    ) -> Result<Vec<Picture>, SampleError<BackendError>>;
}

/// A generator with a prompt for each class.
///
/// # Examples
/// ```
/// use gtr_lab::model::{ClassModel, PictureModel};
/// let generator = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu)?;
/// let model = ClassModel::new(generator)?;
/// assert_eq!((model.classes(), model.shape()), (10, [32, 32, 1]));
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub struct ClassModel<G: MaskedGenerator> {
    /// Generator of the images.
    pub generator: G,
    /// Prompts of the classes, from class 0.
    pub prompts: Vec<G::Prompt>,
    /// Architecture, from which costs are computed.
    pub arch: ArchSpec,
    /// Default guidance scale.
    pub guidance: Option<f64>,
    /// Schedule of the guidance scale over the AR steps.
    pub guidance_schedule: GuidanceSchedule,
    /// Height, width and channels of an image.
    pub shape: [usize; 3],
}

impl<G: MaskedGenerator> fmt::Debug for ClassModel<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassModel")
            .field("grid", &self.generator.grid())
            .field("classes", &self.prompts.len())
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl ClassModel<AnyModel> {
    /// Prepares the prompts of all classes of a class-conditional model, of any family.
    ///
    /// # Errors
    /// [`BackendError`] if the model is not class-conditional.
    pub fn new(generator: AnyModel) -> Result<Self, BackendError> {
        let spec = generator.spec();
        let classes = u32::try_from(spec.classes.unwrap_or_default()).unwrap_or(u32::MAX);
        let prompts = (0..classes.max(1)).map(|class| generator.class(class)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            prompts,
            arch: spec.arch,
            guidance: spec.guidance,
            guidance_schedule: spec.guidance_schedule,
            shape: generator.shape(),
            generator,
        })
    }
}

impl<G> PictureModel for ClassModel<G>
where
    G: MaskedGenerator<Image = Picture, Error = BackendError>,
{
    fn grid(&self) -> Grid {
        self.generator.grid()
    }

    fn timestep_limit(&self) -> TimestepLimit {
        self.generator.head_kind().timesteps()
    }

    fn head_kind(&self) -> HeadKind {
        self.generator.head_kind()
    }

    fn provides(&self, capability: Capability) -> bool {
        capability.is_provided_by(&self.generator)
    }

    fn arch(&self) -> ArchSpec {
        self.arch
    }

    fn guidance(&self) -> (Option<f64>, GuidanceSchedule) {
        (self.guidance, self.guidance_schedule)
    }

    fn classes(&self) -> usize {
        self.prompts.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn sample(
        &mut self,
        sampler: &Sampler<'_>,
        images: &[ImageRequest],
        settings: &Settings,
        step: &mut OnStep<'_>,
    ) -> Result<Vec<Picture>, SampleError<BackendError>> {
        let classes = self.prompts.len();
        let job = |&ImageRequest { class, image }: &ImageRequest| {
            let prompt = self.prompts.get(class as usize).cloned();
            let prompt = prompt.ok_or(SampleError::Model(BackendError::Class { class, classes }))?;
            Ok(Job::new(prompt, image))
        };
        let jobs = images.iter().map(job).collect::<Result<Vec<_>, SampleError<BackendError>>>()?;
        sampler.batch(&jobs, settings).observe(Steps(step)).run(&mut self.generator)
    }
}

/// Observer that reports the step count.
struct Steps<'a, 'b>(&'a mut OnStep<'b>);

impl<G: MaskedGenerator> Observer<G> for Steps<'_, '_> {
    type Error = Infallible;

    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, Infallible> {
        Ok((self.0)(event.index + 1, event.steps))
    }
}
