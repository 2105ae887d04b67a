//! A reader for the pickles of `torch.save`, which can build tensors and nothing else.
//!
//! A pickle is a program for a stack machine that may call any Python function. This machine knows the calls that
//! rebuild tensors; what any other call would give becomes a placeholder that says what it was, since published
//! checkpoints carry such things (`argparse.Namespace`). Objects lie in one list and refer to each other by number, so
//! neither cycles nor deep nesting can exhaust the stack of this program. Each opcode adds at most one object, so what a
//! pickle can make of memory is bounded by its length.

use std::collections::HashMap;

use super::Dtype;

/// The number of an object.
pub(super) type Id = u32;

/// What a pickle builds.
#[derive(Clone, Debug)]
pub(super) enum Object {
    /// Numbers that are not whole, none, and whatever has no meaning here.
    Plain,
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A Python name: `module.name`.
    Global(String),
    Storage(Storage),
    Tensor(TensorView),
    /// Something that is not understood, and what it is.
    Placeholder(String),
}

/// A storage: the elements of one or more tensors, an entry of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    pub key: String,
    pub elements: usize,
    /// The type, or the Python class whose elements are not read.
    pub dtype: Result<Dtype, String>,
}

/// A tensor: a view of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorView {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// The objects of a pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    objects: Vec<Object>,
    /// What the pickle is of.
    pub root: Id,
}

impl Pickle {
    /// Runs the program.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut machine =
            Machine { bytes, at: 0, objects: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        let root = machine.run()?;
        Ok(Self { objects: machine.objects, root })
    }

    pub(super) fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    /// The items of a dictionary whose keys are text; of a key that occurs twice the last counts.
    pub(super) fn entries(&self, id: Id) -> impl Iterator<Item = (&str, Id)> {
        let items: &[(Id, Id)] = if let Object::Dict(items) = self.object(id) { items } else { &[] };
        items.iter().filter_map(|&(key, value)| match self.object(key) {
            Object::Text(text) => Some((text.as_str(), value)),
            _ => None,
        })
    }
}

