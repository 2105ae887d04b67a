//! Reads the safetensors format: a JSON header, followed by the tensors.

use std::collections::BTreeMap;

use safetensors::tensor::{Metadata, TensorInfo as Entry};

use super::{Dtype, Source, TensorInfo};

/// Largest accepted header, in bytes. Real checkpoints have at most a few hundred kilobytes.
const LARGEST_HEADER: u64 = 16 << 20;

pub(super) struct File {
    source: Source,
    data_start: u64,
    metadata: Metadata,
    names: Vec<String>,
}

impl File {
    pub(super) fn open(mut source: Source) -> Result<Self, String> {
        let length = source.len().map_err(|error| error.to_string())?;
        let start = source.start().map_err(|error| error.to_string())?;
        let Ok(start) = <[u8; 8]>::try_from(start) else {
            return Err(format!(
                "it is too short for a checkpoint: {}; download or copy it again",
                gtr_core::count(length, "byte")
            ));
        };
        let header = u64::from_le_bytes(start);
        let mut text = Vec::new();
        source.read_at(8, usize::from(length > 8), &mut text).map_err(|error| error.to_string())?;
        if header > LARGEST_HEADER || header > length - 8 {
            // A truncated file still starts with a plausible length and an opening brace.
            let cut = header <= LARGEST_HEADER && text == b"{";
            return Err(if cut {
                let header = gtr_core::count(header, "byte");
                format!("it ends inside its header of {header}: the file is truncated; download or copy it again")
            } else {
                "it is not a checkpoint: expected a file of safetensors or torch.save".to_owned()
            });
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most LARGEST_HEADER")]
        source.read_at(8, header as usize, &mut text).map_err(|error| error.to_string())?;
        let metadata: Metadata =
            serde_json::from_slice(&text).map_err(|error| format!("its safetensors header is damaged: {error}"))?;
        let data_start = 8 + header;
        let (stated, there) = (metadata.data_len() as u64, length - data_start);
        if stated > there {
            return Err(format!(
                "its header describes {} of tensors, {there} follow: it is truncated; download or copy it again",
                gtr_core::count(stated, "byte")
            ));
        }
        if stated < there {
            let stated = gtr_core::count(stated, "byte");
            return Err(format!("its header describes {stated} of tensors, {there} follow: it is damaged"));
        }
        // Sort by position in the file: the iteration order of a map differs between runs.
        let mut placed: Vec<_> = metadata.tensors().into_iter().map(|(name, info)| (info.data_offsets, name)).collect();
        placed.sort_unstable();
        let names = placed.into_iter().map(|(_, name)| name).collect();
        Ok(Self { source, data_start, metadata, names })
    }

    /// Names of all tensors, in file order.
    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// Shape and type of a tensor.
    pub(super) fn info(&self, name: &str) -> Option<TensorInfo> {
        let entry: &Entry = self.metadata.info(name)?;
        Some(TensorInfo { shape: entry.shape.clone(), dtype: dtype(entry) })
    }

    pub(super) fn texts(&self) -> BTreeMap<&str, &str> {
        let texts = self.metadata.metadata().iter().flatten();
        texts.map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// Reads the elements of a tensor into `bytes`.
    pub(super) fn read(&mut self, name: &str, bytes: &mut Vec<u8>) -> Result<Dtype, String> {
        let entry = self.metadata.info(name).ok_or("there is no such tensor")?;
        let dtype = dtype(entry).ok_or_else(|| format!("elements of type {} are not supported", entry.dtype))?;
        // `Metadata` has checked the header: the ranges are contiguous, match the shapes and end with the file.
        let (start, end) = entry.data_offsets;
        let read = self.source.read_at(self.data_start + start as u64, end - start, bytes);
        read.map_err(|error| error.to_string())?;
        Ok(dtype)
    }
}

fn dtype(entry: &Entry) -> Option<Dtype> {
    Dtype::of_code(&entry.dtype.to_string())
}
