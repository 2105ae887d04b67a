//! File format of fields.

use std::collections::BTreeMap;
use std::path::Path;

use gtr_core::loss::{self, Field, Measured};
use gtr_core::{Grid, TokenSet};

use super::Form;
use crate::BackendError;
use crate::checkpoint::header::Header;
use crate::checkpoint::{Checkpoint, Dtype, Wanted};

/// Metadata entry that identifies the format.
const FORMAT: (&str, &str) = ("format", "gtr-field");
/// Metadata entry with the version of the format.
const VERSION: (&str, &str) = ("format_version", "1");

/// Values of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers {
    /// `[tokens * channels, tokens * channels]`.
    Full(Vec<f64>),
    /// `[2 height - 1, 2 width - 1, channels, channels]`.
    Averaged(Vec<f64>),
}

/// A measured field as stored in a file: safetensors with one tensor, `covariance` or `displacements`, in f32 or f16,
/// and the provenance as metadata.
///
/// # Shapes
/// - `covariance`: `[tokens * channels, tokens * channels]`; the channels of a token are contiguous.
/// - `displacements`: `[2 height - 1, 2 width - 1, channels, channels]`. The block at `[r + height - 1, c + width - 1]` is the
///   covariance of a token (rows) with the token r rows below and c columns to the right (columns).
///
/// # Examples
/// ```
/// use gtr_backends::field::{FieldFile, Form, Samples};
/// use gtr_core::Grid;
/// let mut samples = Samples::new(Grid::new(1, 2)?, 1);
/// for values in [[0.0, 1.0], [1.0, 1.0], [2.0, 3.0], [0.5, 0.0]] {
///     samples.add(&values, None)?;
/// }
/// let file = samples.field(Form::Averaged, 0.01)?;
/// let again = FieldFile::from_bytes("four.safetensors", file.bytes())?;
/// assert_eq!(again.measured("four")?.classes().len(), 1);
/// assert_eq!(again.provenance()["pictures"], "4");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FieldFile {
    grid: Grid,
    channels: usize,
    numbers: Numbers,
    /// True if the values are stored as f16.
    half: bool,
    provenance: BTreeMap<String, String>,
}

impl FieldFile {
    /// Creates a field. Rounds the values to f32, the precision of the file.
    pub(super) fn new(
        grid: Grid,
        channels: usize,
        mut numbers: Numbers,
        provenance: BTreeMap<String, String>,
    ) -> Result<Self, BackendError> {
        let (Numbers::Full(values) | Numbers::Averaged(values)) = &mut numbers;
        #[expect(clippy::cast_possible_truncation, reason = "the precision of files")]
        for value in values.iter_mut() {
            *value = f64::from(*value as f32);
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(BackendError::Request("the covariance has values that overflow f32".to_owned()));
        }
        Ok(Self { grid, channels, numbers, half: false, provenance })
    }

    /// Rounds the values to f16. This halves the file and changes each value by up to 0.05 %. The field needs a nugget
    /// to stay positive definite.
    #[must_use]
    pub fn halved(mut self) -> Self {
        let (Numbers::Full(values) | Numbers::Averaged(values)) = &mut self.numbers;
        for value in values.iter_mut() {
            *value = half::f16::from_f64(*value).to_f64();
        }
        Self { half: true, ..self }
    }

    /// Token grid of the field.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Number of channels of a token.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Form of the covariance.
    pub fn form(&self) -> Form {
        match self.numbers {
            Numbers::Full(_) => Form::Full,
            Numbers::Averaged(_) => Form::Averaged,
        }
    }

    /// Provenance: the sources and parameters of the measurement, by key.
    pub fn provenance(&self) -> &BTreeMap<String, String> {
        &self.provenance
    }

    /// Adds an entry to the provenance.
    pub fn note(&mut self, name: &str, says: &str) {
        self.provenance.insert(name.to_owned(), says.to_owned());
    }

    /// Reads a file. The file is untrusted input: all sizes are checked before the values are read.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`], and [`BackendError::Field`] if the file is not a field, or has more than
    /// [`gtr_core::loss::LARGEST`] values per image.
    pub fn read(path: &Path) -> Result<Self, BackendError> {
        Self::from_checkpoint(Checkpoint::open_section(path, &Wanted::AsWritten)?)
    }

