//! The safetensors format: a header in JSON, then the tensors one after the other.

use std::collections::BTreeMap;

use safetensors::tensor::{Metadata, TensorInfo as Entry};

use super::{Dtype, Source, TensorInfo};

/// Headers of real checkpoints stay below a few hundred kilobytes.
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
            return Err(format!("{length} bytes are too few for a checkpoint; download or copy it again"));
        };
        let header = u64::from_le_bytes(start);
        let mut text = Vec::new();
        source.read_at(8, usize::from(length > 8), &mut text).map_err(|error| error.to_string())?;
        if header > LARGEST_HEADER || header > length - 8 {
            // The header of a file that is cut inside it begins as it should.
            let cut = header <= LARGEST_HEADER && text == b"{";
            return Err(if cut {
                format!("it ends inside its header of {header} bytes: it is half a file; download or copy it again")
            } else {
                "it is no checkpoint: it begins neither as safetensors nor as a file of torch.save does".to_owned()
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
                "its header describes {stated} bytes of tensors, {there} follow: it is half a file; download or copy it again"
            ));
        }
        if stated < there {
            return Err(format!("its header describes {stated} bytes of tensors, {there} follow: it is damaged"));
        }
        // As they lie in the file: the order of a map would change from run to run.
        let mut placed: Vec<_> = metadata.tensors().into_iter().map(|(name, info)| (info.data_offsets, name)).collect();
        placed.sort_unstable();
        let names = placed.into_iter().map(|(_, name)| name).collect();
        Ok(Self { source, data_start, metadata, names })
    }

    /// The names of all tensors.
    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// What the header says of a tensor.
    pub(super) fn info(&self, name: &str) -> Option<TensorInfo> {
        let entry: &Entry = self.metadata.info(name)?;
        Some(TensorInfo { shape: entry.shape.clone(), dtype: dtype(entry) })
    }

    pub(super) fn texts(&self) -> BTreeMap<&str, &str> {
        let texts = self.metadata.metadata().iter().flatten();
        texts.map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// Makes `bytes` hold the elements of a tensor.
    pub(super) fn read(&mut self, name: &str, bytes: &mut Vec<u8>) -> Result<Dtype, String> {
        let entry = self.metadata.info(name).ok_or("there is no such tensor")?;
        let dtype = dtype(entry).ok_or_else(|| format!("elements of type {} are not read", entry.dtype))?;
        // The header was checked: the ranges lie end to end, fit the shapes, and end where the file ends.
        let (start, end) = entry.data_offsets;
        let read = self.source.read_at(self.data_start + start as u64, end - start, bytes);
        read.map_err(|error| error.to_string())?;
        Ok(dtype)
    }
}

fn dtype(entry: &Entry) -> Option<Dtype> {
    Dtype::of_code(&entry.dtype.to_string())
}
