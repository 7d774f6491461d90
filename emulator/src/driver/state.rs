//! The driver's state: devices with their streams, events, modules and memory.

use super::own::ApiCounts;
use super::stream::{Stream, Work};
use super::{Code, Handle};
use crate::decode::{Kernel, Module};
use crate::device::Device;
use crate::exec::Dim;
use crate::memory::{DEVICES, device_of};
use crate::options::{Options, understood};
use crate::profile::Profile;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_int;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// A module, and the device it is loaded on.
pub(super) struct Loaded {
    pub module: Module,
    pub device: usize,
}

pub(super) struct Function {
    pub kernel: Arc<Kernel>,
    pub module: Handle,
    pub device: usize,
    /// Dynamic shared memory the program has asked for.
    pub dynamic_limit: u32,
}

pub(super) struct Event {
    pub device: usize,
    /// The stream and the ticket of the last record.
    pub recorded: Option<(Handle, u64)>,
    pub timing: bool,
    /// Warp instructions executed when it was passed.
    pub passed: Option<u64>,
}

/// Host memory that the driver knows: start, length, and whether the driver allocated it.
pub(super) struct Pinned {
    pub device: usize,
    pub len: usize,
    pub layout: Option<std::alloc::Layout>,
    pub managed: bool,
}

/// A context: how often it is retained, and its device.
pub(super) struct Context {
    pub users: u32,
    pub device: usize,
}

/// A device, and what belongs to it alone.
pub(super) struct Unit {
    pub device: Device,
    /// Device memory as the program sees it: allocated by calls that have returned.
    pub allocated: HashMap<u64, u64>,
    /// Bytes of allocations that wait in streams.
    pub promised: u64,
    pub sticky: Option<Code>,
    pub instructions: u64,
    pub counts: ApiCounts,
}

impl Unit {
    fn new(ordinal: usize) -> Self {
        Unit {
            device: Device::numbered(Profile::from_env(), Options::from_env(), ordinal),
            allocated: HashMap::new(),
            promised: 0,
            sticky: None,
            instructions: 0,
            counts: ApiCounts::default(),
        }
    }
}

/// Everything; it is used as the [`Unit`] that a call is about.
pub(super) struct State {
    pub units: Vec<Unit>,
    /// The device that is being acted on.
    pub here: usize,
    pub contexts: HashMap<Handle, Context>,
    pub streams: BTreeMap<Handle, Stream>,
    pub events: HashMap<Handle, Event>,
    pub modules: HashMap<Handle, Loaded>,
    pub functions: HashMap<Handle, Function>,
    pub pinned: BTreeMap<usize, Pinned>,
    pub next: Handle,
    pub report: String,
    /// A mutated instruction has been reached, and the user been told.
    pub mutant_seen: bool,
}

impl std::ops::Deref for State {
    type Target = Unit;
    fn deref(&self) -> &Unit {
        &self.units[self.here]
    }
}

impl std::ops::DerefMut for State {
    fn deref_mut(&mut self) -> &mut Unit {
        &mut self.units[self.here]
    }
}

/// Of the primary context of the first device; the others follow.
pub(super) const PRIMARY: Handle = 0x10;
/// The default stream of the current context, as programs name it.
pub(super) const DEFAULT: Handle = 0;
/// What the default stream of the first device is called inside; the others follow.
const DEFAULTS: Handle = 0x100;

fn cell() -> &'static Mutex<Option<State>> {
    static CELL: OnceLock<Mutex<Option<State>>> = OnceLock::new();
    CELL.get_or_init(|| Mutex::new(None))
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// The thread's stack of contexts.
pub(super) fn current<T>(f: impl FnOnce(&mut Vec<Handle>) -> T) -> T {
    CURRENT.with(|c| f(&mut c.borrow_mut()))
}

/// The locked state.
pub(super) struct Locked(MutexGuard<'static, Option<State>>);

impl std::ops::Deref for Locked {
    type Target = State;
    fn deref(&self) -> &State {
        self.0.as_ref().expect("checked when it was locked")
    }
}

impl std::ops::DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut State {
        self.0.as_mut().expect("checked when it was locked")
    }
}

pub(super) fn initialise() {
    let mut guard = cell().lock().unwrap_or_else(|e| e.into_inner());
    if guard.is_none() {
        *guard = Some(State::new());
    }
}

/// Runs a function of the host that a stream has come to. It may not use the driver, whose state is
/// locked; a call that it makes says so.
pub(super) fn in_callback(f: impl FnOnce()) {
    let outer = IN_CALLBACK.replace(true);
    f();
    IN_CALLBACK.set(outer);
}

/// The state after `cuInit`; it acts on the current context's device, if there is one.
pub(super) fn initialised() -> Result<Locked, Code> {
    if IN_CALLBACK.get() {
        return Err(Code::NotPermitted);
    }
    let mut guard = cell().lock().unwrap_or_else(|e| e.into_inner());
    let state = guard.as_mut().ok_or(Code::NotInitialised)?;
    let context = current(|c| c.last().copied()).and_then(|handle| state.contexts.get(&handle));
    state.here = context.map_or(0, |c| c.device);
    Ok(Locked(guard))
}

/// The state for a call about the device of that number.
pub(super) fn of_device(ordinal: c_int) -> Result<Locked, Code> {
    let mut state = initialised()?;
    state.here =
        usize::try_from(ordinal).ok().filter(|&d| d < state.units.len()).ok_or(Code::InvalidDevice)?;
    Ok(state)
}

