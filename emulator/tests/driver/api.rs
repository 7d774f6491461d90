//! The exported functions, one state at a time.

use ptx_emulator::driver::*;
use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::{Mutex, MutexGuard};

pub const PTX: &str = "
.version 7.0
.target sm_75
.address_size 64
.visible .global .align 4 .u32 answer = 42;
.visible .entry add(.param .u64 p, .param .u32 n, .param .u32 value) {
.reg .pred %p1; .reg .b32 %r<6>; .reg .b64 %rd<4>;
ld.param.u64 %rd1, [p]; ld.param.u32 %r1, [n]; ld.param.u32 %r2, [value];
mov.u32 %r3, %tid.x; mov.u32 %r4, %ctaid.x; mov.u32 %r5, %ntid.x; mad.lo.u32 %r3, %r4, %r5, %r3;
setp.ge.u32 %p1, %r3, %r1; @%p1 ret;
mul.wide.u32 %rd2, %r3, 4; add.s64 %rd3, %rd1, %rd2; ld.global.u32 %r4, [%rd3]; add.u32 %r4, %r4, %r2;
st.global.u32 [%rd3], %r4; ret; }
.visible .entry shared() .maxntid 64, 1, 1 { .shared .b8 s[1024]; ret; }
";

/// One test at a time, each with a fresh primary context that is current.
pub struct Driver(#[allow(dead_code)] MutexGuard<'static, ()>, pub Handle);

pub fn driver() -> Driver {
    static LOCK: Mutex<()> = Mutex::new(());
    let guard = LOCK.lock().unwrap_or_else(|e| e.into_inner());
    let mut context = 0;
    unsafe {
        assert_eq!(cuInit(0), 0);
        assert_eq!(cuDevicePrimaryCtxRetain(&mut context, 0), 0);
        assert_eq!(cuCtxSetCurrent(context), 0);
    }
    Driver(guard, context)
}

impl Drop for Driver {
    fn drop(&mut self) {
        unsafe {
            cuCtxSetCurrent(0);
            cuDevicePrimaryCtxRelease_v2(0);
        }
    }
}

pub unsafe fn load(name: &str) -> (Handle, Handle) {
    let (mut module, mut function) = (0, 0);
    let (image, name) = (CString::new(PTX).unwrap(), CString::new(name).unwrap());
    unsafe {
        assert_eq!(cuModuleLoadData(&mut module, image.as_ptr() as *const c_void), 0);
        assert_eq!(cuModuleGetFunction(&mut function, module, name.as_ptr()), 0);
    }
    (module, function)
}

pub unsafe fn alloc(words: usize) -> u64 {
    let mut p = 0;
    unsafe {
        assert_eq!(cuMemAlloc_v2(&mut p, words * 4), 0);
        assert_eq!(cuMemsetD32_v2(p, 0, words), 0);
    }
    p
}

pub unsafe fn add(function: Handle, p: u64, n: u32, value: u32, stream: Handle) -> u32 {
    let params = [&p as *const u64 as *const c_void, &n as *const u32 as _, &value as *const u32 as _];
    unsafe { cuLaunchKernel(function, n.div_ceil(32), 1, 1, 32, 1, 1, 0, stream, params.as_ptr(), null()) }
}

pub unsafe fn read(p: u64, n: usize) -> Vec<u32> {
    let mut out = vec![0u32; n];
    assert_eq!(unsafe { cuMemcpyDtoH_v2(out.as_mut_ptr() as *mut c_void, p, n * 4) }, 0);
    out
}

pub unsafe fn stream() -> Handle {
    let mut s = 0;
    assert_eq!(unsafe { cuStreamCreate(&mut s, 1) }, 0);
    s
}

#[test]
fn device_and_errors() {
    let _s = driver();
    unsafe {
        let mut n: c_int = 0;
        assert_eq!((cuDeviceGetCount(&mut n), n), (0, 1));
        assert_eq!(cuDeviceGet(&mut n, 1), 101);
        let mut name = [0i8; 64];
        assert_eq!(cuDeviceGetName(name.as_mut_ptr() as *mut _, 64, 0), 0);
        assert!(CStr::from_ptr(name.as_ptr() as *const _).to_str().unwrap().starts_with("PTX emulator"));
        assert_eq!((cuDeviceGetAttribute(&mut n, 75, 0), n), (0, 8));
        assert_eq!((cuDeviceGetAttribute(&mut n, 97, 0), n), (0, 163 << 10));
        let mut words = null();
        assert_eq!(cuGetErrorName(700, &mut words), 0);
        assert_eq!(CStr::from_ptr(words), c"CUDA_ERROR_ILLEGAL_ADDRESS");
        assert_eq!(cuGetErrorString(201, &mut words), 0);
        assert_eq!(CStr::from_ptr(words), c"invalid device context");
        assert_eq!(cuGetErrorName(123456, &mut words), 1);
        assert_eq!(cuDeviceGetCount(null_mut()), 1);
    }
}

#[test]
fn the_context_belongs_to_the_thread() {
    let s = driver();
    let mut p = 0;
    unsafe {
        let context = s.1;
        std::thread::spawn(move || {
            let mut p = 0;
            assert_eq!(cuMemAlloc_v2(&mut p, 4), 201);
            assert_eq!(cuCtxSetCurrent(0x777), 201);
            assert_eq!(cuCtxPushCurrent_v2(context), 0);
            assert_eq!(cuMemAlloc_v2(&mut p, 4), 0);
            assert_eq!(cuMemFree_v2(p), 0);
            let mut top = 0;
            assert_eq!((cuCtxPopCurrent_v2(&mut top), top), (0, context));
            assert_eq!(cuCtxSynchronize(), 201);
        })
        .join()
        .unwrap();
        assert_eq!(cuMemAlloc_v2(&mut p, 4), 0);
    }
}

#[test]
fn launches_and_copies() {
    let _s = driver();
    unsafe {
        let (module, function) = load("add");
        let p = alloc(100);
        let values: Vec<u32> = (0..100).collect();
        assert_eq!(cuMemcpyHtoD_v2(p, values.as_ptr() as *const c_void, 400), 0);
        assert_eq!(add(function, p, 90, 7, 0), 0);
        let out = read(p, 100);
        assert!(out.iter().enumerate().all(|(k, &v)| v as usize == k + if k < 90 { 7 } else { 0 }));
        let q = alloc(100);
        assert_eq!(cuMemcpyDtoD_v2(q, p + 40, 80), 0);
        assert_eq!(read(q, 1), [17]);
        let (mut a, mut bytes) = (0, 0);
        assert_eq!(cuModuleGetGlobal_v2(&mut a, &mut bytes, module, c"answer".as_ptr()), 0);
        assert_eq!((bytes, read(a, 1)), (4, vec![42]));
        let mut counts = ApiCounts::default();
        ptxEmulatorApiCounts(&mut counts);
        assert_eq!(
            (counts.launches, counts.to_device_bytes, counts.on_device, counts.modules),
            (1, 400, 1, 1)
        );
        // A packed buffer of arguments.
        let packed: Vec<u8> = [&p.to_le_bytes()[..], &1u32.to_le_bytes(), &1000u32.to_le_bytes()].concat();
        let size = packed.len();
        let extra = [
            std::ptr::without_provenance(1),
            packed.as_ptr() as _,
            std::ptr::without_provenance(2),
            &size as *const usize as _,
            null(),
        ];
        assert_eq!(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, 0, null(), extra.as_ptr()), 0);
        assert_eq!(read(p, 1), [1007]);
        assert_eq!(cuModuleUnload(module), 0);
        assert_eq!(add(function, p, 1, 1, 0), 400);
    }
}

