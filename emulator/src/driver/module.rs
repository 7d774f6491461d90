//! Modules, functions and their attributes.

use super::state::{Function, Loaded, State, healthy, in_context};
use super::{Code, Handle, give, text};
use crate::profile::Profile;
use std::ffi::{c_char, c_int, c_void};

impl State {
    fn load(&mut self, source: &str) -> Result<Handle, Code> {
        match self.device.load(source) {
            Ok(module) => {
                self.counts.modules += 1;
                let (handle, device) = (self.handle(), self.here);
                self.modules.insert(handle, Loaded { module, device });
                Ok(handle)
            }
            Err(e) => {
                self.tell(&e.to_string());
                let code =
                    if e.reason.starts_with("the module is for") { Code::NoBinary } else { Code::InvalidPtx };
                Err(code)
            }
        }
    }
}

pub(super) fn load_image(module: *mut Handle, image: *const c_void) -> Result<(), Code> {
    let mut s = healthy()?;
    let Ok(source) = text(image as *const c_char) else {
        s.tell("the module is no PTX text; cubins cannot be emulated");
        return Err(Code::InvalidImage);
    };
    if !source.contains(".version") {
        s.tell("the module is no PTX text; cubins cannot be emulated");
        return Err(Code::InvalidImage);
    }
    let handle = s.load(source)?;
    give(module, handle)
}

/// Writes what was wrong with the module into the buffer that the caller gave for the compiler's
/// errors; the buffers' sizes become the lengths of what is in them.
pub(super) fn jit_log(n: u32, options: *const u32, values: *mut *mut c_void, failed: bool) {
    const INFO: (u32, u32) = (3, 4);
    const ERRORS: (u32, u32) = (5, 6);
    if options.is_null() || values.is_null() {
        return;
    }
    let report = super::state::initialised().map(|s| s.report.clone()).unwrap_or_default();
    // SAFETY: the caller gives `n` options and a value to each.
    let at = |option: u32| (0..n as usize).find(|&k| unsafe { options.add(k).read() } == option);
    for ((buffer, size), words) in [(INFO, ""), (ERRORS, if failed { report.as_str() } else { "" })] {
        let (Some(buffer), Some(size)) = (at(buffer), at(size)) else { continue };
        // SAFETY: as above; the size is the value itself, and the buffer has so many bytes.
        unsafe {
            let (to, room) =
                (values.add(buffer).read() as *mut u8, values.add(size).read() as usize as u32 as usize);
            if to.is_null() || room == 0 {
                continue;
            }
            let len = words.len().min(room - 1);
            std::ptr::copy_nonoverlapping(words.as_ptr(), to, len);
            to.add(len).write(0);
            values.add(size).write(len as *mut c_void);
        }
    }
}

/// The handle of a module's kernel, always the same one.
pub(super) fn function(s: &mut State, module: Handle, name: &str) -> Result<Handle, Code> {
    let m = s.modules.get(&module).ok_or(Code::InvalidHandle)?;
    let (kernel, device) = (m.module.kernel(name).ok_or(Code::NotFound)?, m.device);
    let known =
        s.functions.iter().find(|(_, f)| f.module == module && f.kernel.name() == name).map(|(&h, _)| h);
    Ok(known.unwrap_or_else(|| {
        let handle = s.handle();
        let dynamic_limit = Profile::SHARED_PER_BLOCK.saturating_sub(kernel.shared_bytes());
        s.functions.insert(handle, Function { kernel, module, device, dynamic_limit });
        handle
    }))
}

super::export! {
    /// Loads PTX text.
    fn cuModuleLoadData(module: *mut Handle, image: *const c_void) {
        load_image(module, image)
    }
    /// As `cuModuleLoadData`. Of the compiler's options only its logs have an effect.
    fn cuModuleLoadDataEx(module: *mut Handle, image: *const c_void, n: u32, options: *mut u32, values: *mut *mut c_void) {
        let result = load_image(module, image);
        jit_log(n, options, values, result.is_err());
        result
    }
    /// Loads a PTX file.
    fn cuModuleLoad(module: *mut Handle, name: *const c_char) {
        let mut s = healthy()?;
        let source = std::fs::read_to_string(text(name)?).map_err(|_| Code::FileNotFound)?;
        let handle = s.load(&source)?;
        give(module, handle)
    }
    /// Ends a module, its functions and its variables, after all work has been done.
    fn cuModuleUnload(module: Handle) {
        let mut s = in_context()?;
        let device = s.modules.get(&module).ok_or(Code::InvalidHandle)?.device;
        s.on(device, State::run_all);
        let m = s.modules.remove(&module).ok_or(Code::InvalidHandle)?.module;
        for (address, _) in m.globals.values() {
            s.device_at(*address).free(*address);
        }
        s.functions.retain(|_, f| f.module != module);
        Ok(())
    }
    /// A kernel of a module.
    fn cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char) {
        let handle = self::function(&mut *healthy()?, module, text(name)?)?;
        give(function, handle)
    }
    /// A variable of a module.
    fn cuModuleGetGlobal_v2(address: *mut u64, bytes: *mut usize, module: Handle, name: *const c_char) {
        let s = healthy()?;
        let m = s.modules.get(&module).ok_or(Code::InvalidHandle)?;
        let (start, len) = m.module.global(text(name)?).ok_or(Code::NotFound)?;
        if !address.is_null() {
            give(address, start)?;
        }
        if bytes.is_null() { Ok(()) } else { give(bytes, len as usize) }
    }
    /// What is known of a kernel. Registers are not: only ptxas assigns them.
    fn cuFuncGetAttribute(value: *mut c_int, which: u32, function: Handle) {
        let s = healthy()?;
        let f = s.functions.get(&function).ok_or(Code::InvalidHandle)?;
        let number = s.device.profile().number() as c_int;
        give(value, match which {
            0 => f.kernel.max_threads() as c_int,
            1 => f.kernel.shared_bytes() as c_int,
            3 => f.kernel.local_bytes() as c_int,
            5 | 6 => number,
            8 => f.dynamic_limit as c_int,
            9 => -1,
            _ => 0,
        })
    }
    /// Asks for more dynamic shared memory (attribute 8); preferences have no effect.
    fn cuFuncSetAttribute(function: Handle, which: u32, value: c_int) {
        let mut s = healthy()?;
        let most = s.device.profile().shared_per_block_opt_in;
        let f = s.functions.get_mut(&function).ok_or(Code::InvalidHandle)?;
        match which {
            8 if value < 0 || value as u32 > most.saturating_sub(f.kernel.shared_bytes()) => Err(Code::InvalidValue),
            8 => {
                f.dynamic_limit = value as u32;
                Ok(())
            }
            9..=15 => Ok(()),
            _ => Err(Code::InvalidValue),
        }
    }
    /// Cache preferences have no effect.
    fn cuFuncSetCacheConfig(function: Handle, _config: u32) {
        if healthy()?.functions.contains_key(&function) { Ok(()) } else { Err(Code::InvalidHandle) }
    }
    /// The name of a kernel is not kept as a C string.
    fn cuFuncGetName(_name: *mut *const c_char, _function: Handle) {
        Err(Code::NotSupported)
    }
}