/// A pickle with more objects than this is not a checkpoint.
const MOST_OBJECTS: usize = 4 << 20;

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, String> {
        loop {
            let at = self.at;
            let [opcode] = self.array()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode).map_err(|reason| format!("its pickle is damaged at byte {at}: {reason}"))?;
        }
    }

    #[expect(clippy::too_many_lines, reason = "one line an opcode")]
    fn step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            // Protocol and framing say nothing about the objects.
            0x80 => drop(self.array::<1>()?),
            0x95 => drop(self.array::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            // Also the state of an object: only dictionaries and tensors count here, and theirs is not part of the values.
            b'0' | b'b' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let top = *self.stack.last().ok_or("the stack is empty")?;
                self.stack.push(top);
            }
            b'N' | 0x88 | 0x89 => self.push(Object::Plain)?,
            b'G' => {
                self.array::<8>()?;
                self.push(Object::Plain)?;
            }
            b'K' => {
                let [value] = self.array()?;
                self.push(Object::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Object::Int(value.into()))?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Object::Int(value.into()))?;
            }
            0x8a => {
                let [length] = self.array()?;
                let digits = self.take(length.into())?;
                self.push(long(digits))?;
            }
            0x8b => {
                let length = self.length4()?;
                let digits = self.take(length)?;
                self.push(long(digits))?;
            }
            b'X' => {
                let length = self.length4()?;
                self.text(length)?;
            }
            // The second is what Python 2 wrote names as.
            0x8c | b'U' => {
                let [length] = self.array()?;
                self.text(length.into())?;
            }
            0x8d => {
                let length = self.length8()?;
                self.text(length)?;
            }
            // Byte strings have no meaning here.
            b'T' | b'B' => {
                let length = self.length4()?;
                self.take(length)?;
                self.push(Object::Plain)?;
            }
            b'C' => {
                let [length] = self.array()?;
                self.take(length.into())?;
                self.push(Object::Plain)?;
            }
            0x8e | 0x96 => {
                let length = self.length8()?;
                self.take(length)?;
                self.push(Object::Plain)?;
            }
            b'}' => self.push(Object::Dict(Vec::new()))?,
            b']' | 0x8f => self.push(Object::List(Vec::new()))?,
            b')' => self.push(Object::Tuple(Vec::new()))?,
            b't' => {
                let items = self.since_mark()?;
                self.push(Object::Tuple(items))?;
            }
            b'l' | 0x91 => {
                let items = self.since_mark()?;
                self.push(Object::List(items))?;
            }
            b'd' => {
                let items = pairs(&self.since_mark()?)?;
                self.push(Object::Dict(items))?;
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x85..=opcode {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push(Object::Tuple(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[(key, value)])?;
            }
            b'u' => {
                let items = pairs(&self.since_mark()?)?;
                self.set_items(&items)?;
            }
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.push(Object::Global(name))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Object::Text(module), Object::Text(name)) = (self.object(module), self.object(name)) else {
                    return Err("a global is not named by text".into());
                };
                let global = Object::Global(format!("{module}.{name}"));
                self.push(global)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id);
                self.push(storage)?;
            }
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let made = self.call(callee, arguments);
                self.push(made)?;
            }
            0x92 => {
                let (_keywords, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                let made = self.call(callee, arguments);
                self.push(made)?;
            }
            b'q' => {
                let [index] = self.array()?;
                self.memoize(index.into())?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.array()?);
                self.memoize(index)?;
            }
            0x94 => {
                let index = u32::try_from(self.memo.len()).map_err(|_| "too many memos")?;
                self.memoize(index)?;
            }
            b'h' => {
                let [index] = self.array()?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.array()?);
                self.recall(index)?;
            }
            _ => return Err(format!("opcode {opcode:#04x} is not one that torch.save writes")),
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..length).ok_or_else(|| format!("{length} bytes are stated, {} are left", rest.len()))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| "the pickle ends early".to_owned())
    }

    fn length4(&mut self) -> Result<usize, String> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|error| error.to_string())
    }

    fn length8(&mut self) -> Result<usize, String> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|error| error.to_string())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or("a name does not end")?;
        let line = self.take(length)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|error| error.to_string())
    }

    fn text(&mut self, length: usize) -> Result<(), String> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|error| error.to_string())?;
        self.push(Object::Text(text.to_owned()))
    }

    fn push(&mut self, object: Object) -> Result<(), String> {
        if self.objects.len() == MOST_OBJECTS {
            return Err(format!("it builds more than {MOST_OBJECTS} objects"));
        }
        let id = Id::try_from(self.objects.len()).map_err(|error| error.to_string())?;
        self.objects.push(object);
        self.stack.push(id);
        Ok(())
    }

    /// Takes the top, which must lie above the last mark.
    fn pop(&mut self) -> Result<Id, String> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err("the stack is empty".into());
        }
        self.stack.pop().ok_or_else(|| "the stack is empty".into())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("there is no mark")?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&mut self) -> Result<&mut Object, String> {
        let id = *self.stack.last().ok_or("the stack is empty")?;
        Ok(&mut self.objects[id as usize])
    }

    fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    fn append(&mut self, items: &[Id]) -> Result<(), String> {
        match self.top()? {
            Object::List(list) => list.extend_from_slice(items),
            Object::Placeholder(_) => {}
            _ => return Err("items are added to something that is not a list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[(Id, Id)]) -> Result<(), String> {
        match self.top()? {
            Object::Dict(dict) => dict.extend_from_slice(items),
            Object::Placeholder(_) => {}
            _ => return Err("entries are added to something that is not a dictionary".into()),
        }
        Ok(())
    }

    fn memoize(&mut self, index: u32) -> Result<(), String> {
        let top = *self.stack.last().ok_or("the stack is empty")?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), String> {
        let id = *self.memo.get(&index).ok_or_else(|| format!("nothing was remembered as {index}"))?;
        self.stack.push(id);
        Ok(())
    }

    /// What calling `callee` gives. What is not understood is a placeholder, never an error: it may not be wanted.
    fn call(&self, callee: Id, arguments: Id) -> Object {
        let Object::Global(name) = self.object(callee) else {
            return Object::Placeholder("the result of a call of something that is not a name".into());
        };
        let arguments = if let Object::Tuple(arguments) = self.object(arguments) { arguments.as_slice() } else { &[] };
        let made = match name.as_str() {
            "collections.OrderedDict" => self.ordered_dict(arguments),
            "torch._utils._rebuild_tensor_v2" => self.tensor(arguments),
            "torch._utils._rebuild_parameter" => match arguments.first().map(|&id| self.object(id)) {
                Some(Object::Tensor(tensor)) => Some(Object::Tensor(tensor.clone())),
                _ => None,
            },
            _ => return Object::Placeholder(format!("built by `{}`, which is not called", shortened(name))),
        };
        made.unwrap_or_else(|| Object::Placeholder(format!("built by `{name}` from arguments that make no sense")))
    }

    fn ordered_dict(&self, arguments: &[Id]) -> Option<Object> {
        let Some(&items) = arguments.first() else { return Some(Object::Dict(Vec::new())) };
        let Object::List(items) = self.object(items) else { return None };
        let pair = |&item: &Id| match self.object(item) {
            Object::Tuple(pair) | Object::List(pair) => <[Id; 2]>::try_from(pair.as_slice()).ok().map(|[k, v]| (k, v)),
            _ => None,
        };
        items.iter().map(pair).collect::<Option<_>>().map(Object::Dict)
    }

    /// Arguments: storage, offset, shape, strides, and things that do not touch the values.
    fn tensor(&self, arguments: &[Id]) -> Option<Object> {
        let [storage, offset, shape, strides, ..] = *arguments else { return None };
        let Object::Storage(storage) = self.object(storage) else { return None };
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        let view = TensorView { storage: storage.clone(), offset: self.size(offset)?, shape, strides };
        (view.shape.len() == view.strides.len() && view.shape.len() <= MOST_DIMENSIONS).then_some(Object::Tensor(view))
    }

    /// A reference to a storage: ("storage", class, key, device, elements).
    fn storage(&self, id: Id) -> Object {
        let unknown = || Object::Placeholder("an outside object that is not a storage".into());
        let Object::Tuple(parts) = self.object(id) else { return unknown() };
        let [kind, class, key, _device, elements] = parts[..] else { return unknown() };
        match (self.object(kind), self.object(class), self.object(key), self.size(elements)) {
            (Object::Text(kind), Object::Global(class), Object::Text(key), Some(elements)) if kind == "storage" => {
                Object::Storage(Storage { key: key.clone(), elements, dtype: dtype(class) })
            }
            _ => unknown(),
        }
    }

    fn size(&self, id: Id) -> Option<usize> {
        if let Object::Int(value) = self.object(id) { usize::try_from(*value).ok() } else { None }
    }

    fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        if let Object::Tuple(items) = self.object(id) {
            items.iter().map(|&item| self.size(item)).collect()
        } else {
            None
        }
    }
}

