//! Builds the header of a safetensors file before any tensor is read.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Dtype;

/// Entries of the header, in the order of the tensors in the file.
#[derive(Debug, Default)]
pub(crate) struct Header {
    entries: Map<String, Value>,
    /// Total size of all tensors in bytes.
    length: usize,
}

impl Header {
    /// Appends a tensor.
    pub(crate) fn add(&mut self, name: impl Into<String>, dtype: Dtype, shape: &[usize]) {
        let end = self.length + shape.iter().product::<usize>() * dtype.size();
        let entry = json!({ "dtype": dtype.code(), "shape": shape, "data_offsets": [self.length, end] });
        self.entries.insert(name.into(), entry);
        self.length = end;
    }

    /// Returns the length of the header (8 bytes) and the header with `metadata`. The tensors follow in the file.
    pub(crate) fn bytes(&self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        let mut all = Map::new();
        all.insert("__metadata__".to_owned(), json!(metadata));
        all.extend(self.entries.clone());
        let mut text = Value::Object(all).to_string().into_bytes();
        // Align the tensors to 8 bytes.
        text.resize(text.len().next_multiple_of(8), b' ');
        [(text.len() as u64).to_le_bytes().as_slice(), &text].concat()
    }
}