/// The state for a call that needs a current context and a device without errors.
pub(super) fn healthy() -> Result<Locked, Code> {
    let state = in_context()?;
    match state.sticky {
        None => Ok(state),
        Some(code) => Err(code),
    }
}

/// The state for a call that needs a current context.
pub(super) fn in_context() -> Result<Locked, Code> {
    let state = initialised()?;
    match current(|c| c.last().copied()) {
        Some(context) if state.contexts.contains_key(&context) => Ok(state),
        _ => Err(Code::InvalidContext),
    }
}

impl State {
    fn new() -> Self {
        let count = |text: &str| text.parse().ok().filter(|n| (1..=DEVICES).contains(n));
        let count = understood("DEVICES", count).unwrap_or(1);
        State {
            units: (0..count).map(Unit::new).collect(),
            here: 0,
            contexts: HashMap::new(),
            streams: (0..count).map(|d| (DEFAULTS + d, Stream::new(true, d))).collect(),
            events: HashMap::new(),
            modules: HashMap::new(),
            functions: HashMap::new(),
            pinned: BTreeMap::new(),
            next: 0x1000,
            report: String::new(),
            mutant_seen: false,
        }
    }

    /// The primary context of this device.
    pub fn primary(&self) -> Handle {
        PRIMARY + self.here
    }

    /// The default stream of this device.
    pub fn default_stream(&self) -> Handle {
        DEFAULTS + self.here
    }

    /// Acts on another device for a while.
    pub fn on<T>(&mut self, device: usize, f: impl FnOnce(&mut Self) -> T) -> T {
        let here = std::mem::replace(&mut self.here, device.min(self.units.len() - 1));
        let result = f(self);
        self.here = here;
        result
    }

    /// The device that an address belongs to; this one for those of the host.
    pub fn owner(&self, address: u64) -> usize {
        device_of(address).filter(|&d| d < self.units.len()).unwrap_or(self.here)
    }

    /// The device that holds an address.
    pub fn device_at(&self, address: u64) -> &Device {
        &self.units[self.owner(address)].device
    }

    /// A new handle: they are never used twice.
    pub fn handle(&mut self) -> Handle {
        self.next += 0x10;
        self.next
    }

    /// Tells the user; the program only gets a code.
    pub fn tell(&mut self, words: &str) {
        let line = format!("ptx-emulator: {words}\n");
        eprint!("{line}");
        append("REPORT", &line);
        self.report = words.to_string();
    }

    /// The device fails for good.
    pub fn fail(&mut self, code: Code, words: &str) {
        self.tell(words);
        self.sticky.get_or_insert(code);
    }

    /// The device's last context is gone: what is left is a leak, and everything of it starts afresh.
    pub fn end(&mut self) {
        self.run_all();
        if self.device.options().check && self.sticky.is_none() {
            let mut leaks: Vec<(u64, u64)> = self.allocated.iter().map(|(&a, &n)| (a, n)).collect();
            leaks.sort_unstable();
            for (address, bytes) in leaks {
                self.tell(&format!(
                    "leak: {bytes} bytes at {address:#x} are still allocated at the context's end"
                ));
            }
        }
        append("COUNTS", &(self.counts.json() + "\n"));
        let here = self.here;
        self.streams.retain(|_, s| s.device != here);
        self.streams.insert(self.default_stream(), Stream::new(true, here));
        self.events.retain(|_, e| e.device != here);
        self.modules.retain(|_, m| m.device != here);
        self.functions.retain(|_, f| f.device != here);
        let pinned: Vec<usize> = self.pinned.iter().filter(|p| p.1.device == here).map(|p| *p.0).collect();
        pinned.into_iter().for_each(|start| self.unpin(start));
        // Addresses are never used twice, so that one of an ended context is known for what it is.
        let unit = Unit::new(here);
        unit.device.memory().follow(&mut self.device.memory());
        self.units[here] = unit;
        self.mutant_seen = false;
    }

    /// Memory of the host that all devices can use.
    ///
    /// # Safety
    /// `start` points to as many bytes as `pinned` says, which live until [`State::unpin`].
    pub unsafe fn pin(&mut self, start: usize, pinned: Pinned) {
        for unit in &self.units {
            // SAFETY: as promised.
            unsafe { unit.device.memory().map_host(start as *mut u8, pinned.len as u64) };
        }
        self.pinned.insert(start, pinned);
    }

    /// Undoes [`State::pin`], and frees what the driver allocated.
    pub fn unpin(&mut self, start: usize) {
        for unit in &self.units {
            unit.device.free(start as u64);
        }
        if let Some(Pinned { layout: Some(layout), .. }) = self.pinned.remove(&start) {
            // SAFETY: allocated with this layout by `host_alloc`, and removed from all tables.
            unsafe { std::alloc::dealloc(start as *mut u8, layout) }
        }
    }
}

/// Appends to the file that `PTX_EMULATOR_{name}` names.
pub(super) fn append(name: &str, line: &str) {
    if let Ok(path) = std::env::var(format!("PTX_EMULATOR_{name}"))
        && !path.is_empty()
    {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        if let Err(e) = file.and_then(|mut f| f.write_all(line.as_bytes())) {
            eprintln!("ptx-emulator: {path}: {e}");
        }
    }
}

pub(super) struct LaunchWork {
    pub kernel: Arc<Kernel>,
    pub grid: Dim,
    pub block: Dim,
    pub dynamic: u32,
    pub limit: u32,
    pub params: Vec<u8>,
}

impl From<LaunchWork> for Work {
    fn from(launch: LaunchWork) -> Work {
        Work::Launch(Box::new(launch))
    }
}
