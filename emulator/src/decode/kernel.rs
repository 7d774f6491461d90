//! Kernels and modules: the decoder's results.

use super::build::{Builder, Frame, Special, operand};
use super::guess::Guesses;
use super::op::{Class, Inst, Op};
use crate::PtxError;
use crate::exec::regs::Regs;
use crate::lines;
use crate::mutation::Mutation;
use crate::options::Options;
use crate::ptx::{Ast, Function, Init, Instruction, Operand, Space, Statement, line_of, parse};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A kernel, ready to be launched.
pub struct Kernel {
    pub(crate) name: String,
    /// Offset and size of each parameter.
    pub(crate) params: Vec<(u32, u32)>,
    pub(crate) param_bytes: u32,
    /// Bytes of static shared memory.
    pub(crate) shared: u32,
    /// Bytes of local memory a thread.
    pub(crate) local: u32,
    pub(crate) max_threads: u32,
    pub(crate) required: Option<[u32; 3]>,
    pub(crate) init: Regs,
    pub(crate) specials: Vec<(Special, u32)>,
    pub(crate) code: Vec<Inst>,
    /// Places in sources: file, line, column.
    pub(crate) places: Vec<(u32, u32, u32)>,
    pub(crate) files: Arc<BTreeMap<u32, String>>,
    pub(crate) source: Arc<str>,
    /// The narrowest access, which decides how finely check mode looks.
    pub(crate) granule: u32,
    /// The instruction that a mutation changed, and whether a launch has come to it.
    pub(crate) mutant: Option<u32>,
    pub(crate) reached: AtomicBool,
}

impl Kernel {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Offset and size in bytes of each parameter.
    pub fn params(&self) -> &[(u32, u32)] {
        &self.params
    }

    /// Bytes of static shared memory.
    pub fn shared_bytes(&self) -> u32 {
        self.shared
    }

    /// Bytes of local memory a thread.
    pub fn local_bytes(&self) -> u32 {
        self.local
    }

    /// The largest block it can be launched with.
    pub fn max_threads(&self) -> u32 {
        self.max_threads
    }

    /// Whether a launch has come to the instruction that a mutation changed.
    pub fn reached_mutant(&self) -> bool {
        self.reached.load(Relaxed)
    }

    pub(crate) fn text(&self, line: u32) -> String {
        line_of(&self.source, line)
    }

    /// The source of an instruction: by its `.loc`, or by the options' line table.
    pub(crate) fn place(&self, i: &Inst, options: &Options) -> Option<String> {
        let Some((file, line, column)) = self.places.get(i.place as usize) else {
            return options.lines.as_ref().map(|table| lines::find_in(table, &self.source, i.line));
        };
        let name = self.files.get(file).map_or("?", String::as_str);
        Some(format!("{name}:{line}:{column}"))
    }
}

/// A loaded module: its kernels and the addresses of its variables.
pub struct Module {
    pub(crate) kernels: HashMap<String, Arc<Kernel>>,
    pub(crate) globals: HashMap<String, (u64, u64)>,
}

impl Module {
    /// The kernel of that name.
    pub fn kernel(&self, name: &str) -> Option<Arc<Kernel>> {
        self.kernels.get(name).cloned()
    }

    /// Address and bytes of a variable in global or constant memory.
    pub fn global(&self, name: &str) -> Option<(u64, u64)> {
        self.globals.get(name).copied()
    }