const MOST_DIMENSIONS: usize = 8;

fn dtype(class: &str) -> Result<Dtype, String> {
    match class {
        "torch.HalfStorage" => Ok(Dtype::F16),
        "torch.BFloat16Storage" => Ok(Dtype::Bf16),
        "torch.FloatStorage" => Ok(Dtype::F32),
        "torch.DoubleStorage" => Ok(Dtype::F64),
        "torch.LongStorage" => Ok(Dtype::I64),
        "torch.ByteStorage" => Ok(Dtype::U8),
        _ => Err(shortened(class)),
    }
}

/// A name from outside, short enough for a message.
fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}

/// A whole number, little endian in two's complement; those beyond 64 bits have no meaning here.
fn long(digits: &[u8]) -> Object {
    if digits.len() > 8 {
        return Object::Plain;
    }
    let negative = digits.last().is_some_and(|&byte| byte & 0x80 != 0);
    let mut value = [if negative { 0xff } else { 0 }; 8];
    value[..digits.len()].copy_from_slice(digits);
    Object::Int(i64::from_le_bytes(value))
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a key has no value".into());
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_anything_else_is_a_placeholder() {
        let pickle = Pickle::parse(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.").unwrap();
        let Object::Placeholder(what) = pickle.object(pickle.root) else { panic!("{pickle:?}") };
        assert!(what.contains("os.system"), "{what}");
    }

    #[test]
    fn lengths_are_compared_with_what_is_left() {
        for hostile in [
            &b"X\xff\xff\xff\xff"[..],
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x8b\xff\xff\xff\x7f",
            b"B\xff\xff\xff\xff",
        ] {
            assert!(Pickle::parse(hostile).unwrap_err().contains("are left"), "{hostile:?}");
        }
    }

    #[test]
    fn broken_programs_are_errors() {
        for broken in [
            &b""[..],
            b".",
            b"t.",
            b"(.",
            b"0.",
            b"h\x05.",
            b"R.",
            b"(K\x01u.",
            b"}(K\x01u.",
            b"]a.",
            b"K\x01K\x02a.",
            b"c\nx",
            b"\xff",
            b"2.",
        ] {
            assert!(Pickle::parse(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn deep_nesting_and_cycles_are_only_numbers() {
        let mut deep = vec![b']'; 200_000];
        deep.extend(vec![b'a'; 199_999]);
        deep.push(b'.');
        assert!(Pickle::parse(&deep).is_ok());
        // A list that holds itself.
        assert!(Pickle::parse(b"]q\x00h\x00a.").is_ok());
    }

    #[test]
    fn whole_numbers_have_a_sign() {
        assert!(matches!(long(&[]), Object::Int(0)));
        assert!(matches!(long(&[0xff]), Object::Int(-1)));
        assert!(matches!(long(&[0xff, 0]), Object::Int(255)));
        assert!(matches!(long(&[0; 9]), Object::Plain));
    }
}
