//! The header of a safetensors file, from what is known before any tensor is read.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Dtype;

/// The tensors of a file to be written, in the order of their bytes.
#[derive(Debug, Default)]
pub(crate) struct Header {
    entries: Map<String, Value>,
    /// Bytes of all tensors.
    length: usize,
}

impl Header {
    /// Adds a tensor after those before it.
    pub(crate) fn add(&mut self, name: impl Into<String>, dtype: Dtype, shape: &[usize]) {
        let end = self.length + shape.iter().product::<usize>() * dtype.size();
        let entry = json!({ "dtype": dtype.code(), "shape": shape, "data_offsets": [self.length, end] });
        self.entries.insert(name.into(), entry);
        self.length = end;
    }

    /// The length of the header and the header, with `metadata`; tensors follow.
    pub(crate) fn bytes(&self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        let mut all = Map::new();
        all.insert("__metadata__".to_owned(), json!(metadata));
        all.extend(self.entries.clone());
        let mut text = Value::Object(all).to_string().into_bytes();
        // Tensors begin at a multiple of 8.
        text.resize(text.len().next_multiple_of(8), b' ');
        [(text.len() as u64).to_le_bytes().as_slice(), &text].concat()
    }
}