    /// Names of the kernels, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.kernels.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// Parses and decodes a module; `allocate` gives each variable its memory, `fill` its content.
pub(crate) fn load(
    source: &str,
    capability: u32,
    options: &Options,
    mut allocate: impl FnMut(u64) -> Option<u64>,
    mut fill: impl FnMut(u64, &[u8], bool),
) -> Result<Module, PtxError> {
    let ast = parse(source)?;
    let source: Arc<str> = source.into();
    let fail = |line: u32, reason: String| PtxError { line, text: line_of(&source, line), reason };
    if ast.target > capability {
        return Err(fail(1, format!("the module is for sm_{}, the device is sm_{capability}", ast.target)));
    }
    let mut symbols = HashMap::new();
    let mut globals = HashMap::new();
    for v in ast.variables.iter().filter(|v| matches!(v.space, Space::Global | Space::Const)) {
        let address = allocate(v.bytes).ok_or_else(|| fail(v.line, "no memory for this variable".into()))?;
        symbols.insert(v.name.clone(), (v.space, address));
        globals.insert(v.name.clone(), (address, v.bytes));
    }
    for v in ast.variables.iter().filter(|v| matches!(v.space, Space::Global | Space::Const)) {
        let mut bytes = vec![0u8; v.bytes as usize];
        let scalar = if v.init.len() as u64 * v.element > v.bytes { 1 } else { v.element as usize };
        for (k, init) in v.init.iter().enumerate() {
            let value = match init {
                Init::Bits(value) => *value,
                Init::Address { name, offset, mask } => match symbols.get(name) {
                    Some((_, address)) => {
                        (address.wrapping_add(*offset as u64) & mask) >> (mask.trailing_zeros() & 63)
                    }
                    None => return Err(fail(v.line, format!("`{name}` is not defined"))),
                },
            };
            let at = k * scalar;
            let Some(room) = bytes.get_mut(at..at + scalar.min(8)) else {
                return Err(fail(v.line, "more initial values than elements".into()));
            };
            room.copy_from_slice(&value.to_le_bytes()[..scalar.min(8)]);
        }
        fill(symbols[&v.name].1, &bytes, v.space == Space::Const);
    }
    let files = Arc::new(ast.files.clone());
    let mut kernels = HashMap::new();
    for f in ast.functions.iter().filter(|f| f.entry) {
        let kernel = Decoder::kernel(&ast, f, &symbols, capability.min(ast.target), options, &source, &files)
            .map_err(|(line, reason)| fail(line, reason))?;
        kernels.insert(f.name.clone(), Arc::new(kernel));
    }
    // Functions are decoded where they are called; one that nobody calls is checked alone.
    Ok(Module { kernels, globals })
}

/// What a deleted instruction is called; no opcode begins like this.
const NOTHING: &str = "%deleted";

/// Instructions of a kernel after which no call is inlined any more.
const LONGEST: usize = 1 << 20;

struct Decoder<'a> {
    ast: &'a Ast,
    b: Builder<'a>,
    shared: u64,
    places: Vec<(u32, u32, u32)>,
    calls: Vec<String>,
    guesses: Guesses,
    mutation: Option<&'a Mutation>,
    /// The instruction that was changed.
    mutant: Option<u32>,
}

type Placed<T> = Result<T, (u32, String)>;

impl<'a> Decoder<'a> {
    fn kernel(
        ast: &'a Ast,
        f: &'a Function,
        globals: &HashMap<String, (Space, u64)>,
        capability: u32,
        options: &'a Options,
        source: &Arc<str>,
        files: &Arc<BTreeMap<u32, String>>,
    ) -> Placed<Kernel> {
        // Shared variables of the module belong to every kernel; those without a size come last.
        let mut symbols = globals.clone();
        let mut shared = 0u64;
        let module_shared = || ast.variables.iter().filter(|v| v.space == Space::Shared);
        let mut seen = Vec::new();
        let used = reachable(ast, f);
        for v in used.iter().flat_map(|f| f.variables.iter()).chain(module_shared().filter(|v| v.bytes > 0)) {
            if v.space != Space::Shared || v.bytes == 0 || seen.contains(&&v.name) {
                continue;
            }
            seen.push(&v.name);
            shared = shared.next_multiple_of(v.align);
            symbols.insert(v.name.clone(), (Space::Shared, shared));
            shared += v.bytes;
        }
        for v in module_shared().filter(|v| v.bytes == 0) {
            shared = shared.next_multiple_of(v.align.max(16));
        }
        for v in module_shared().filter(|v| v.bytes == 0) {
            symbols.insert(v.name.clone(), (Space::Shared, shared));
        }
        let mut params = Vec::new();
        let mut at = 0u64;
        for p in &f.params {
            at = at.next_multiple_of(p.align);
            params.push((at as u32, p.bytes as u32));
            symbols.insert(p.name.clone(), (Space::Param, at));
            at += p.bytes;
        }
        let mut d = Decoder {
            ast,
            b: Builder::new(&symbols, capability, options.approximate),
            mutation: options.mutation.as_ref().filter(|m| m.kernel == f.name),
            mutant: None,
            shared,
            places: Vec::new(),
            calls: Vec::new(),
            guesses: Guesses::default(),
        };
        for (what, bytes, most) in [("shared memory", shared, 1 << 20), ("parameters", at, 32764)] {
            if bytes > most {
                return Err((f.line, format!("{bytes} bytes of {what} where {most} are possible")));
            }
        }
        d.function(f, HashMap::new())?;
        d.guesses.mark(&mut d.b.code);
        if d.b.local > 512 << 10 {
            return Err((f.line, format!("{} bytes of local memory where 512 KiB are possible", d.b.local)));
        }
        if let (Some(m), None) = (d.mutation, d.mutant) {
            let what = "PTX_EMULATOR_MUTATE: there is no instruction of this kernel, or no such mask";
            return Err((m.line, what.into()));
        }
        let b = d.b;
        let mut kernel = Kernel {
            name: f.name.clone(),
            params,
            param_bytes: at as u32,
            shared: d.shared as u32,
            local: b.local.next_multiple_of(16) as u32,
            max_threads: f.max_threads.unwrap_or(1024).min(1024),
            required: f.required,
            init: b.init,
            specials: b.specials,
            code: b.code,
            places: d.places,
            files: files.clone(),
            source: source.clone(),
            granule: 4,
            mutant: d.mutant,
            reached: AtomicBool::new(false),
        };
        kernel.granule = kernel.code.iter().filter_map(|i| narrowest(&i.op)).min().unwrap_or(4).min(4);
        Ok(kernel)
    }

