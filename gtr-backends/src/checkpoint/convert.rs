//! Converts any checkpoint to safetensors, one tensor at a time.

use std::collections::BTreeMap;
use std::path::Path;

use super::dtype::to_f64;
use super::header::Header;
use super::{Checkpoint, Dtype, Section, Wanted};
use crate::BackendError;
use crate::atomic_file::Partial;

/// Options of [`convert`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// Section of the checkpoint to convert.
    pub section: Wanted,
    /// Type of the converted weights: f32, f16 or bf16. `None` keeps the type of each tensor. Integer and boolean
    /// tensors always keep their type.
    pub dtype: Option<Dtype>,
}

impl ConvertOptions {
    /// Sets [`ConvertOptions::section`].
    #[must_use]
    pub fn with_section(mut self, section: Wanted) -> Self {
        self.section = section;
        self
    }

    /// Sets [`ConvertOptions::dtype`].
    #[must_use]
    pub fn with_dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }
}

/// Result of [`convert`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Converted {
    /// Section of the checkpoint that was converted.
    pub section: Section,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of values in all tensors.
    pub parameters: usize,
}

/// Number of values that are converted at a time.
const PIECE: usize = 1 << 16;

/// Writes the tensors of a checkpoint to a safetensors file. At most one tensor is in memory at a time. The output file
/// appears only when it is complete; an existing file is replaced. The metadata key `section` has the name of the
/// section.
///
/// # Errors
/// Those of [`Checkpoint::open_section`] and [`Checkpoint::read_f32`]; [`BackendError::NonFiniteWeight`] for a value
/// that is too large for the new type; [`BackendError::WeightType`] for a type other than f32, f16 or bf16;
/// [`BackendError::SameFile`] if `output` is `input`; [`BackendError::Write`] if the output cannot be written.
///
/// # Examples
/// ```no_run
/// use gtr_backends::checkpoint::{ConvertOptions, Dtype, convert};
/// let options = ConvertOptions::default().with_dtype(Dtype::F16);
/// let converted = convert("checkpoint-last.pth".as_ref(), "mar-b.safetensors".as_ref(), &options)?;
/// println!("{} tensors from {}", converted.tensors, converted.section);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn convert(input: &Path, output: &Path, options: &ConvertOptions) -> Result<Converted, BackendError> {
    if let Some(dtype) = options.dtype.filter(|dtype| !matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16)) {
        return Err(BackendError::WeightType { dtype: dtype.to_string() });
    }
    if let (Ok(from), Ok(to)) = (input.canonicalize(), output.canonicalize())
        && from == to
    {
        return Err(BackendError::SameFile { path: input.to_owned() });
    }
    let mut checkpoint = Checkpoint::open_section(input, &options.section)?;
    let mut header = Header::default();
    let mut types: Vec<(String, Dtype)> = Vec::with_capacity(checkpoint.tensors.len());
    let mut parameters = 0_usize;
    for (name, info) in &checkpoint.tensors {
        let Some(from) = info.dtype else {
            // Reading the tensor returns the specific error.
            let name = name.clone();
            let reason = "its type is not supported".to_owned();
            return Err(checkpoint.read_f32(&name).err().unwrap_or_else(|| checkpoint.wrong(&name, reason)));
        };
        let to = options.dtype.filter(|_| !from.is_whole()).unwrap_or(from);
        let count = info.shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        let total = count.and_then(|count| parameters.checked_add(count)).filter(|total| *total <= usize::MAX / 16);
        parameters = total.ok_or_else(|| checkpoint.wrong(name, "it is too large".into()))?;
        types.push((name.clone(), to));
    }
    // Wide types first, so that all tensors are aligned.
    types.sort_by_key(|(_, dtype)| std::cmp::Reverse(dtype.size()));
    for (name, dtype) in &types {
        header.add(name, *dtype, &checkpoint.tensors[name].shape);
    }
    let section = checkpoint.section.clone();
    let metadata = BTreeMap::from([
        ("format".to_owned(), "pt".to_owned()),
        ("section".to_owned(), section.name().to_owned()),
        ("converted_by".to_owned(), concat!("gtr ", env!("CARGO_PKG_VERSION")).to_owned()),
    ]);
    let mut file = Partial::create(output)?;
    file.write(&header.bytes(&metadata))?;
    let tensors = types.len();
    for (name, to) in types {
        copy(&mut checkpoint, &name, to, &mut file)?;
    }
    file.finish()?;
    Ok(Converted { section, tensors, parameters })
}

fn copy(checkpoint: &mut Checkpoint, name: &str, to: Dtype, file: &mut Partial) -> Result<(), BackendError> {
    let mut bytes = Vec::new();
    let from = checkpoint.raw(name, &mut bytes)?;
    if from == to {
        return file.write(&bytes);
    }
    for (piece, bytes) in bytes.chunks(PIECE * from.size()).enumerate() {
        let mut new = Vec::with_capacity(PIECE * to.size());
        for (index, value) in to_f64(from, bytes).into_iter().enumerate() {
            if !narrowed(value, to, &mut new) {
                let (file, name, index) = (checkpoint.name.clone(), name.to_owned(), piece * PIECE + index);
                #[expect(clippy::cast_possible_truncation, reason = "for a message")]
                return Err(BackendError::NonFiniteWeight { file, name, index, value: value as f32 });
            }
        }
        file.write(&new)?;
    }
    Ok(())
}

/// Appends a value in its new type. Returns false if the value was finite and overflows in the new type.
fn narrowed(value: f64, to: Dtype, bytes: &mut Vec<u8>) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "the narrowing is intended")]
    let single = value as f32;
    let still_finite = match to {
        Dtype::F16 => {
            let new = half::f16::from_f64(value);
            bytes.extend(new.to_le_bytes());
            new.is_finite()
        }
        Dtype::Bf16 => {
            let new = half::bf16::from_f64(value);
            bytes.extend(new.to_le_bytes());
            new.is_finite()
        }
        _ => {
            bytes.extend(single.to_le_bytes());
            single.is_finite()
        }
    };
    still_finite || !value.is_finite()
}