    /// Reads a file from memory. `name` is used in messages.
    ///
    /// # Errors
    /// Those of [`FieldFile::read`].
    pub fn from_bytes(name: &str, bytes: impl Into<std::borrow::Cow<'static, [u8]>>) -> Result<Self, BackendError> {
        Self::from_checkpoint(Checkpoint::from_bytes(name, bytes)?)
    }

    fn from_checkpoint(mut checkpoint: Checkpoint) -> Result<Self, BackendError> {
        let file = checkpoint.name().to_owned();
        let wrong = |reason: String| BackendError::Field { file: file.clone(), reason };
        let mut provenance: BTreeMap<String, String> =
            checkpoint.metadata().into_iter().map(|(name, says)| (name.to_owned(), says.to_owned())).collect();
        for (name, expected) in [FORMAT, VERSION] {
            match provenance.remove(name) {
                Some(found) if found == expected => {}
                found => {
                    let found = found.map_or_else(|| "none".to_owned(), |found| format!("`{}`", short(&found)));
                    return Err(wrong(format!("expected {name} `{expected}` in its metadata, found {found}")));
                }
            }
        }
        // The name of the tensor implies the form.
        provenance.remove("form");
        let mut number = |name: &str| {
            let text = provenance.remove(name).unwrap_or_default();
            text.parse::<u32>().map_err(|_| wrong(format!("expected an integer as {name} in its metadata")))
        };
        let [height, width, channels] = [number("height")?, number("width")?, number("channels")?];
        let grid = Grid::new(height, width).map_err(|error| wrong(error.to_string()))?;
        let channels = channels as usize;
        let side = grid.tokens().saturating_mul(channels);
        if channels == 0 || side > loss::LARGEST {
            return Err(wrong(format!(
                "a field has {grid} tokens of {}, expected 1 to {} values",
                gtr_core::count(channels, "channel"),
                loss::LARGEST
            )));
        }
        let rows = |side: u32| 2 * side as usize - 1;
        let forms =
            [("covariance", vec![side, side]), ("displacements", vec![rows(height), rows(width), channels, channels])];
        let Some((name, shape)) = forms.iter().find(|(name, _)| checkpoint.info(name).is_some()) else {
            return Err(wrong("it has neither a tensor `covariance` nor `displacements`".to_owned()));
        };
        let found = checkpoint.info(name).map(|info| info.shape.clone()).unwrap_or_default();
        if found != *shape {
            return Err(wrong(format!("tensor `{name}` has the shape {found:?}, expected {shape:?}")));
        }
        let values = checkpoint.read_f64(name)?;
        let numbers = if *name == "covariance" { Numbers::Full(values) } else { Numbers::Averaged(values) };
        let half = checkpoint.info(name).is_some_and(|info| info.dtype == Some(Dtype::F16));
        Ok(Self { grid, channels, numbers, half, provenance })
    }

    /// Encodes the file.
    pub fn bytes(&self) -> Vec<u8> {
        let (height, width) = (self.grid.height(), self.grid.width());
        let mut metadata = self.provenance.clone();
        let said = [
            (FORMAT.0, FORMAT.1.to_owned()),
            (VERSION.0, VERSION.1.to_owned()),
            ("height", height.to_string()),
            ("width", width.to_string()),
            ("channels", self.channels.to_string()),
            ("form", self.form().name().to_owned()),
        ];
        metadata.extend(said.map(|(name, says)| (name.to_owned(), says)));
        let side = self.grid.tokens() * self.channels;
        let rows = |side: u32| 2 * side as usize - 1;
        let mut header = Header::default();
        let dtype = if self.half { Dtype::F16 } else { Dtype::F32 };
        let values = match &self.numbers {
            Numbers::Full(values) => {
                header.add("covariance", dtype, &[side, side]);
                values
            }
            Numbers::Averaged(values) => {
                header.add("displacements", dtype, &[rows(height), rows(width), self.channels, self.channels]);
                values
            }
        };
        let mut bytes = header.bytes(&metadata);
        for value in values {
            if self.half {
                bytes.extend(half::f16::from_f64(*value).to_le_bytes());
            } else {
                #[expect(clippy::cast_possible_truncation, reason = "the precision of files")]
                bytes.extend((*value as f32).to_le_bytes());
            }
        }
        bytes
    }