#[test]
fn modules_that_do_not_load() {
    let _s = driver();
    unsafe {
        let mut module = 0;
        let mut try_load = |text: &str| {
            let image = CString::new(text).unwrap();
            cuModuleLoadData(&mut module, image.as_ptr() as *const c_void)
        };
        assert_eq!(try_load("hello"), 200);
        assert_eq!(try_load(".version 7.0 .target sm_80 .entry k() { frobnicate.u32 5; }"), 218);
        assert_eq!(try_load(".version 7.0 .target sm_90 .entry k() { ret; }"), 209);
        let mut text = [0u8; 200];
        assert_eq!(ptxEmulatorLastReport(text.as_mut_ptr(), 200), 0);
        assert!(String::from_utf8_lossy(&text).contains("sm_90"));
        let (module, _) = load("add");
        let mut f = 0;
        assert_eq!(cuModuleGetFunction(&mut f, module, c"nothing".as_ptr()), 500);
        assert_eq!(cuModuleGetFunction(&mut f, 0x5, c"add".as_ptr()), 400);
    }
}

#[test]
fn limits() {
    let _s = driver();
    unsafe {
        let (_, function) = load("shared");
        let launch = |block, bytes| cuLaunchKernel(function, 1, 1, 1, block, 1, 1, bytes, 0, null(), null());
        assert_eq!(launch(64, 0), 0);
        assert_eq!(launch(65, 0), 1);
        assert_eq!(launch(0, 0), 1);
        // 48 KiB together; more has to be asked for.
        assert_eq!(launch(64, 47 << 10), 0);
        assert_eq!(launch(64, 48 << 10), 1);
        assert_eq!(cuFuncSetAttribute(function, 8, 100 << 10), 0);
        assert_eq!(launch(64, 100 << 10), 0);
        assert_eq!(cuFuncSetAttribute(function, 8, 163 << 10), 1);
        let mut n: c_int = 0;
        assert_eq!((cuFuncGetAttribute(&mut n, 0, function), n), (0, 64));
        assert_eq!((cuFuncGetAttribute(&mut n, 1, function), n), (0, 1024));
        assert_eq!((cuOccupancyMaxActiveBlocksPerMultiprocessor(&mut n, function, 64, 0), n), (0, 32));
        let mut block: c_int = 0;
        assert_eq!(cuOccupancyMaxPotentialBlockSize(&mut n, &mut block, function, None, 0, 0), 0);
        assert_eq!((n, block), (32 * 108, 64));
        let mut p = 0;
        assert_eq!(cuMemAlloc_v2(&mut p, usize::MAX / 2), 2);
        assert_eq!(cuMemAllocAsync(&mut p, 41 << 30, 0), 2);
        assert_eq!(cuMemAlloc_v2(&mut p, 0), 1);
        assert_eq!(cuCtxSynchronize(), 0);
    }
}