    fn function(&mut self, f: &'a Function, variables: HashMap<String, (Space, u64)>) -> Placed<()> {
        let inlined = !self.calls.is_empty();
        if self.calls.contains(&f.name) {
            return Err((f.line, "recursion is not supported".into()));
        }
        if self.b.code.len() > LONGEST {
            return Err((f.line, "inlined functions make the kernel too long".into()));
        }
        self.calls.push(f.name.clone());
        self.b.frames.push(Frame { variables, inlined, ..Frame::default() });
        for r in &f.registers {
            self.b.declare(&r.ty, &r.name, r.count).map_err(|e| (f.line, e))?;
        }
        for v in &f.variables {
            // Arguments of calls live in local memory, like arrays.
            if matches!(v.space, Space::Local | Space::Param) {
                let at = self.b.local_slot(v.bytes, v.align);
                self.b.frame().variables.insert(v.name.clone(), (Space::Local, at));
            }
        }
        let mut place = u32::MAX;
        let start = self.b.code.len();
        for s in &f.body {
            match s {
                Statement::Label(name) => {
                    let at = self.b.code.len() as u32;
                    if self.b.frame().labels.insert(name.clone(), at).is_some() {
                        return Err((f.line, format!("the label `{name}` is there twice")));
                    }
                }
                Statement::Targets(name, targets) => {
                    self.b.frame().targets.insert(name.clone(), targets.clone());
                }
                Statement::Loc(file, line, column) => {
                    self.places.push((*file, *line, *column));
                    place = self.places.len() as u32 - 1;
                }
                Statement::Instruction(i) => self.instruction(i, place).map_err(|e| (e.0.max(1), e.1))?,
            }
        }
        // What runs off the end leaves.
        let end = self.b.code.len() as u32;
        let op = if inlined { Op::Nop } else { Op::Exit };
        let line = self.b.code.last().map_or(f.line, |i| i.line);
        self.b.code.push(Inst { op, guard: None, leader: true, class: Class::Branch, line, place });
        let frame = self.b.frames.pop().expect("pushed above");
        for at in frame.returns {
            self.b.code[at].op = Op::Branch(end);
        }
        for (at, label, line) in &frame.branches {
            let Some(&target) = frame.labels.get(label) else {
                return Err((*line, format!("the label `{label}` is not defined")));
            };
            self.b.code[*at].op = Op::Branch(target);
        }
        for (at, list, line) in &frame.tables {
            let labels = frame.targets.get(list).ok_or((*line, format!("`{list}` is no list of targets")))?;
            let found: Option<Vec<u32>> = labels.iter().map(|l| frame.labels.get(l).copied()).collect();
            let found = found.ok_or((*line, "a target is not defined".to_string()))?;
            if let Op::BranchIndex { targets, .. } = &mut self.b.code[*at].op {
                *targets = found;
            }
        }
        self.mark_leaders(start);
        self.calls.pop();
        Ok(())
    }

    fn mark_leaders(&mut self, start: usize) {
        let mut leaders = Vec::new();
        for at in start..self.b.code.len() {
            match &self.b.code[at].op {
                Op::Branch(target) => leaders.extend([*target, at as u32 + 1]),
                Op::BranchIndex { targets, .. } => {
                    leaders.extend(targets);
                    leaders.push(at as u32 + 1);
                }
                Op::Exit => leaders.push(at as u32 + 1),
                _ => {}
            }
        }
        for at in leaders {
            if let Some(i) = self.b.code.get_mut(at as usize) {
                i.leader = true;
            }
        }
    }

    /// The instruction as a mutation leaves it; `None` where it is not concerned.
    fn mutated(&mut self, i: &Instruction) -> Option<Instruction> {
        let m = self.mutation.filter(|m| m.line == i.line && self.calls.len() == 1)?;
        let mut changed = i.clone();
        if m.mask {
            let Some(Operand::Integer(mask)) = changed.operands.last_mut() else { return None };
            *mask &= 0x7fff_ffff;
        } else {
            changed =
                Instruction { base: NOTHING.into(), modifiers: Vec::new(), operands: Vec::new(), ..changed };
        }
        self.mutant = Some(self.b.code.len() as u32);
        Some(changed)
    }

