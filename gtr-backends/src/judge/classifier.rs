//! The classifier: three convolutions and two linear layers.

use candle_core::{Device, Tensor};

use super::{Moments, Origin, Reference};
use crate::checkpoint::Weights;
use crate::error::Context;
use crate::host_slice::numbers;
use crate::layers::Linear;
use crate::{BackendError, Picture};

/// A classifier of grey 32x32 images with ten classes, and the feature statistics of real images.
///
/// The result for an image does not depend on the other images of a batch or on the number of threads.
///
/// # Examples
/// ```
/// use gtr_backends::Picture;
/// use gtr_backends::judge::Judge;
/// let judge = Judge::new()?;
/// let black = Picture::new(32, 32, 1, vec![0.0; 1024])?;
/// assert!(judge.judge(&[black])?[0].class() < 10);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Debug)]
pub struct Judge {
    convolutions: [Convolution; 3],
    fc1: Linear,
    fc2: Linear,
    /// In the order of [`Reference::EACH`].
    references: [Moments; 3],
    fingerprint: String,
    origin: Origin,
}

/// Result of the classifier for an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// Features, compared by the Fréchet distance.
    pub features: [f32; FEATURES],
    /// One logit per class.
    pub logits: [f32; CLASSES],
}

/// Number of features of an image.
pub const FEATURES: usize = 64;
/// Number of classes of the digits model and of every other model with a judge.
pub const CLASSES: usize = 10;
/// Side of an image in pixels.
const SIDE: usize = 32;
/// Number of images per batch. Larger batches only use more memory.
const BATCH: usize = 16;

/// The weights, embedded in the program.
pub(super) const WEIGHTS: &[u8] = include_bytes!("../../../models/digit-classifier/digit-classifier.safetensors");

impl Judge {
    /// Opens the built-in judge of the digits model.
    ///
    /// # Errors
    /// Any failure of the tensor library.
    pub fn new() -> Result<Self, BackendError> {
        Self::open(&Origin::BuiltIn)
    }

    /// Opens a judge, built in or from a folder.
    ///
    /// # Errors
    /// [`BackendError::Read`] if a file is missing; otherwise the errors of reading a checkpoint.
    pub fn open(origin: &Origin) -> Result<Self, BackendError> {
        let mut files = origin.open()?;
        let [all, first, second] = Reference::EACH.map(|reference| reference.read(&mut files));
        let references = [all?, first?, second?];
        let other = |name: &str| name.starts_with("reference.");
        let (convolutions, fc1, fc2) = Weights::load_among(files.classifier, other, &Device::Cpu, |weights| {
            let convolutions = [
                Convolution::load(weights, "conv1", 1, 16)?,
                Convolution::load(weights, "conv2", 16, 32)?,
                Convolution::load(weights, "conv3", 32, 64)?,
            ];
            let fc1 = Linear::load(weights, "fc1", 1024, FEATURES)?;
            Ok((convolutions, fc1, Linear::load(weights, "fc2", FEATURES, CLASSES)?))
        })?;
        Ok(Self { convolutions, fc1, fc2, references, fingerprint: files.fingerprint, origin: origin.clone() })
    }

    /// Mean and covariance of the features of real images.
    pub fn reference(&self, which: Reference) -> &Moments {
        let [all, first, second] = &self.references;
        match which {
            Reference::All => all,
            Reference::First => first,
            Reference::Second => second,
        }
    }

    /// Origin of the judge.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// SHA-256 of the weights file, in hexadecimal. Results of different judges are not comparable.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Classifies images and returns their features and logits.
    ///
    /// # Errors
    /// [`BackendError::Request`] for an image that is not grey or not 32x32, or a failure of the tensor library.
    pub fn judge(&self, pictures: &[Picture]) -> Result<Vec<Classification>, BackendError> {
        if let Some(other) = pictures.iter().find(|it| (it.width(), it.height(), it.channels()) != (SIDE, SIDE, 1)) {
            return Err(BackendError::Request(format!(
                "the judge needs grey images of 32x32 pixels, found {}x{} with {}",
                other.width(),
                other.height(),
                gtr_core::count(other.channels(), "channel")
            )));
        }
        let mut verdicts = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(BATCH) {
            verdicts.extend(self.forward(batch).context("classifying images")?);
        }
        Ok(verdicts)
    }

    /// Classifies images and returns the class of each.
    ///
    /// # Errors
    /// Those of [`Judge::judge`].
    pub fn classify(&self, pictures: &[Picture]) -> Result<Vec<u32>, BackendError> {
        Ok(self.judge(pictures)?.iter().map(Classification::class).collect())
    }

