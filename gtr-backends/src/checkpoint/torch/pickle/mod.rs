//! A reader for the pickles of `torch.save`. It builds tensors and calls no code.
//!
//! A pickle is a program for a stack machine that can call any Python function. This machine emulates only the calls
//! that rebuild tensors. The result of any other call is a placeholder with a description, because published
//! checkpoints contain such objects (`argparse.Namespace`). All objects are in one list and refer to each other by
//! index, so neither cycles nor deep nesting can overflow the stack. Each opcode adds at most one object and copies
//! between objects are bounded, so the memory use of a pickle is bounded by its length.

mod machine;
mod rebuild;

use std::sync::Arc;

use self::machine::Machine;
use super::view::{Storage, TensorView};

/// Index of an object.
pub(super) type Id = u32;

/// An object that a pickle builds.
#[derive(Clone, Debug)]
pub(super) enum Object {
    /// A value that is not used: `None`, booleans, floats, bytes, large integers.
    Plain,
    Int(i64),
    Text(Arc<str>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A Python name: `module.name`.
    Global(Arc<str>),
    Storage(Arc<Storage>),
    Tensor(Arc<TensorView>),
    /// An unsupported object, with a description.
    Placeholder(Arc<str>),
}

impl Object {
    fn placeholder(what: impl AsRef<str>) -> Self {
        Self::Placeholder(what.as_ref().into())
    }
}

/// The objects of a pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    objects: Vec<Object>,
    /// Result of the program.
    pub(super) root: Id,
    /// Length of the program in bytes.
    pub(super) length: usize,
}

impl Pickle {
    /// Runs the program at the start of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut machine = Machine::new(bytes);
        let root = machine.run()?;
        let (objects, length) = machine.finish();
        Ok(Self { objects, root, length })
    }

    pub(super) fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    /// All objects that were built.
    pub(super) fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// Items of a dictionary with string keys, in order. If a key is repeated, the last item is valid.
    pub(super) fn entries(&self, id: Id) -> impl Iterator<Item = (&Arc<str>, Id)> {
        let items: &[(Id, Id)] = if let Object::Dict(items) = self.object(id) { items } else { &[] };
        items.iter().filter_map(|&(key, value)| match self.object(key) {
            Object::Text(text) => Some((text, value)),
            _ => None,
        })
    }
}
