//! Reading of traces. They are untrusted input; every value is checked.

use std::path::Path;

use gtr_core::detail::Candidates;
use gtr_core::{Detail, ImageIndex, Registry, Stream, StreamPurpose, TokenIndex};

use super::Description;
use crate::checkpoint::{Checkpoint, Wanted};
use crate::{BackendError, Picture};

/// An open trace. Its tensors are read on demand.
///
/// # Examples
/// ```no_run
/// use gtr_backends::trace::Trace;
/// let mut trace = Trace::open("seven.safetensors".as_ref(), &gtr_core::Registry::builtin())?;
/// let batch = trace.batch(0)?;
/// for step in 0..trace.description().plan.steps().len() {
///     println!("{:?} s", trace.step(&batch, step)?.seconds);
/// }
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Debug)]
pub struct Trace {
    file: Checkpoint,
    description: Description,
    /// Detail rule; `None` if it is unknown.
    detail: Option<Box<dyn Detail>>,
}

/// A batch of images.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Number of the batch, counted from 0.
    pub number: usize,
    /// Indices of the images, at least one.
    pub images: Vec<ImageIndex>,
    /// Classes of the images; `None` for a text-conditional model.
    pub classes: Option<Vec<u32>>,
    /// Order of generation of each image's tokens, without the tokens that are known from the start.
    pub orders: Vec<Vec<TokenIndex>>,
    /// Number of tokens generated before each step; the last element is the total.
    generated: Vec<usize>,
}

/// An AR step of a batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepRecord {
    /// Tokens of each image that the detail rule selected.
    pub picked: Vec<Vec<TokenIndex>>,
    /// Guidance scale.
    pub guidance: f64,
    /// Duration of the step in seconds; `None` if it was not recorded.
    pub seconds: Option<f64>,
}

impl Trace {
    /// Opens a trace.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`] and [`Description::read`].
    pub fn open(path: &Path, registry: &Registry) -> Result<Self, BackendError> {
        let file = Checkpoint::open_section(path, &Wanted::AsWritten)?;
        let description = Description::read(&file, registry)?;
        let detail = registry.build_detail(description.plan.detail()).ok();
        Ok(Self { file, description, detail })
    }

    /// Metadata of the trace.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Reads prompts and orders of a batch.
    ///
    /// # Errors
    /// [`BackendError`] if a tensor is missing or invalid.
    pub fn batch(&mut self, number: usize) -> Result<Batch, BackendError> {
        let name = |part: &str| format!("batch{number}.{part}");
        let images = self.whole(&name("images"), None, 1 << 53)?;
        if images.is_empty() {
            return Err(self.wrong(&name("images"), "it has no images"));
        }
        let shape = Some(vec![images.len()]);
        let classes = if self.file.info(&name("classes")).is_some() {
            let classes = self.whole(&name("classes"), shape, u64::from(u32::MAX))?;
            Some(classes.into_iter().filter_map(|class| u32::try_from(class).ok()).collect())
        } else {
            None
        };
        let grid = self.description.plan.grid();
        let orders = self.tokens(&name("orders"), &[images.len(), grid.tokens()])?;
        for order in orders.chunks_exact(grid.tokens()) {
            let mut sorted = order.to_vec();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(grid.iter()) {
                return Err(self.wrong(&name("orders"), "expected each token of the grid once in each order"));
            }
            if !order.starts_with(self.description.plan.known()) {
                return Err(
                    self.wrong(&name("orders"), "expected each order to start with the known tokens of the plan")
                );
            }
        }
        let given = self.description.plan.known().len();
        let orders = orders.chunks_exact(grid.tokens()).map(|order| order[given..].to_vec()).collect();
        let mut sum = 0;
        let after = self.description.plan.steps().iter().map(|step| {
            sum += step.tokens();
            sum
        });
        let generated = std::iter::once(0).chain(after).collect();
        Ok(Batch { number, images: images.into_iter().map(ImageIndex).collect(), classes, orders, generated })
    }

    /// Reads an AR step of a batch. Steps are counted from 0.
    ///
    /// # Errors
    /// [`BackendError`] if a tensor is missing or invalid.
    ///
    /// # Panics
    /// If the plan does not have this step.
    pub fn step(&mut self, batch: &Batch, index: usize) -> Result<StepRecord, BackendError> {
        let name = |part: &str| batch.step(index, part);
        let step = self.description.plan.steps()[index];
        let shape = [batch.images.len(), step.tokens()];
        let targets = self.tokens(&name("targets"), &shape)?;
        if !targets.iter().eq(batch.targets(index).flatten()) {
            return Err(self.wrong(&name("targets"), "expected the next tokens of the orders"));
        }
        let groups = self.whole(&name("groups"), Some(shape.to_vec()), u64::from(step.detail().is_some()))?;
        let rows = batch.targets(index).zip(groups.chunks_exact(step.tokens()));
        let picked = rows.map(|(tokens, groups)| {
            tokens.iter().zip(groups).filter(|(_, group)| **group > 0).map(|(token, _)| *token).collect()
        });
        let picked: Vec<Vec<TokenIndex>> = picked.collect();
        let count = step.detail().map_or(0, |detail| detail.tokens);
        if picked.iter().any(|picked| picked.len() != count) {
            return Err(self.wrong(
                &name("groups"),
                format!("expected {} of each image", gtr_core::count(count, "selected token")),
            ));
        }
        let seconds = if self.file.info(&name("seconds")).is_some() {
            let seconds = self.number(&name("seconds"))?;
            if seconds < 0.0 {
                return Err(self.wrong(&name("seconds"), format!("{seconds} is not a valid duration")));
            }
            Some(seconds)
        } else {
            None
        };
        Ok(StepRecord { picked, guidance: self.number(&name("guidance"))?, seconds })
    }

