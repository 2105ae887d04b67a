//! A reader for the pickles of `torch.save`, which can build tensors and nothing else.
//!
//! A pickle is a program for a stack machine that may call any Python function. This machine knows the calls that
//! rebuild tensors; what any other call would give becomes a placeholder that says what it was, since published
//! checkpoints carry such things (`argparse.Namespace`). Objects lie in one list and refer to each other by number, so
//! neither cycles nor deep nesting can exhaust the stack of this program. Each opcode adds at most one object, and what is
//! copied from object to object is bounded, so what a pickle can make of memory is bounded by its length.

mod machine;
mod rebuild;

use std::sync::Arc;

use self::machine::Machine;
use super::view::{Storage, TensorView};

/// The number of an object.
pub(super) type Id = u32;

/// What a pickle builds.
#[derive(Clone, Debug)]
pub(super) enum Object {
    /// Numbers that are not whole, none, and whatever has no meaning here.
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
    /// Something that is not understood, and what it is.
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
    /// What the pickle is of.
    pub(super) root: Id,
    /// How many bytes the program has.
    pub(super) length: usize,
}

impl Pickle {
    /// Runs the program that `bytes` begin with.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut machine = Machine::new(bytes);
        let root = machine.run()?;
        let (objects, length) = machine.finish();
        Ok(Self { objects, root, length })
    }

    pub(super) fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    /// Everything that was built.
    pub(super) fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The items of a dictionary whose keys are text; of a key that occurs twice the last counts.
    pub(super) fn entries(&self, id: Id) -> impl Iterator<Item = (&Arc<str>, Id)> {
        let items: &[(Id, Id)] = if let Object::Dict(items) = self.object(id) { items } else { &[] };
        items.iter().filter_map(|&(key, value)| match self.object(key) {
            Object::Text(text) => Some((text, value)),
            _ => None,
        })
    }
}
