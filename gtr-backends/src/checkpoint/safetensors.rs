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
}

impl File {
    pub(super) fn open(mut source: Source) -> Result<Self, String> {
        let length = source.len().map_err(|error| error.to_string())?;
        let start = source.start().map_err(|error| error.to_string())?;
        let Ok(start) = <[u8; 8]>::try_from(start) else {
            return Err(format!("{length} bytes are too few for safetensors or a torch.save archive"));
        };
        let header = u64::from_le_bytes(start);
        if header > LARGEST_HEADER || header > length - 8 {
            return Err(format!(
                "it starts neither like a torch.save archive nor like safetensors: a header of {header} bytes is stated, \
                 the file has {length}"
            ));
        }
        let mut text = Vec::new();
        #[expect(clippy::cast_possible_truncation, reason = "at most LARGEST_HEADER")]
        source.read_at(8, header as usize, &mut text).map_err(|error| error.to_string())?;
        let metadata: Metadata =
            serde_json::from_slice(&text).map_err(|error| format!("its safetensors header is damaged: {error}"))?;
        let data_start = 8 + header;
        let stated = metadata.data_len() as u64;
        if stated != length - data_start {
            return Err(format!("its header describes {stated} bytes of tensors, {} follow", length - data_start));
        }
        Ok(Self { source, data_start, metadata })
    }

    pub(super) fn infos(&self) -> BTreeMap<String, TensorInfo> {
        let info = |entry: &Entry| TensorInfo { shape: entry.shape.clone(), dtype: dtype(entry.dtype) };
        self.metadata.tensors().into_iter().map(|(name, entry)| (name, info(entry))).collect()
    }

    pub(super) fn texts(&self) -> BTreeMap<&str, &str> {
        let texts = self.metadata.metadata().iter().flatten();
        texts.map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// Makes `bytes` hold the elements of a tensor.
    pub(super) fn read(&mut self, name: &str, bytes: &mut Vec<u8>) -> Result<Dtype, String> {
        let entry = self.metadata.info(name).ok_or("there is no such tensor")?;
        let dtype = dtype(entry.dtype).ok_or_else(|| format!("elements of type {:?} are not read", entry.dtype))?;
        // The header was checked: the ranges lie end to end, fit the shapes, and end where the file ends.
        let (start, end) = entry.data_offsets;
        let read = self.source.read_at(self.data_start + start as u64, end - start, bytes);
        read.map_err(|error| error.to_string())?;
        Ok(dtype)
    }
}

fn dtype(dtype: safetensors::Dtype) -> Option<Dtype> {
    match dtype {
        safetensors::Dtype::F16 => Some(Dtype::F16),
        safetensors::Dtype::BF16 => Some(Dtype::Bf16),
        safetensors::Dtype::F32 => Some(Dtype::F32),
        safetensors::Dtype::F64 => Some(Dtype::F64),
        safetensors::Dtype::I64 => Some(Dtype::I64),
        safetensors::Dtype::U8 => Some(Dtype::U8),
        _ => None,
    }
}