#[test]
fn errors_are_late_and_stay() {
    let _s = driver();
    unsafe {
        let (_, function) = load("add");
        let p = alloc(32);
        assert_eq!(cuCtxSynchronize(), 0);
        // 33 words where there are 32: the launch itself succeeds.
        assert_eq!(add(function, p, 33, 1, 0), 0);
        assert_eq!(add(function, p, 32, 1, 0), 0);
        assert_eq!(cuCtxSynchronize(), 700);
        assert_eq!(add(function, p, 32, 1, 0), 700);
        let mut q = 0;
        assert_eq!(cuMemAlloc_v2(&mut q, 4), 700);
        assert_eq!(cuMemFree_v2(p), 700);
        let mut text = [0u8; 600];
        ptxEmulatorLastReport(text.as_mut_ptr(), 600);
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("kernel add, block (1, 0, 0), thread (0, 0, 0)"), "{text}");
    }
}

#[test]
fn a_new_context_is_healthy() {
    {
        let _s = driver();
        unsafe {
            let (_, function) = load("add");
            assert_eq!(add(function, 0x1000, 1, 1, 0), 0);
            assert_eq!(cuStreamSynchronize(0), 700);
        }
    }
    let _s = driver();
    assert_eq!(unsafe { cuCtxSynchronize() }, 0);
}

