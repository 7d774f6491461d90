//! The machine: opcodes of the protocols 0 to 5.

use super::super::globals;
use super::reader::Reader;
use super::{Fault, Graph, Map, Node, Result, Value, text};
use std::collections::HashMap;

type Step<T> = std::result::Result<T, String>;

/// What a run leaves.
pub(in super::super) struct Done {
    pub value: Value,
    /// The byte after the pickle.
    pub end: usize,
    pub protocol: u8,
}

/// Runs the pickle that begins at a byte.
pub(in super::super) fn run(pickle: &[u8], start: usize, graph: &mut Graph) -> Result<Done> {
    let mut machine = Machine {
        pickle,
        input: Reader::new(pickle, start),
        op: start,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        protocol: 0,
        graph,
    };
    loop {
        machine.op = machine.input.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(value)) => {
                return Ok(Done { value, end: machine.input.at, protocol: machine.protocol });
            }
            Err(message) => return Err(Fault { at: machine.op, message }),
        }
    }
}

struct Machine<'a> {
    pickle: &'a [u8],
    input: Reader<'a>,
    /// Where the present opcode is.
    op: usize,
    stack: Vec<Value>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    protocol: u8,
    graph: &'a mut Graph,
}

impl Machine<'_> {
    /// One opcode; the result after the last.
    fn step(&mut self) -> Step<Option<Value>> {
        // A place on the stack, as most opcodes take.
        self.graph.budget.charge(size_of::<Value>())?;
        match self.input.u8()? {
            // Frame and version.
            0x80 => {
                self.protocol = self.input.u8()?;
                if self.protocol > 5 {
                    return Err(format!("pickle protocol {} is not known", self.protocol));
                }
            }
            0x95 => {
                let size = u64::from_le_bytes(self.input.array()?);
                let left = self.pickle.len() - self.input.at;
                if size > left as u64 {
                    return Err(format!("a frame of {size} bytes where {left} are left"));
                }
            }
            b'.' => {
                let value = self.pop()?;
                if !self.stack.is_empty() || !self.marks.is_empty() {
                    return Err("the pickle ends with values left over".into());
                }
                return Ok(Some(value));
            }
            // Stack and memo.
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' => {
                let index = self.input.u8()? as u32;
                self.remember(index)?;
            }
            b'r' => {
                let index = self.input.u32()?;
                self.remember(index)?;
            }
            b'p' => {
                let index = self.memo_line()?;
                self.remember(index)?;
            }
            0x94 => {
                let index = u32::try_from(self.memo.len()).map_err(|_| "a full memo")?;
                self.remember(index)?;
            }
            b'h' => {
                let index = self.input.u8()? as u32;
                self.recall(index)?;
            }
            b'j' => {
                let index = self.input.u32()?;
                self.recall(index)?;
            }
            b'g' => {
                let index = self.memo_line()?;
                self.recall(index)?;
            }
            // Plain values.
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.input.array()?);
                self.stack.push(Value::Int(number as i64));
            }
            b'K' => {
                let number = self.input.u8()?;
                self.stack.push(Value::Int(number as i64));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.input.array()?);
                self.stack.push(Value::Int(number as i64));
            }
            0x8a => self.long::<1>()?,
            0x8b => self.long::<4>()?,
            b'G' => {
                let number = f64::from_be_bytes(self.input.array()?);
                self.stack.push(Value::Float(number));
            }
            b'I' => self.stack.push(text::int(self.input.line()?)?),
            b'L' => self.stack.push(text::long(self.input.line()?)?),
            b'F' => self.stack.push(text::float(self.input.line()?)?),
            0x8c => self.text::<1>()?,
            b'X' => self.text::<4>()?,
            0x8d => self.text::<8>()?,
            b'V' => {
                let text = text::unicode(self.input.line()?)?;
                self.own_text(text)?;
            }
            b'S' => {
                let text = text::quoted(self.input.line()?)?;
                self.own_text(text)?;
            }
            // Python 2's `str`: mostly text.
            b'U' => self.old_text::<1>()?,
            b'T' => self.old_text::<4>()?,
            b'C' => self.bytes::<1>()?,
            b'B' => self.bytes::<4>()?,
            0x8e | 0x96 => self.bytes::<8>()?,
            // Containers.
            b')' => self.push_node(Node::Tuple(Vec::new()), 0)?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let items = self.pop_mark()?;
                let bytes = size_of_val(&items[..]);
                self.push_node(Node::Tuple(items), bytes)?;
            }
            b']' => self.push_node(Node::List(Vec::new()), 0)?,
            b'l' => {
                let items = self.pop_mark()?;
                let bytes = size_of_val(&items[..]);
                self.push_node(Node::List(items), bytes)?;
            }
            b'}' => self.push_node(Node::Map(Map::default()), 0)?,
            b'd' => {
                let items = self.pop_mark()?;
                self.push_node(Node::Map(Map::default()), 0)?;
                self.set_items(&items)?;
            }
            0x8f => self.push_node(Node::Set(Vec::new()), 0)?,
            0x91 => {
                let items = self.pop_mark()?;
                let bytes = size_of_val(&items[..]);
                self.push_node(Node::Set(items), bytes)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.append(&items)?;
            }
            0x90 => {
                let items = self.pop_mark()?;
                self.add_items(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }
            // What is not data, unless it is listed.
            b'c' => {
                let module = self.input.line()?;
                let name = self.input.line()?;
                self.stack.push(Value::Global(globals::find(module, name)?));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (module, name) =
                    (self.graph.text(self.pickle, module), self.graph.text(self.pickle, name));
                let (Some(module), Some(name)) = (module, name) else {
                    return Err("a name that is not text".into());
                };
                let global = globals::find(module, name)?;
                self.stack.push(Value::Global(global));
            }
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                let Value::Global(global) = callable else {
                    return Err(format!("{} is called", self.graph.kind(callable)));
                };
                let value = globals::call(self.graph, self.pickle, self.op, global, arguments)?;
                self.stack.push(value);
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                globals::build(self.graph, object, state)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let value = globals::storage(self.graph, self.pickle, self.op, id)?;
                self.stack.push(value);
            }
            b'P' => return Err("a storage that is named by text (pickle protocol 0)".into()),
            b'i' | b'o' | 0x92 => return Err("it makes an object of a class, not data".into()),
            0x82..=0x84 => return Err("it names a class by a registered number".into()),
            0x97 | 0x98 => return Err("bytes that should come from outside of the file".into()),
            code => return Err(format!("{code:#04x} is not an opcode of a pickle")),
        }
        Ok(None)
    }

    /// Where the stack begins, above the last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }
    fn pop(&mut self) -> Step<Value> {
        if self.stack.len() <= self.floor() {
            return Err("a value is missing on the stack".into());
        }
        self.stack.pop().ok_or_else(|| "a value is missing on the stack".into())
    }
    fn top(&self) -> Step<Value> {
        match self.stack[self.floor()..].last() {
            Some(&value) => Ok(value),
            None => Err("a value is missing on the stack".into()),
        }
    }
    fn pop_mark(&mut self) -> Step<Vec<Value>> {
        let mark = self.marks.pop().ok_or("a mark is missing on the stack")?;
        Ok(self.stack.split_off(mark))
    }

    fn memo_line(&mut self) -> Step<u32> {
        let line = self.input.line()?;
        line.parse().map_err(|_| format!("{line:.40?} is not a place in the memo"))
    }
    fn remember(&mut self, index: u32) -> Step<()> {
        self.graph.budget.charge(40)?;
        let value = self.top()?;
        self.memo.insert(index, value);
        Ok(())
    }
    fn recall(&mut self, index: u32) -> Step<()> {
        let value = self.memo.get(&index).ok_or_else(|| format!("the memo has nothing at {index}"))?;
        self.stack.push(*value);
        Ok(())
    }

    fn long<const N: usize>(&mut self) -> Step<()> {
        let span = self.input.counted::<N>()?;
        let bytes = span.of(self.pickle);
        self.stack.push(match bytes.len() {
            0 => Value::Int(0),
            n @ 1..=8 => {
                let sign = if bytes[n - 1] >= 128 { 0xff } else { 0 };
                let mut wide = [sign; 8];
                wide[..n].copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(wide))
            }
            _ => Value::Long(span),
        });
        Ok(())
    }
    fn text<const N: usize>(&mut self) -> Step<()> {
        let span = self.input.text::<N>()?;
        self.stack.push(Value::Str(span));
        Ok(())
    }
    fn old_text<const N: usize>(&mut self) -> Step<()> {
        let span = self.input.counted::<N>()?;
        let text = std::str::from_utf8(span.of(self.pickle)).is_ok();
        self.stack.push(if text { Value::Str(span) } else { Value::Bytes(span) });
        Ok(())
    }
    fn bytes<const N: usize>(&mut self) -> Step<()> {
        let span = self.input.counted::<N>()?;
        self.stack.push(Value::Bytes(span));
        Ok(())
    }
    fn own_text(&mut self, text: String) -> Step<()> {
        let bytes = text.len();
        self.push_node(Node::Text(text), bytes)
    }

    fn push_node(&mut self, node: Node, bytes: usize) -> Step<()> {
        let value = self.graph.add(node, bytes)?;
        self.stack.push(value);
        Ok(())
    }
    fn tuple(&mut self, count: usize) -> Step<()> {
        let from = self.stack.len().checked_sub(count).filter(|&from| from >= self.floor());
        let from = from.ok_or("a value is missing on the stack")?;
        let items = self.stack.split_off(from);
        self.push_node(Node::Tuple(items), count * size_of::<Value>())
    }

    fn append(&mut self, items: &[Value]) -> Step<()> {
        let list = self.top()?;
        match self.graph.node_mut(list) {
            Some(Node::List(list)) => list.extend_from_slice(items),
            _ => return Err(format!("items are appended to {}", self.graph.kind(list))),
        }
        self.graph.budget.charge(size_of_val(items))
    }
    fn add_items(&mut self, items: &[Value]) -> Step<()> {
        let set = self.top()?;
        match self.graph.node_mut(set) {
            Some(Node::Set(set)) => set.extend_from_slice(items),
            _ => return Err(format!("items are added to {}", self.graph.kind(set))),
        }
        self.graph.budget.charge(size_of_val(items))
    }
    fn set_items(&mut self, items: &[Value]) -> Step<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a key without a value".into());
        }
        let map = self.top()?;
        match self.graph.node_mut(map) {
            Some(Node::Map(map)) => map.entries.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(format!("entries are set in {}", self.graph.kind(map))),
        }
        self.graph.budget.charge(size_of_val(items))
    }
}