    /// Returns the field for the computation of losses, with `name` as its name.
    ///
    /// # Errors
    /// [`BackendError::Field`] if the values are not a covariance, or if there are more than
    /// [`gtr_core::loss::LARGEST`] values per image.
    pub fn measured(&self, name: &str) -> Result<Measured, BackendError> {
        let wrong = |reason: String| BackendError::Field { file: name.to_owned(), reason };
        let side = self.grid.tokens() * self.channels;
        if side > loss::LARGEST {
            return Err(wrong(format!("expected at most {} values per image, found {side}", loss::LARGEST)));
        }
        let covariance = match &self.numbers {
            Numbers::Full(values) => values.clone(),
            Numbers::Averaged(values) => self.spread_out(values),
        };
        Measured::new(name, self.grid, self.channels, vec![covariance]).map_err(|error| wrong(error.to_string()))
    }

    /// Checks that losses can be computed on the field.
    ///
    /// # Errors
    /// [`BackendError::Field`] if the values are not a covariance, or not positive definite.
    pub fn check(&self) -> Result<(), BackendError> {
        let field = Field::from(self.measured("the measured field")?);
        let one_by_one: Vec<_> = self.grid.iter().map(|token| vec![token]).collect();
        let computed = loss::loss_of_steps(&TokenSet::empty(self.grid), &one_by_one, &field);
        computed
            .map(drop)
            .map_err(|error| BackendError::Field { file: "the measured field".to_owned(), reason: error.to_string() })
    }

    /// Expands displacements to a full covariance.
    fn spread_out(&self, values: &[f64]) -> Vec<f64> {
        let (height, width, channels) = (self.grid.height() as usize, self.grid.width() as usize, self.channels);
        let (tokens, block) = (self.grid.tokens(), channels * channels);
        let side = tokens * channels;
        let mut covariance = vec![0.0; side * side];
        for a in 0..tokens {
            for b in 0..tokens {
                let (row, column) = (b / width + height - 1 - a / width, b % width + width - 1 - a % width);
                let from = &values[(row * (2 * width - 1) + column) * block..][..block];
                for (k, from) in from.chunks_exact(channels).enumerate() {
                    let at = (a * channels + k) * side + b * channels;
                    covariance[at..at + channels].copy_from_slice(from);
                }
            }
        }
        covariance
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(numbers: Numbers) -> FieldFile {
        FieldFile::new(Grid::new(1, 2).unwrap(), 1, numbers, BTreeMap::new()).unwrap()
    }

    #[test]
    fn files_round_trip() {
        for numbers in [Numbers::Full(vec![1.0, 0.5, 0.5, 1.0]), Numbers::Averaged(vec![0.5, 1.0, 0.5])] {
            let mut file = file(numbers);
            file.note("source", "two tokens");
            let again = FieldFile::from_bytes("x", file.bytes()).unwrap();
            assert_eq!(again, file);
            let half = file.clone().halved();
            assert_eq!(FieldFile::from_bytes("x", half.bytes()).unwrap(), half);
            assert!(half.bytes().len() < file.bytes().len());
            assert_eq!(again.provenance()["source"], "two tokens");
            assert_eq!(again.measured("x").unwrap().classes(), [vec![1.0, 0.5, 0.5, 1.0]]);
            again.check().unwrap();
        }
    }

    #[test]
    fn other_files_are_refused() {
        let good = file(Numbers::Full(vec![1.0, 0.5, 0.5, 1.0])).bytes();
        let changed = |from: &str, to: &str| {
            let at = good.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
            let mut bytes = good.clone();
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            FieldFile::from_bytes("x", bytes).unwrap_err().to_string()
        };
        assert!(
            changed("gtr-field", "gtr-fjeld")
                .contains("expected format `gtr-field` in its metadata, found `gtr-fjeld`")
        );
        assert!(changed(r#""height":"1""#, r#""height":"9""#).contains("expected [18, 18]"));
        assert!(changed(r#""width":"2""#, r#""width":"x""#).contains("an integer as width"));
        assert!(changed(r#""channels":"1""#, r#""channels":"0""#).contains("1 to 4096 values"));
        assert!(changed(r#""covariance":"#, r#""covarianze":"#).contains("neither a tensor"));
        assert!(FieldFile::from_bytes("x", good[..good.len() - 1].to_vec()).is_err());
    }

    #[test]
    fn an_invalid_covariance_is_refused() {
        let indefinite = file(Numbers::Full(vec![1.0, 2.0, 2.0, 1.0]));
        assert!(indefinite.check().is_err());
        let lopsided = file(Numbers::Averaged(vec![0.5, 1.0, 0.25]));
        assert!(lopsided.measured("x").unwrap_err().to_string().contains("not symmetric"));
    }
}