    /// Returns the scores by which the detail rule of the plan ranks the tokens of an AR step, in the order of the
    /// tokens of each image. Returns `None` if the rule has no scores or is unknown. Steps without detail have scores,
    /// too.
    ///
    /// # Errors
    /// [`BackendError`] if the conditioning vectors are missing or invalid.
    ///
    /// # Panics
    /// If the plan does not have this step.
    pub fn scores(&mut self, batch: &Batch, index: usize) -> Result<Option<Vec<Vec<f64>>>, BackendError> {
        let (Some(detail), seed) = (&self.detail, self.description.seed) else { return Ok(None) };
        if detail.requirements().is_empty() {
            return Ok(None);
        }
        let name = batch.step(index, "z");
        let rows = self.description.plan.steps()[index].tokens() * batch.images.len();
        let width = match self.file.info(&name).map(|info| info.shape.as_slice()) {
            Some(&[found, width]) if found == rows && width > 0 => width,
            Some(shape) => {
                return Err(
                    self.wrong(&name, format!("expected {}, found the shape {shape:?}", gtr_core::count(rows, "row")))
                );
            }
            None => return Err(self.missing(&name)),
        };
        let vectors = self.file.read_f32(&name)?;
        let Some(detail) = &self.detail else { return Ok(None) };
        let mut scores = Vec::with_capacity(batch.images.len());
        let mut from = 0;
        for (&image, tokens) in batch.images.iter().zip(batch.targets(index)) {
            let features = &vectors[from..from + tokens.len() * width];
            from += features.len();
            let stream = Stream::new(seed, StreamPurpose::Detail, image, index as u64);
            match detail.scores(&Candidates { tokens, width, features, stream }) {
                Some(own) if own.iter().all(|score| score.is_finite()) => scores.push(own),
                Some(_) => return Err(self.wrong(&name, "it has values that are not finite")),
                None => return Ok(None),
            }
        }
        Ok(Some(scores))
    }

    /// Returns the finished images of a batch; `None` if they were not recorded.
    ///
    /// # Errors
    /// [`BackendError`] if the tensor is not a batch of images.
    pub fn pictures(&mut self, batch: &Batch) -> Result<Option<Vec<Picture>>, BackendError> {
        let name = format!("batch{}.pictures", batch.number);
        let (height, width, channels) = match self.file.info(&name).map(|info| info.shape.as_slice()) {
            None => return Ok(None),
            Some(&[images, height, width, channels])
                if images == batch.images.len() && ![height, width, channels].contains(&0) =>
            {
                (height, width, channels)
            }
            Some(shape) => return Err(self.wrong(&name, format!("{shape:?} is not the shape of a batch of images"))),
        };
        let values = self.file.read_f32(&name)?;
        let picture = |values: &[f32]| {
            let pixels = values.iter().map(|value| value / 255.0).collect();
            Picture::new(width, height, channels, pixels)
        };
        values.chunks_exact(values.len() / batch.images.len()).map(picture).collect::<Result<_, _>>().map(Some)
    }

    fn wrong(&self, name: &str, reason: impl Into<String>) -> BackendError {
        BackendError::Tensor { file: self.file.name().to_owned(), name: name.to_owned(), reason: reason.into() }
    }

    fn missing(&self, name: &str) -> BackendError {
        self.wrong(name, "there is no such tensor")
    }

    /// Reads all values of a tensor, which must be integers from 0 to `most`.
    fn whole(&mut self, name: &str, shape: Option<Vec<usize>>, most: u64) -> Result<Vec<u64>, BackendError> {
        let found = self.file.info(name).map(|info| info.shape.clone()).ok_or_else(|| self.missing(name))?;
        if let Some(expected) = shape
            && expected != found
        {
            let (file, name) = (self.file.name().to_owned(), name.to_owned());
            return Err(BackendError::TensorShape { file, name, found, expected });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "checked"
        )]
        let whole =
            |value: &f64| (value.fract() == 0.0 && (0.0..=most as f64).contains(value)).then_some(*value as u64);
        let values = self.file.read_f64(name)?;
        let found: Option<Vec<u64>> = values.iter().map(whole).collect();
        found.ok_or_else(|| self.wrong(name, format!("expected integers from 0 to {most}")))
    }

    /// Reads a tensor of tokens.
    fn tokens(&mut self, name: &str, shape: &[usize]) -> Result<Vec<TokenIndex>, BackendError> {
        let grid = self.description.plan.grid();
        let most = grid.tokens() as u64 - 1;
        let tokens = self.whole(name, Some(shape.to_vec()), most)?;
        let token = |token: u64| usize::try_from(token).ok().and_then(|token| grid.token(token).ok());
        let found: Option<Vec<TokenIndex>> = tokens.into_iter().map(token).collect();
        found.ok_or_else(|| self.wrong(name, format!("expected tokens of the grid {grid}")))
    }

    /// Reads a tensor of one number.
    fn number(&mut self, name: &str) -> Result<f64, BackendError> {
        match self.file.read_f64(name)?.as_slice() {
            [number] if number.is_finite() => Ok(*number),
            _ => Err(self.wrong(name, "expected one finite number")),
        }
    }
}

impl Batch {
    fn step(&self, index: usize, part: &str) -> String {
        format!("batch{}.step{index}.{part}", self.number)
    }

    /// Returns the tokens of each image that an AR step generates.
    pub fn targets(&self, index: usize) -> impl Iterator<Item = &[TokenIndex]> {
        self.orders.iter().map(move |order| &order[self.generated[index]..self.generated[index + 1]])
    }
}
