//! Reads traces, of which nothing is trusted.

use std::path::Path;

use gtr_core::detail::Candidates;
use gtr_core::{Detail, ImageIndex, Registry, Stream, StreamPurpose, TokenIndex};

use super::Description;
use crate::checkpoint::{Checkpoint, Wanted};
use crate::{BackendError, Picture};

/// An open trace. Its tensors are read when they are asked for.
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
    /// The detail rule; nothing where it is not known here.
    detail: Option<Box<dyn Detail>>,
}

/// Images that were made together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Its number, from 0.
    pub number: usize,
    /// The numbers of the images, at least one.
    pub images: Vec<ImageIndex>,
    /// Their classes; nothing of a model of texts.
    pub classes: Option<Vec<u32>>,
    /// The order in which each image's tokens are generated; those that are known from the start are not in it.
    pub orders: Vec<Vec<TokenIndex>>,
    /// How many tokens are generated before each step; at the end, all.
    generated: Vec<usize>,
}

/// An AR step of a batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepRecord {
    /// Of each image the tokens that the detail rule picked.
    pub picked: Vec<Vec<TokenIndex>>,
    /// The scale of guidance.
    pub guidance: f64,
    /// How long the step took; nothing where it was not recorded.
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

    /// What it says of the run.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Reads what a batch was asked for, and in which order its tokens came.
    ///
    /// # Errors
    /// [`BackendError`] if a tensor is missing, or holds what cannot be.
    pub fn batch(&mut self, number: usize) -> Result<Batch, BackendError> {
        let name = |part: &str| format!("batch{number}.{part}");
        let images = self.whole(&name("images"), None, 1 << 53)?;
        if images.is_empty() {
            return Err(self.wrong(&name("images"), "it holds no image"));
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
                return Err(self.wrong(&name("orders"), "an order does not hold each token of the grid once"));
            }
            if !order.starts_with(self.description.plan.known()) {
                return Err(self.wrong(&name("orders"), "an order does not begin with the tokens that the plan knows"));
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

    /// Reads what was decided in an AR step of a batch, from 0.
    ///
    /// # Errors
    /// [`BackendError`] if a tensor is missing, or holds what cannot be.
    ///
    /// # Panics
    /// If the plan has no such step.
    pub fn step(&mut self, batch: &Batch, index: usize) -> Result<StepRecord, BackendError> {
        let name = |part: &str| batch.step(index, part);
        let step = self.description.plan.steps()[index];
        let shape = [batch.images.len(), step.tokens()];
        let targets = self.tokens(&name("targets"), &shape)?;
        if !targets.iter().eq(batch.targets(index).flatten()) {
            return Err(self.wrong(&name("targets"), "these are not the tokens that are next in the orders"));
        }
        let groups = self.whole(&name("groups"), Some(shape.to_vec()), u64::from(step.detail().is_some()))?;
        let rows = batch.targets(index).zip(groups.chunks_exact(step.tokens()));
        let picked = rows.map(|(tokens, groups)| {
            tokens.iter().zip(groups).filter(|(_, group)| **group > 0).map(|(token, _)| *token).collect()
        });
        let picked: Vec<Vec<TokenIndex>> = picked.collect();
        let count = step.detail().map_or(0, |detail| detail.tokens);
        if picked.iter().any(|picked| picked.len() != count) {
            return Err(self.wrong(&name("groups"), format!("of each image {count} tokens should be picked")));
        }
        let seconds = if self.file.info(&name("seconds")).is_some() {
            let seconds = self.number(&name("seconds"))?;
            if seconds < 0.0 {
                return Err(self.wrong(&name("seconds"), format!("{seconds} is no time that a step can take")));
            }
            Some(seconds)
        } else {
            None
        };
        Ok(StepRecord { picked, guidance: self.number(&name("guidance"))?, seconds })
    }

    /// The scores by which the plan's detail rule ranks the tokens of an AR step, of each image in the order of its tokens;
    /// nothing if it ranks by no number or is not known here. Steps without detail have scores, too.
    ///
    /// # Errors
    /// [`BackendError`] if the conditioning vectors are missing, or hold what cannot be.
    ///
    /// # Panics
    /// If the plan has no such step.
    pub fn scores(&mut self, batch: &Batch, index: usize) -> Result<Option<Vec<Vec<f64>>>, BackendError> {
        let (Some(detail), seed) = (&self.detail, self.description.seed) else { return Ok(None) };
        if detail.requirements().is_empty() {
            return Ok(None);
        }
        let name = batch.step(index, "z");
        let rows = self.description.plan.steps()[index].tokens() * batch.images.len();
        let width = match self.file.info(&name).map(|info| info.shape.as_slice()) {
            Some(&[found, width]) if found == rows && width > 0 => width,
            Some(shape) => return Err(self.wrong(&name, format!("it is {shape:?}, it should have {rows} rows"))),
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
                Some(_) => return Err(self.wrong(&name, "it holds values that are not finite")),
                None => return Ok(None),
            }
        }
        Ok(Some(scores))
    }

    /// The finished pictures of a batch; nothing where they were not recorded.
    ///
    /// # Errors
    /// [`BackendError`] if they are not pictures.
    pub fn pictures(&mut self, batch: &Batch) -> Result<Option<Vec<Picture>>, BackendError> {
        let name = format!("batch{}.pictures", batch.number);
        let (height, width, channels) = match self.file.info(&name).map(|info| info.shape.as_slice()) {
            None => return Ok(None),
            Some(&[images, height, width, channels])
                if images == batch.images.len() && ![height, width, channels].contains(&0) =>
            {
                (height, width, channels)
            }
            Some(shape) => return Err(self.wrong(&name, format!("{shape:?} is not a shape of pictures of the images"))),
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

    /// All values of a tensor, if they are whole numbers of at most `most`.
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
        found.ok_or_else(|| self.wrong(name, format!("it should hold whole numbers of at most {most}")))
    }

    /// A tensor of tokens.
    fn tokens(&mut self, name: &str, shape: &[usize]) -> Result<Vec<TokenIndex>, BackendError> {
        let grid = self.description.plan.grid();
        let most = grid.tokens() as u64 - 1;
        let tokens = self.whole(name, Some(shape.to_vec()), most)?;
        let token = |token: u64| usize::try_from(token).ok().and_then(|token| grid.token(token).ok());
        let found: Option<Vec<TokenIndex>> = tokens.into_iter().map(token).collect();
        found.ok_or_else(|| self.wrong(name, format!("it should hold tokens of the grid of {grid}")))
    }

    /// A tensor of one number.
    fn number(&mut self, name: &str) -> Result<f64, BackendError> {
        match self.file.read_f64(name)?.as_slice() {
            [number] if number.is_finite() => Ok(*number),
            _ => Err(self.wrong(name, "it should hold one finite number")),
        }
    }
}

impl Batch {
    fn step(&self, index: usize, part: &str) -> String {
        format!("batch{}.step{index}.{part}", self.number)
    }

    /// Of each image the tokens that an AR step generates.
    pub fn targets(&self, index: usize) -> impl Iterator<Item = &[TokenIndex]> {
        self.orders.iter().map(move |order| &order[self.generated[index]..self.generated[index + 1]])
    }
}
