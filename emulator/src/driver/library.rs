//! Libraries and kernels as CUDA 12 has them, and questions about functions. A library is a module here,
//! loaded for the current device, and a kernel is its function.

use super::module::{function, jit_log, load_image};
use super::state::{healthy, in_context};
use super::{Code, Handle, give, text};
use std::ffi::{c_char, c_int, c_void};

super::export! {
    /// A library from PTX text.
    fn cuLibraryLoadData(
        library: *mut Handle, image: *const c_void, options: *mut u32, values: *mut *mut c_void, n: u32,
        _library_options: *mut u32, _library_values: *mut *mut c_void, _library_n: u32
    ) {
        let result = load_image(library, image);
        jit_log(n, options, values, result.is_err());
        result
    }
    /// Ends a library.
    fn cuLibraryUnload(library: Handle) {
        // SAFETY: it takes no pointers.
        match unsafe { super::cuModuleUnload(library) } {
            0 => Ok(()),
            _ => in_context().and(Err(Code::InvalidHandle)),
        }
    }
    /// A kernel of a library.
    fn cuLibraryGetKernel(kernel: *mut Handle, library: Handle, name: *const c_char) {
        let handle = function(&mut *healthy()?, library, text(name)?)?;
        give(kernel, handle)
    }
    /// The module of a library.
    fn cuLibraryGetModule(module: *mut Handle, library: Handle) {
        if healthy()?.modules.contains_key(&library) { give(module, library) } else { Err(Code::InvalidHandle) }
    }
    /// A variable of a library.
    fn cuLibraryGetGlobal(address: *mut u64, bytes: *mut usize, library: Handle, name: *const c_char) {
        // SAFETY: the caller's pointers, handed on.
        match unsafe { super::cuModuleGetGlobal_v2(address, bytes, library, name) } {
            0 => Ok(()),
            500 => Err(Code::NotFound),
            _ => healthy().and(Err(Code::InvalidHandle)),
        }
    }
    /// The function of a kernel.
    fn cuKernelGetFunction(function: *mut Handle, kernel: Handle) {
        if healthy()?.functions.contains_key(&kernel) { give(function, kernel) } else { Err(Code::InvalidHandle) }
    }
    /// As `cuFuncGetAttribute`.
    fn cuKernelGetAttribute(value: *mut c_int, which: u32, kernel: Handle, _device: c_int) {
        // SAFETY: the caller's pointer, handed on.
        match unsafe { super::cuFuncGetAttribute(value, which, kernel) } {
            0 => Ok(()),
            _ => healthy().and(Err(Code::InvalidHandle)),
        }
    }
    /// As `cuFuncSetAttribute`.
    fn cuKernelSetAttribute(which: u32, value: c_int, kernel: Handle, _device: c_int) {
        // SAFETY: it takes no pointers.
        match unsafe { super::cuFuncSetAttribute(kernel, which, value) } {
            0 => Ok(()),
            1 => Err(Code::InvalidValue),
            _ => healthy().and(Err(Code::InvalidHandle)),
        }
    }
    /// Number of a module's kernels.
    fn cuModuleGetFunctionCount(count: *mut u32, module: Handle) {
        let s = healthy()?;
        let n = s.modules.get(&module).ok_or(Code::InvalidHandle)?.module.names().len();
        give(count, n as u32)
    }
    /// The first kernels of a module, by name.
    fn cuModuleEnumerateFunctions(functions: *mut Handle, n: u32, module: Handle) {
        let mut s = healthy()?;
        let m = &s.modules.get(&module).ok_or(Code::InvalidHandle)?.module;
        let names: Vec<String> = m.names().into_iter().take(n as usize).map(str::to_string).collect();
        for (k, name) in names.iter().enumerate() {
            let handle = function(&mut s, module, name)?;
            // SAFETY: the caller gives room for `n` functions.
            give(unsafe { functions.add(k) }, handle)?;
        }
        Ok(())
    }
    /// Modules are loaded whole.
    fn cuModuleGetLoadingMode(mode: *mut u32) {
        give(mode, 1)
    }
    /// The module of a function.
    fn cuFuncGetModule(module: *mut Handle, function: Handle) {
        let s = healthy()?;
        give(module, s.functions.get(&function).ok_or(Code::InvalidHandle)?.module)
    }
    /// Offset and bytes of a parameter.
    fn cuFuncGetParamInfo(function: Handle, index: usize, offset: *mut usize, bytes: *mut usize) {
        let s = healthy()?;
        let f = s.functions.get(&function).ok_or(Code::InvalidHandle)?;
        let &(at, len) = f.kernel.params().get(index).ok_or(Code::InvalidValue)?;
        give(offset, at as usize)?;
        if bytes.is_null() { Ok(()) } else { give(bytes, len as usize) }
    }
    /// As `cuFuncGetParamInfo`.
    fn cuKernelGetParamInfo(kernel: Handle, index: usize, offset: *mut usize, bytes: *mut usize) {
        let s = healthy()?;
        let f = s.functions.get(&kernel).ok_or(Code::InvalidHandle)?;
        let &(at, len) = f.kernel.params().get(index).ok_or(Code::InvalidValue)?;
        give(offset, at as usize)?;
        if bytes.is_null() { Ok(()) } else { give(bytes, len as usize) }
    }
    /// Functions are loaded with their module.
    fn cuFuncIsLoaded(state: *mut u32, function: Handle) {
        if healthy()?.functions.contains_key(&function) { give(state, 1) } else { Err(Code::InvalidHandle) }
    }
    /// Functions are loaded with their module.
    fn cuFuncLoad(function: Handle) {
        if healthy()?.functions.contains_key(&function) { Ok(()) } else { Err(Code::InvalidHandle) }
    }
}