    fn instruction(&mut self, i: &Instruction, place: u32) -> Placed<()> {
        let changed = self.mutated(i);
        let i = changed.as_ref().unwrap_or(i);
        let at = |reason: String| (i.line, reason);
        if i.base != NOTHING && !super::OPCODES.contains(&i.base.as_str()) {
            return Err(at(format!("the instruction `{}` is not supported", i.base)));
        }
        let guard = match &i.guard {
            None => None,
            Some((name, negated)) => {
                let (plane, _) = self.b.p_of(&Operand::Name(name.clone())).map_err(at)?;
                Some((plane, *negated))
            }
        };
        if i.base == "call" {
            if guard.is_some() {
                return Err(at("a call under a predicate is not supported".into()));
            }
            return self.call(i);
        }
        let index = self.b.code.len();
        let (op, class) = match i.base.as_str() {
            "bra" => match operand(i, 0).map_err(at)? {
                Operand::Name(label) => {
                    self.b.frame().branches.push((index, label.clone(), i.line));
                    (Op::Nop, Class::Branch)
                }
                other => return Err(at(format!("{other:?} is no label"))),
            },
            "brx" => match operand(i, 1).map_err(at)? {
                Operand::Name(list) => {
                    let index_plane = self.b.w(i, 0, 32).map_err(at)?;
                    self.b.frame().tables.push((index, list.clone(), i.line));
                    (Op::BranchIndex { index: index_plane, targets: Vec::new() }, Class::Branch)
                }
                other => return Err(at(format!("{other:?} is no list of targets"))),
            },
            "isspacep" => {
                let mut m = super::mods::Mods::new(&i.modifiers);
                (super::memory::is_space(&mut self.b, i, &mut m).map_err(at)?, Class::Compare)
            }
            "prefetch" | "prefetchu" | "discard" | "applypriority" | NOTHING => (Op::Nop, Class::Other),
            "ret" if self.b.frame().inlined => {
                self.b.frame().returns.push(index);
                (Op::Nop, Class::Branch)
            }
            _ => super::decode(&mut self.b, i).map_err(at)?,
        };
        if let ("mov", [Operand::Name(to), Operand::Name(from)]) = (i.base.as_str(), i.operands.as_slice())
            && let (Some(to), Some(from)) = (self.b.register(to), self.b.register(from))
        {
            self.guesses.copy(to, from);
        }
        self.guesses.note(index, &op);
        self.b.code.push(Inst { op, guard, leader: false, class, line: i.line, place });
        Ok(())
    }

    /// `call (results), function, (arguments)`: the function's code, inlined.
    fn call(&mut self, i: &Instruction) -> Placed<()> {
        let at = |reason: &str| (i.line, reason.to_string());
        let (mut results, mut arguments, mut name) = (Vec::new(), Vec::new(), None);
        for o in &i.operands {
            match o {
                Operand::List(list) if name.is_none() => results = list.clone(),
                Operand::List(list) => arguments = list.clone(),
                Operand::Name(n) if name.is_none() => name = Some(n.clone()),
                _ => return Err(at("an indirect call is not supported")),
            }
        }
        let name = name.ok_or_else(|| at("a call of nothing"))?;
        let f = self.ast.functions.iter().find(|f| !f.entry && f.name == name);
        let f = f.ok_or_else(|| (i.line, format!("the function `{name}` has no body here")))?;
        if f.params.len() != arguments.len() || f.results.len() != results.len() {
            return Err(at("the arguments do not fit the function"));
        }
        let mut variables = HashMap::new();
        for (formal, actual) in f.params.iter().zip(&arguments).chain(f.results.iter().zip(&results)) {
            let Operand::Name(actual) = actual else { return Err(at("an argument that is no variable")) };
            let slot =
                self.b.variable(actual).ok_or_else(|| (i.line, format!("`{actual}` is no variable")))?;
            variables.insert(formal.name.clone(), slot);
        }
        self.function(f, variables)
    }
}

/// A function and all that it calls.
fn reachable<'a>(ast: &'a Ast, f: &'a Function) -> Vec<&'a Function> {
    let mut out = vec![f];
    let mut at = 0;
    while at < out.len() {
        for s in &out[at].body {
            let Statement::Instruction(i) = s else { continue };
            if i.base != "call" {
                continue;
            }
            for o in &i.operands {
                if let Operand::Name(name) = o
                    && let Some(g) = ast.functions.iter().find(|g| g.name == *name)
                    && !out.iter().any(|h| h.name == g.name)
                {
                    out.push(g);
                }
            }
        }
        at += 1;
    }
    out
}

fn narrowest(op: &Op) -> Option<u32> {
    match op {
        Op::Load(a) | Op::Store(a) if !matches!(a.space, Space::Param | Space::Local | Space::Const) => {
            Some(a.bytes)
        }
        Op::Atomic { at, .. } => Some(at.bytes),
        _ => None,
    }
}
