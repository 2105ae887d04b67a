//! The stack machine of pickles. Each step runs one opcode.

use std::collections::HashMap;

use super::{Id, Object};

/// Largest accepted number of objects.
const MOST_OBJECTS: usize = 4 << 20;
/// Largest length of a Python name, in bytes.
const LONGEST_NAME: usize = 200;

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Number of items that calls may still copy between objects.
    pub(super) copies: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (stack, marks, memo) = (Vec::new(), Vec::new(), HashMap::new());
        Self { bytes, at: 0, objects: Vec::new(), stack, marks, memo, copies: MOST_OBJECTS }
    }

    /// Returns the objects and the length of the program in bytes.
    pub(super) fn finish(self) -> (Vec<Object>, usize) {
        (self.objects, self.at)
    }

    pub(super) fn run(&mut self) -> Result<Id, String> {
        loop {
            let at = self.at;
            let [opcode] = self.array()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode).map_err(|reason| format!("its pickle is damaged at byte {at}: {reason}"))?;
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm per opcode")]
    fn step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            // Protocol version and frames do not affect the objects.
            0x80 => drop(self.array::<1>()?),
            0x95 => drop(self.array::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            // `b` sets the state of an object. For dictionaries and tensors it is not part of the values.
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
            // Python 2 wrote names with `U`.
            0x8c | b'U' => {
                let [length] = self.array()?;
                self.text(length.into())?;
            }
            0x8d => {
                let length = self.length8()?;
                self.text(length)?;
            }
            // Byte strings are not used.
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
                let global = global(self.line()?, self.line()?);
                self.push(global)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Object::Text(module), Object::Text(name)) = (self.object(module), self.object(name)) else {
                    return Err("the name of a global is not a string".into());
                };
                let global = global(module, name);
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
            _ => return Err(format!("torch.save never writes opcode {opcode:#04x}")),
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let short = || format!("expected {}, found {}", gtr_core::count(length, "more byte"), rest.len());
        let taken = rest.get(..length).ok_or_else(short)?;
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
        self.push(Object::Text(text.into()))
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

    /// Pops the top, which must be above the last mark.
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

    pub(super) fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    fn append(&mut self, items: &[Id]) -> Result<(), String> {
        match self.top()? {
            Object::List(list) => list.extend_from_slice(items),
            Object::Placeholder(_) => {}
            _ => return Err("it appends items to something that is not a list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[(Id, Id)]) -> Result<(), String> {
        match self.top()? {
            Object::Dict(dict) => dict.extend_from_slice(items),
            Object::Placeholder(_) => {}
            _ => return Err("it adds entries to something that is not a dictionary".into()),
        }
        Ok(())
    }

    fn memoize(&mut self, index: u32) -> Result<(), String> {
        let top = *self.stack.last().ok_or("the stack is empty")?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), String> {
        let id = *self.memo.get(&index).ok_or_else(|| format!("memo {index} is not set"))?;
        self.stack.push(id);
        Ok(())
    }
}

/// Returns a Python name, or a placeholder if it is too long.
fn global(module: &str, name: &str) -> Object {
    if module.len() + name.len() > LONGEST_NAME {
        return Object::placeholder("built by something with a very long name, which is never called");
    }
    Object::Global(format!("{module}.{name}").into())
}

/// Decodes a little-endian integer in two's complement. Integers of more than 64 bits become [`Object::Plain`].
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
    use super::super::Pickle;
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
            assert!(Pickle::parse(hostile).unwrap_err().contains(" more bytes, found "), "{hostile:?}");
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
    fn deep_nesting_and_cycles_do_not_recurse() {
        let mut deep = vec![b']'; 200_000];
        deep.extend(vec![b'a'; 199_999]);
        deep.push(b'.');
        assert!(Pickle::parse(&deep).is_ok());
        // A list that contains itself.
        assert!(Pickle::parse(b"]q\x00h\x00a.").is_ok());
    }

    #[test]
    fn integers_are_signed() {
        assert!(matches!(long(&[]), Object::Int(0)));
        assert!(matches!(long(&[0xff]), Object::Int(-1)));
        assert!(matches!(long(&[0xff, 0]), Object::Int(255)));
        assert!(matches!(long(&[0; 9]), Object::Plain));
    }
}