#[test]
fn streams_are_deferred() {
    let _s = driver();
    unsafe {
        let (_, function) = load("add");
        let (p, a, b) = (alloc(1), stream(), stream());
        assert_eq!(cuCtxSynchronize(), 0);
        assert_eq!(cuStreamQuery(a), 0);
        assert_eq!(add(function, p, 1, 5, a), 0);
        // The default stream does not wait for independent ones.
        assert_eq!(read(p, 1), [0]);
        assert_eq!(cuStreamQuery(a), 600);
        assert_eq!(cuStreamQuery(a), 0);
        assert_eq!(read(p, 1), [5]);
        // Without a wait the other stream's copy comes first; with one it does not.
        let (mut pinned, mut event) = (0usize, 0);
        assert_eq!(cuMemHostAlloc(&mut pinned, 8, 0), 0);
        assert_eq!(cuEventCreate(&mut event, 0), 0);
        let host = pinned as *mut c_void;
        assert_eq!(add(function, p, 1, 5, a), 0);
        assert_eq!(cuMemcpyDtoHAsync_v2(host, p, 4, b), 0);
        assert_eq!(*(host as *const u32), 0);
        assert_eq!(cuStreamSynchronize(b), 0);
        assert_eq!(*(host as *const u32), 5);
        assert_eq!(cuEventRecord(event, a), 0);
        assert_eq!(cuStreamWaitEvent(b, event, 0), 0);
        assert_eq!(cuMemcpyDtoHAsync_v2(host, p, 4, b), 0);
        assert_eq!(cuEventQuery(event), 600);
        assert_eq!(cuStreamSynchronize(b), 0);
        assert_eq!(*(host as *const u32), 10);
        assert_eq!(cuEventQuery(event), 0);
        assert_eq!(cuEventSynchronize(event), 0);
        let mut ms = 0f32;
        assert_eq!(cuEventElapsedTime(&mut ms, event, event), 0);
        assert!(ms > 0.0);
        // Pinned memory is read when the copy runs, pageable memory at once.
        let mut page = 70u32;
        *(host as *mut u32) = 60;
        assert_eq!(cuMemcpyHtoDAsync_v2(p, host, 4, a), 0);
        *(host as *mut u32) = 61;
        assert_eq!(cuStreamSynchronize(a), 0);
        assert_eq!(read(p, 1), [61]);
        assert_eq!(cuMemcpyHtoDAsync_v2(p, &page as *const u32 as *const c_void, 4, a), 0);
        page += 1;
        assert_eq!(cuStreamSynchronize(a), 0);
        assert_eq!((read(p, 1), page), (vec![70], 71));
        assert_eq!(cuStreamDestroy_v2(a), 0);
        assert_eq!(cuStreamSynchronize(a), 400);
        assert_eq!(cuEventDestroy_v2(event), 0);
        // Freed too early.
        assert_eq!(cuMemcpyHtoDAsync_v2(p, host, 4, b), 0);
        assert_eq!(cuMemFreeHost(pinned), 0);
        assert_eq!(cuStreamSynchronize(b), 700);
    }
}

#[test]
fn the_default_stream_waits_for_blocking_ones() {
    let _s = driver();
    unsafe {
        let (_, function) = load("add");
        let p = alloc(1);
        let mut a = 0;
        assert_eq!(cuStreamCreate(&mut a, 0), 0);
        assert_eq!(add(function, p, 1, 5, a), 0);
        assert_eq!(add(function, p, 1, 5, 0), 0);
        assert_eq!(read(p, 1), [10]);
    }
}

#[test]
fn memory_in_stream_order() {
    let _s = driver();
    unsafe {
        let (_, function) = load("add");
        let (a, b) = (stream(), stream());
        let mut p = 0;
        assert_eq!(cuMemAllocAsync(&mut p, 128, a), 0);
        assert_eq!(cuMemsetD8Async(p, 0, 128, a), 0);
        assert_eq!(add(function, p, 32, 3, a), 0);
        let mut out = [0u32; 32];
        assert_eq!(cuMemcpyDtoHAsync_v2(out.as_mut_ptr() as *mut c_void, p, 128, a), 0);
        assert_eq!(out, [3; 32]);
        assert_eq!(cuMemFreeAsync(p, a), 0);
        assert_eq!(cuMemFreeAsync(p, a), 1);
        assert_eq!(cuStreamSynchronize(a), 0);
        // Another stream uses memory before it exists there.
        assert_eq!(cuMemAllocAsync(&mut p, 128, a), 0);
        assert_eq!(add(function, p, 32, 3, b), 0);
        assert_eq!(cuStreamSynchronize(b), 700);
    }
}