    fn forward(&self, pictures: &[Picture]) -> candle_core::Result<Vec<Classification>> {
        let pixels = pictures.iter().flat_map(|picture| picture.pixels().iter().map(|value| value * 2.0 - 1.0));
        let mut maps = Maps { side: SIDE, channels: 1, values: pixels.collect() };
        for convolution in &self.convolutions {
            maps = convolution.forward(&maps)?.pooled();
        }
        let flat = maps.channels_first(pictures.len());
        let inputs = flat.len() / pictures.len().max(1);
        let flat = Tensor::from_vec(flat, (pictures.len(), inputs), &Device::Cpu)?;
        let features = self.fc1.forward(&flat)?.relu()?;
        let logits = self.fc2.forward(&features)?;
        let (features, logits) = (numbers(&features)?, numbers(&logits)?);
        let (features, _) = features.f32()?.as_chunks();
        let (logits, _) = logits.f32()?.as_chunks();
        Ok(features.iter().zip(logits).map(|(&features, &logits)| Classification { features, logits }).collect())
    }
}

impl Classification {
    /// The class with the largest logit; the lowest class if several are equal.
    pub fn class(&self) -> u32 {
        let beats = |best: (u32, f32), next: (u32, f32)| if next.1 > best.1 { next } else { best };
        (0..).zip(self.logits).reduce(beats).map_or(0, |(class, _)| class)
    }
}

/// Side of a convolution kernel.
const KERNEL: usize = 3;

/// A convolution that preserves the size, followed by a `ReLU`.
#[derive(Debug)]
struct Convolution {
    channels: usize,
    /// Maps the 3x3 neighbourhood of a pixel (channel-major) to the output channels.
    linear: Linear,
}

/// Square feature maps, channels last.
struct Maps {
    side: usize,
    channels: usize,
    values: Vec<f32>,
}

impl Convolution {
    fn load(weights: &mut Weights, name: &str, channels: usize, outputs: usize) -> Result<Self, BackendError> {
        let linear = Linear::load_shaped(weights, name, &[outputs, channels, KERNEL, KERNEL])?;
        Ok(Self { channels, linear })
    }

    fn forward(&self, maps: &Maps) -> candle_core::Result<Maps> {
        let rows = maps.values.len() / maps.channels;
        let x = Tensor::from_vec(maps.neighbourhoods(), (rows, self.channels * KERNEL * KERNEL), &Device::Cpu)?;
        let out = self.linear.forward(&x)?.relu()?;
        let channels = out.dim(1)?;
        Ok(Maps { side: maps.side, channels, values: out.flatten_all()?.to_vec1()? })
    }
}

impl Maps {
    /// Extracts the 3x3 neighbourhood of each pixel, zero-padded: `[pixels, channels * 3 * 3]` (im2col).
    fn neighbourhoods(&self) -> Vec<f32> {
        let Self { side, channels, .. } = *self;
        let mut rows = Vec::with_capacity(self.values.len() * KERNEL * KERNEL);
        for picture in self.values.chunks_exact(side * side * channels) {
            for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
                for channel in 0..channels {
                    for (down, right) in (0..KERNEL).flat_map(|down| (0..KERNEL).map(move |right| (down, right))) {
                        // A coordinate of -1 wraps to `usize::MAX` and is outside the image.
                        let (y, x) = ((row + down).wrapping_sub(1), (column + right).wrapping_sub(1));
                        let inside = y < side && x < side;
                        rows.push(if inside { picture[(y * side + x) * channels + channel] } else { 0.0 });
                    }
                }
            }
        }
        rows
    }

    /// 2x2 max pooling.
    fn pooled(&self) -> Self {
        let (side, channels) = (self.side / 2, self.channels);
        let mut values = Vec::with_capacity(self.values.len() / 4);
        for picture in self.values.chunks_exact(self.side * self.side * channels) {
            for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
                let at = |down, right| ((2 * row + down) * self.side + 2 * column + right) * channels;
                let corners = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
                let largest =
                    |channel: usize| corners.map(|corner| picture[corner + channel]).into_iter().reduce(f32::max);
                values.extend((0..channels).map(|channel| largest(channel).unwrap_or_default()));
            }
        }
        Self { side, channels, values }
    }

    /// Returns the values in channels-first order.
    fn channels_first(&self, pictures: usize) -> Vec<f32> {
        let pixels = self.side * self.side;
        let at = |picture: usize, channel: usize, pixel: usize| (picture * pixels + pixel) * self.channels + channel;
        let places = (0..pictures).flat_map(|picture| {
            (0..self.channels).flat_map(move |channel| (0..pixels).map(move |pixel| at(picture, channel, pixel)))
        });
        places.map(|place| self.values[place]).collect()
    }
}
