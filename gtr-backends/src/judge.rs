//! The judge of generated digits: a small convolutional classifier.

use candle_core::{D, Device, Tensor};

use crate::checkpoint::{Checkpoint, Layout, Weights};
use crate::error::Context;
use crate::{BackendError, Picture};

/// A classifier of 32x32 grey pictures of digits.
///
/// # Examples
/// ```
/// use gtr_backends::{Judge, Picture};
/// let judge = Judge::new()?;
/// let black = Picture::new(32, 32, 1, vec![0.0; 1024])?;
/// assert!(judge.classify(&[black])?[0] < 10);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Debug)]
pub struct Judge {
    convolutions: Vec<(Tensor, Tensor)>,
    fc1: (Tensor, Tensor),
    fc2: (Tensor, Tensor),
    reference: Reference,
}

/// Mean and covariance of the features of real digits.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// `[64]`.
    pub mean: Vec<f64>,
    /// `[64, 64]`, row by row; divides by n - 1.
    pub covariance: Vec<f64>,
}

/// What the judge sees in pictures.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// `[pictures, 64]`: what the Fréchet distance compares.
    pub features: Tensor,
    /// `[pictures, 10]`.
    pub logits: Tensor,
}

/// Side of a picture.
const SIDE: usize = 32;
const FEATURES: usize = 64;

impl Judge {
    /// The judge that is part of the program.
    ///
    /// # Errors
    /// A failure of the tensor library.
    pub fn new() -> Result<Self, BackendError> {
        let bytes: &'static [u8] = include_bytes!("../../models/digit-classifier/digit-classifier.safetensors");
        let mut checkpoint = Checkpoint::from_bytes("the digit classifier", bytes)?;
        let reference = Reference {
            mean: checkpoint.read_f64("reference.mean")?,
            covariance: checkpoint.read_f64("reference.cov")?,
        };
        let mut layout = Layout::default();
        layout.add("reference.mean", &[FEATURES]);
        layout.add("reference.cov", &[FEATURES, FEATURES]);
        for (name, inputs, outputs) in [("conv1", 1, 16), ("conv2", 16, 32), ("conv3", 32, 64)] {
            layout.add(format!("{name}.weight"), &[outputs, inputs, 3, 3]);
            layout.add(format!("{name}.bias"), &[outputs]);
        }
        for (name, inputs, outputs) in [("fc1", 1024, FEATURES), ("fc2", FEATURES, 10)] {
            layout.add(format!("{name}.weight"), &[outputs, inputs]);
            layout.add(format!("{name}.bias"), &[outputs]);
        }
        let mut weights = Weights::new(checkpoint, layout, &Device::Cpu)?;
        let mut layer = |name: &str| -> Result<_, BackendError> {
            Ok((weights.take(&format!("{name}.weight"))?, weights.take(&format!("{name}.bias"))?))
        };
        Ok(Self {
            convolutions: ["conv1", "conv2", "conv3"].map(&mut layer).into_iter().collect::<Result<_, _>>()?,
            fc1: layer("fc1")?,
            fc2: layer("fc2")?,
            reference,
        })
    }

    /// The features of 10,000 real digits.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The features and logits of pictures.
    ///
    /// # Errors
    /// [`BackendError::Request`] for a picture that is not 32x32 grey pixels, or a failure of the tensor library.
    pub fn judge(&self, pictures: &[Picture]) -> Result<Verdict, BackendError> {
        let mut pixels = Vec::with_capacity(pictures.len() * SIDE * SIDE);
        for picture in pictures {
            if (picture.width(), picture.height(), picture.channels()) != (SIDE, SIDE, 1) {
                let (width, height) = (picture.width(), picture.height());
                return Err(BackendError::Request(format!(
                    "the judge sees grey pictures of 32x32 pixels, not {width}x{height} with {} channels",
                    picture.channels()
                )));
            }
            pixels.extend(picture.pixels().iter().map(|value| value * 2.0 - 1.0));
        }
        let forward = || {
            let mut x = Tensor::from_vec(pixels, (pictures.len(), 1, SIDE, SIDE), &Device::Cpu)?;
            for (weight, bias) in &self.convolutions {
                let bias = bias.reshape((1, (), 1, 1))?;
                x = x.conv2d(weight, 1, 1, 1, 1)?.broadcast_add(&bias)?.relu()?.max_pool2d(2)?;
            }
            let linear = |x: &Tensor, (weight, bias): &(Tensor, Tensor)| x.matmul(&weight.t()?)?.broadcast_add(bias);
            let features = linear(&x.flatten_from(1)?, &self.fc1)?.relu()?;
            Ok(Verdict { logits: linear(&features, &self.fc2)?, features })
        };
        let verdict: candle_core::Result<Verdict> = forward();
        verdict.context("judging pictures")
    }

    /// The class that the judge reads in each picture.
    ///
    /// # Errors
    /// As [`Judge::judge`].
    pub fn classify(&self, pictures: &[Picture]) -> Result<Vec<u32>, BackendError> {
        let logits = self.judge(pictures)?.logits;
        logits.argmax(D::Minus1).and_then(|classes| classes.to_vec1()).context("judging pictures")
    }
}