#[test]
fn managed_memory_is_shared() {
    let _s = driver();
    unsafe {
        let (_, function) = load("add");
        let mut p = 0u64;
        assert_eq!(cuMemAllocManaged(&mut p, 16, 1), 0);
        let words = std::slice::from_raw_parts_mut(p as *mut u32, 4);
        words.copy_from_slice(&[1, 2, 3, 4]);
        assert_eq!(add(function, p, 4, 10, 0), 0);
        assert_eq!(cuCtxSynchronize(), 0);
        assert_eq!(words, [11, 12, 13, 14]);
        assert_eq!(cuMemFree_v2(p), 0);
        let mut mine = [5u32; 4];
        let at = mine.as_mut_ptr() as usize;
        assert_eq!(cuMemHostRegister_v2(at, 16, 0), 0);
        assert_eq!(cuMemHostRegister_v2(at, 16, 0), 712);
        assert_eq!((cuMemHostGetDevicePointer_v2(&mut p, at, 0), p), (0, at as u64));
        assert_eq!(add(function, p, 4, 10, 0), 0);
        assert_eq!(cuMemHostUnregister(at), 0);
        assert_eq!(mine, [15; 4]);
    }
}

#[test]
fn functions_by_name() {
    let _s = driver();
    unsafe {
        let (mut f, mut status) = (null(), 9);
        let mut find = |name: &CStr, version| {
            let code = cuGetProcAddress_v2(name.as_ptr(), &mut f, version, 0, &mut status);
            (code, f, status)
        };
        assert_eq!(find(c"cuMemAlloc", 12000), (0, cuMemAlloc_v2 as *const c_void, 0));
        assert_eq!(find(c"cuInit", 11030), (0, cuInit as *const c_void, 0));
        // The form depends on the version that the program was made for.
        assert_eq!(find(c"cuCtxCreate", 11030).1, cuCtxCreate_v2 as *const c_void);
        assert_eq!(find(c"cuCtxCreate", 12000).1, cuCtxCreate_v3 as *const c_void);
        assert_eq!(find(c"cuCtxCreate", 12090).1, cuCtxCreate_v4 as *const c_void);
        assert_eq!(find(c"cuGetProcAddress", 11080).1, cuGetProcAddress as *const c_void);
        assert_eq!(find(c"cuGetProcAddress", 12000).1, cuGetProcAddress_v2 as *const c_void);
        assert_eq!(find(c"cuNothing", 12000), (500, null(), 1));
        assert_eq!(find(c"cuCtxCreate_v4", 12000), (500, null(), 2));
        assert_eq!(cuGetProcAddress(c"cuNothing".as_ptr(), &mut f, 11030, 0), 500);
        assert_eq!(cuGetProcAddress(c"cuCtxSynchronize".as_ptr(), &mut f, 11030, 0), 0);
        let call: unsafe extern "C" fn() -> u32 = std::mem::transmute(f);
        assert_eq!(call(), 0);
    }
}

#[test]
fn addresses_have_attributes() {
    let _s = driver();
    unsafe {
        let p = alloc(16);
        let (mut host, mut kind, mut start) = (0usize, 0u32, 0u64);
        assert_eq!(cuMemHostAlloc(&mut host, 64, 0), 0);
        let of = |which, address, to: &mut u32| {
            cuPointerGetAttribute(to as *mut u32 as *mut c_void, which, address)
        };
        assert_eq!((of(2, p, &mut kind), kind), (0, 2));
        assert_eq!((of(2, host as u64 + 8, &mut kind), kind), (0, 1));
        assert_eq!((of(9, p, &mut kind), kind), (0, 0));
        assert_eq!(of(2, 0x1234, &mut kind), 1);
        assert_eq!((cuPointerGetAttribute(&mut start as *mut u64 as *mut c_void, 11, p + 20), start), (0, p));
        let (which, values) =
            ([2u32, 11], [&mut kind as *mut u32 as *mut c_void, &mut start as *mut u64 as *mut c_void]);
        assert_eq!(cuPointerGetAttributes(2, which.as_ptr(), values.as_ptr(), 0x1234), 0);
        assert_eq!((kind, start), (0, 0));
        assert_eq!(cuMemFreeHost(host), 0);
        assert_eq!(cuMemFree_v2(p), 0);
    }
}
