//! The driver's state: one device with its streams, events, modules and memory.

use super::stream::{Stream, Work};
use super::{Code, Handle};
use crate::decode::{Kernel, Module};
use crate::device::Device;
use crate::exec::Dim;
use crate::options::Options;
use crate::profile::Profile;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// What a program asked of the driver, for its own budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ApiCounts {
    /// Kernel launches.
    pub launches: u64,
    /// Calls that wait for the device.
    pub synchronisations: u64,
    /// Allocations of device memory.
    pub allocations: u64,
    /// Frees of device memory.
    pub frees: u64,
    /// Copies to the device.
    pub to_device: u64,
    /// Their bytes.
    pub to_device_bytes: u64,
    /// Copies to the host.
    pub to_host: u64,
    /// Their bytes.
    pub to_host_bytes: u64,
    /// Copies inside the device.
    pub on_device: u64,
    /// Fills.
    pub fills: u64,
    /// Events recorded.
    pub events: u64,
    /// Modules loaded.
    pub modules: u64,
}

impl ApiCounts {
    fn json(&self) -> String {
        format!(
            "{{\"api\":{{\"launches\":{},\"synchronisations\":{},\"allocations\":{},\"frees\":{},\"to_device\":{},\
             \"to_device_bytes\":{},\"to_host\":{},\"to_host_bytes\":{},\"on_device\":{},\"fills\":{},\"events\":{},\
             \"modules\":{}}}}}",
            self.launches,
            self.synchronisations,
            self.allocations,
            self.frees,
            self.to_device,
            self.to_device_bytes,
            self.to_host,
            self.to_host_bytes,
            self.on_device,
            self.fills,
            self.events,
            self.modules
        )
    }
}

pub(super) struct Function {
    pub kernel: Arc<Kernel>,
    pub module: Handle,
    /// Dynamic shared memory the program has asked for.
    pub dynamic_limit: u32,
}

pub(super) struct Event {
    /// The stream and the ticket of the last record.
    pub recorded: Option<(Handle, u64)>,
    pub timing: bool,
    /// Warp instructions executed when it was passed.
    pub passed: Option<u64>,
}

/// Host memory that the driver knows: start, length, and whether the driver allocated it.
pub(super) struct Pinned {
    pub len: usize,
    pub layout: Option<std::alloc::Layout>,
    pub managed: bool,
}

pub(super) struct State {
    pub device: Device,
    pub contexts: HashMap<Handle, u32>,
    pub streams: BTreeMap<Handle, Stream>,
    pub events: HashMap<Handle, Event>,
    pub modules: HashMap<Handle, Module>,
    pub functions: HashMap<Handle, Function>,
    pub pinned: BTreeMap<usize, Pinned>,
    /// Device memory as the program sees it: allocated by calls that have returned.
    pub allocated: HashMap<u64, u64>,
    /// Bytes of allocations that wait in streams.
    pub promised: u64,
    pub sticky: Option<Code>,
    pub instructions: u64,
    pub counts: ApiCounts,
    pub next: Handle,
    pub report: String,
    /// A mutated instruction has been reached, and the user been told.
    pub mutant_seen: bool,
}

/// Of the primary context.
pub(super) const PRIMARY: Handle = 0x10;
/// Of the legacy default stream.
pub(super) const DEFAULT: Handle = 0;

fn cell() -> &'static Mutex<Option<State>> {
    static CELL: OnceLock<Mutex<Option<State>>> = OnceLock::new();
    CELL.get_or_init(|| Mutex::new(None))
}

thread_local! {
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

/// The state after `cuInit`.
pub(super) fn initialised() -> Result<Locked, Code> {
    let guard = cell().lock().unwrap_or_else(|e| e.into_inner());
    if guard.is_some() { Ok(Locked(guard)) } else { Err(Code::NotInitialised) }
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
        let mut streams = BTreeMap::new();
        streams.insert(DEFAULT, Stream::new(true));
        State {
            device: Device::new(Profile::from_env(), Options::from_env()),
            contexts: HashMap::new(),
            streams,
            events: HashMap::new(),
            modules: HashMap::new(),
            functions: HashMap::new(),
            pinned: BTreeMap::new(),
            allocated: HashMap::new(),
            promised: 0,
            sticky: None,
            instructions: 0,
            counts: ApiCounts::default(),
            next: 0x1000,
            report: String::new(),
            mutant_seen: false,
        }
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

    /// The last context is gone: what is left is a leak, and everything starts afresh.
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
        let (next, report) = (self.next, std::mem::take(&mut self.report));
        for (start, pinned) in std::mem::take(&mut self.pinned) {
            if let Some(layout) = pinned.layout {
                // SAFETY: allocated with this layout by `host_alloc`, and removed from the table.
                unsafe { std::alloc::dealloc(start as *mut u8, layout) }
            }
        }
        *self = State { next, report, ..State::new() };
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

super::export! {
    /// What this process has asked of the driver since its context began; not a CUDA function.
    fn ptxEmulatorApiCounts(counts: *mut ApiCounts) {
        let counted = initialised()?.counts;
        super::give(counts, counted)
    }
    /// The last report, cut to `bytes`; not a CUDA function.
    fn ptxEmulatorLastReport(text: *mut u8, bytes: usize) {
        let report = initialised()?.report.clone();
        if text.is_null() || bytes == 0 {
            return Err(Code::InvalidValue);
        }
        let n = report.len().min(bytes - 1);
        // SAFETY: the caller vouches for `bytes` bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(report.as_ptr(), text, n);
            text.add(n).write(0);
        }
        Ok(())
    }
}
