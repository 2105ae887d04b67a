//! Emulates the calls that `torch.save` writes to rebuild tensors. No Python code is called.

use std::sync::Arc;

use super::super::view::{Storage, TensorView};
use super::machine::Machine;
use super::{Id, Object};
use crate::checkpoint::Dtype;

/// Largest accepted number of dimensions.
const MOST_DIMENSIONS: usize = 8;
/// Largest length of the key of a storage, in bytes.
const LONGEST_KEY: usize = 200;
/// A storage of bytes. The tensor states the element type.
const UNTYPED: &str = "torch.storage.UntypedStorage";

impl Machine<'_> {
    /// Returns the result of a call. Unsupported calls return a placeholder, not an error: the result may not be
    /// needed.
    pub(super) fn call(&mut self, callee: Id, arguments: Id) -> Object {
        let Object::Global(name) = self.object(callee) else {
            return Object::placeholder("the result of a call of something that is not a name");
        };
        let name = Arc::clone(name);
        let made = if &*name == "collections.OrderedDict" {
            self.ordered_dict(arguments)
        } else if &*name == "torch._tensor._rebuild_from_type_v2" {
            // A tensor of a subclass: function, class, arguments, state.
            let [function, _class, arguments, _state] = self.tuple(arguments)[..] else {
                return misused(&name);
            };
            match self.object(function) {
                Object::Global(inner) => self.rebuilt(inner, self.tuple(arguments)),
                _ => None,
            }
        } else if is_rebuild(&name) {
            self.rebuilt(&name, self.tuple(arguments))
        } else {
            return Object::placeholder(format!("built by `{}`, which is never called", shortened(&name)));
        };
        made.unwrap_or_else(|| misused(&name))
    }

    fn tuple(&self, id: Id) -> &[Id] {
        if let Object::Tuple(items) = self.object(id) { items } else { &[] }
    }

    fn rebuilt(&self, name: &str, arguments: &[Id]) -> Option<Object> {
        match name {
            "torch._utils._rebuild_tensor_v2" => self.tensor(arguments, None),
            // For types without a storage class: storage, offset, shape, strides, requires_grad, hooks, type, metadata.
            "torch._utils._rebuild_tensor_v3" => {
                let Object::Global(dtype) = self.object(*arguments.get(6)?) else { return None };
                self.tensor(arguments, Some(dtype))
            }
            // The other arguments do not affect the values.
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
                match self.object(*arguments.first()?) {
                    Object::Tensor(tensor) => Some(Object::Tensor(Arc::clone(tensor))),
                    Object::Placeholder(what) => Some(Object::Placeholder(Arc::clone(what))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn ordered_dict(&mut self, arguments: Id) -> Option<Object> {
        let Some(&items) = self.tuple(arguments).first() else { return Some(Object::Dict(Vec::new())) };
        let Object::List(items) = self.object(items) else { return None };
        let left = self.copies.checked_sub(items.len())?;
        let pair = |&item: &Id| match self.object(item) {
            Object::Tuple(pair) | Object::List(pair) => <[Id; 2]>::try_from(pair.as_slice()).ok().map(|[k, v]| (k, v)),
            _ => None,
        };
        let made = items.iter().map(pair).collect::<Option<_>>().map(Object::Dict);
        self.copies = left;
        made
    }

    /// Arguments: storage, offset, shape, strides, and others that do not affect the values.
    fn tensor(&self, arguments: &[Id], dtype: Option<&Arc<str>>) -> Option<Object> {
        let [storage, offset, shape, strides, ..] = *arguments else { return None };
        let Object::Storage(storage) = self.object(storage) else { return None };
        let mut storage = Storage::clone(storage);
        if let Some(name) = dtype {
            storage.dtype = Dtype::of_python(name).ok_or_else(|| shortened(name).into());
            // An untyped storage counts bytes.
            storage.elements = storage.dtype.as_ref().map_or(storage.elements, |dtype| storage.elements / dtype.size());
        }
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        let view = TensorView { storage, offset: self.size(offset)?, shape, strides };
        (view.shape.len() == view.strides.len()).then(|| Object::Tensor(view.into()))
    }

    /// Decodes a reference to a storage: ("storage", class, key, device, elements); before 1.6 also the view of another
    /// storage.
    pub(super) fn storage(&self, id: Id) -> Object {
        let unknown = || Object::placeholder("a persistent object that is not a storage");
        let Object::Tuple(parts) = self.object(id) else { return unknown() };
        let [kind, class, key, _device, elements, ref view @ ..] = parts[..] else { return unknown() };
        let (Object::Text(kind), Object::Global(class), Object::Text(key), Some(elements)) =
            (self.object(kind), self.object(class), self.object(key), self.size(elements))
        else {
            return unknown();
        };
        if &**kind != "storage" || key.len() > LONGEST_KEY {
            return unknown();
        }
        let dtype = if &**class == UNTYPED { Some(Dtype::U8) } else { Dtype::of_python(class) };
        let dtype = dtype.ok_or_else(|| shortened(class).into());
        let mut storage = Storage { key: Arc::clone(key), first: 0, elements, dtype };
        // A view is (key, offset, length); `elements` is then the size of the whole storage.
        if let Some(&view) = view.first()
            && let [_, first, length] = *self.tuple(view)
        {
            let (Some(first), Some(length)) = (self.size(first), self.size(length)) else { return unknown() };
            (storage.first, storage.elements) = (first, length);
        }
        Object::Storage(storage.into())
    }

    fn size(&self, id: Id) -> Option<usize> {
        if let Object::Int(value) = self.object(id) { usize::try_from(*value).ok() } else { None }
    }

    fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        match self.object(id) {
            Object::Tuple(items) if items.len() <= MOST_DIMENSIONS => {
                items.iter().map(|&item| self.size(item)).collect()
            }
            _ => None,
        }
    }
}

fn is_rebuild(name: &str) -> bool {
    let functions = ["_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_parameter_with_state"];
    name.strip_prefix("torch._utils.").is_some_and(|name| functions.contains(&name))
}

fn misused(name: &str) -> Object {
    Object::placeholder(format!("built by `{}` from invalid arguments", shortened(name)))
}

/// Shortens an untrusted name for a message.
fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}
