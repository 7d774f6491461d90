//! Rectangles, libraries, described launches, the compiler's log, callbacks, and addresses of ended contexts.

use crate::api::{PTX, add, alloc, driver, load, read};
use ptx_emulator::driver::*;
use std::ffi::{CStr, CString, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;

#[test]
fn rectangles() {
    let _s = driver();
    unsafe {
        let (mut p, mut pitch) = (0, 0);
        assert_eq!(cuMemAllocPitch_v2(&mut p, &mut pitch, 40, 7, 4), 0);
        assert!(pitch >= 40 && pitch.is_multiple_of(256) && p.is_multiple_of(256));
        assert_eq!(cuMemAllocPitch_v2(&mut p, &mut pitch, 40, 7, 5), 1);
        assert_eq!(cuMemsetD2D8_v2(p, pitch, 9, pitch, 7), 0);
        assert_eq!(cuMemsetD2D32_v2(p + 4, pitch, 5, 3, 2), 0);
        assert_eq!(cuMemsetD2D16_v2(p + 16, pitch, 0x707, 2, 1), 0);
        assert_eq!(cuMemsetD2D32_v2(p, 8, 5, 3, 2), 1);
        // Three columns and two rows of 4 bytes, from the second row and the third column on, into the middle.
        let host: Vec<u32> = (0..30).collect();
        let zero = Copy2D {
            source_x: 0,
            source_y: 0,
            source_type: 0,
            source_host: 0,
            source_device: 0,
            source_array: 0,
            source_pitch: 0,
            target_x: 0,
            target_y: 0,
            target_type: 0,
            target_host: 0,
            target_device: 0,
            target_array: 0,
            target_pitch: 0,
            width: 12,
            height: 2,
        };
        let up = Copy2D {
            source_x: 8,
            source_y: 1,
            source_type: 1,
            source_host: host.as_ptr() as usize,
            source_pitch: 24,
            target_x: 4,
            target_y: 3,
            target_type: 2,
            target_device: p,
            target_pitch: pitch,
            ..zero
        };
        assert_eq!(cuMemcpy2D_v2(&up), 0);
        let inside = Copy2D {
            source_x: 4,
            source_y: 3,
            source_type: 2,
            source_device: p,
            source_pitch: pitch,
            target_x: 8,
            target_y: 5,
            ..up
        };
        assert_eq!(cuMemcpy2DAsync_v2(&inside, 0), 0);
        let mut out = [0u32; 5 * 7];
        let down = Copy2D {
            source_type: 4,
            source_device: p,
            source_pitch: pitch,
            target_type: 1,
            target_host: out.as_mut_ptr() as usize,
            width: 20,
            height: 7,
            ..zero
        };
        assert_eq!(cuMemcpy2DUnaligned_v2(&down), 0);
        let n = 0x0909_0909;
        let expected = [
            [n, 5, 5, 5, 0x0707_0707],
            [n, 5, 5, 5, n],
            [n; 5],
            [n, 8, 9, 10, n],
            [n, 14, 15, 16, n],
            [n, n, 8, 9, 10],
            [n, n, 14, 15, 16],
        ];
        assert_eq!(out.as_slice(), expected.as_flattened());
        assert_eq!(cuMemcpy2D_v2(&Copy2D { source_pitch: 16, ..up }), 1);
        assert_eq!(cuMemcpy2D_v2(&Copy2D { target_type: 3, ..up }), 801);
        assert_eq!(cuMemcpy2D_v2(null()), 1);
        assert_eq!(cuMemFree_v2(p), 0);
    }
}

#[test]
fn the_log_of_the_compiler() {
    let _s = driver();
    let bad =
        CString::new(".version 7.0\n.target sm_75\n.address_size 64\n.entry k() {\nfrobnicate.u32 5;\n}")
            .unwrap();
    let good = CString::new(PTX).unwrap();
    unsafe {
        let (mut errors, mut infos) = ([1u8; 200], [1u8; 8]);
        let mut options = [6, 5, 3, 4];
        let mut values =
            [200usize as *mut c_void, errors.as_mut_ptr() as _, infos.as_mut_ptr() as _, 8usize as _];
        let mut module = 0;
        let (o, v) = (options.as_mut_ptr(), values.as_mut_ptr());
        assert_eq!(cuModuleLoadDataEx(&mut module, bad.as_ptr() as _, 4, o, v), 218);
        let log = CStr::from_bytes_until_nul(&errors).unwrap().to_str().unwrap();
        assert!(log.contains("line 5") && log.contains("frobnicate"), "{log}");
        assert_eq!((values[0] as usize, values[3] as usize), (log.len(), 0));
        assert_eq!(infos[0], 0);
        // A log that is too long is cut.
        values[0] = 10usize as _;
        assert_eq!(
            cuModuleLoadDataEx(&mut module, bad.as_ptr() as _, 2, options.as_mut_ptr(), values.as_mut_ptr()),
            218
        );
        assert_eq!((values[0] as usize, errors[9]), (9, 0));
        values[0] = 200usize as _;
        assert_eq!(
            cuModuleLoadDataEx(&mut module, good.as_ptr() as _, 2, options.as_mut_ptr(), values.as_mut_ptr()),
            0
        );
        assert_eq!((values[0] as usize, errors[0]), (0, 0));
        assert_eq!(cuModuleLoadDataEx(&mut module, good.as_ptr() as _, 0, null_mut(), null_mut()), 0);
    }
}

#[test]
fn libraries_and_described_launches() {
    let _s = driver();
    let source = CString::new(PTX).unwrap();
    unsafe {
        let (mut library, mut kernel, mut function, mut module) = (0, 0, 0, 0);
        let image = source.as_ptr() as *const c_void;
        let (none, nothing) = (null_mut(), null_mut());
        assert_eq!(cuLibraryLoadData(&mut library, image, none, nothing, 0, none, nothing, 0), 0);
        assert_eq!(cuLibraryGetKernel(&mut kernel, library, c"add".as_ptr()), 0);
        assert_eq!(cuLibraryGetKernel(&mut kernel, library, c"sub".as_ptr()), 500);
        assert_eq!(cuKernelGetFunction(&mut function, kernel), 0);
        assert_eq!(
            (cuFuncGetModule(&mut module, function), cuLibraryGetModule(&mut module, library)),
            (0, 0)
        );
        let (mut count, mut all) = (0, [0; 4]);
        assert_eq!((cuModuleGetFunctionCount(&mut count, module), count), (0, 2));
        assert_eq!(
            (cuModuleEnumerateFunctions(all.as_mut_ptr(), 4, module), all[0], all[3]),
            (0, function, 0)
        );
        let (mut at, mut bytes) = (0, 0);
        assert_eq!((cuFuncGetParamInfo(function, 2, &mut at, &mut bytes), at, bytes), (0, 12, 4));
        assert_eq!(cuFuncGetParamInfo(function, 3, &mut at, &mut bytes), 1);
        let (mut p, mut value) = (alloc(40), 0);
        assert_eq!((cuKernelGetAttribute(&mut value, 0, kernel, 0), value), (0, 1024));
        let (n, v) = (40u32, 3u32);
        let params = [&raw const p as *const c_void, &raw const n as _, &raw const v as _];
        let mut attribute = LaunchAttribute { which: 4, padding: 0, value: [1; 16] };
        let config = LaunchConfig {
            grid: [2, 1, 1],
            block: [32, 1, 1],
            shared: 0,
            stream: 0,
            attributes: &attribute,
            count: 1,
        };
        assert_eq!(cuLaunchKernelEx(&config, kernel, params.as_ptr(), null()), 0);
        assert_eq!(read(p, 40), [3; 40]);
        attribute.which = 2;
        let config = LaunchConfig { attributes: &attribute, ..config };
        assert_eq!(cuLaunchKernelEx(&config, kernel, params.as_ptr(), null()), 801);
        assert_eq!(cuLaunchKernelEx(null(), kernel, params.as_ptr(), null()), 1);
        assert_eq!(
            cuLaunchKernelEx(
                &LaunchConfig { block: [2048, 1, 1], count: 0, ..config },
                kernel,
                params.as_ptr(),
                null()
            ),
            1
        );
        let mut size = 0;
        assert_eq!((cuLibraryGetGlobal(&mut p, &mut size, library, c"answer".as_ptr()), size), (0, 4));
        assert_eq!(read(p, 1), [42]);
        assert_eq!(cuLibraryUnload(library), 0);
        assert_eq!(cuLibraryGetKernel(&mut kernel, library, c"add".as_ptr()), 400);
    }
}

#[test]
fn functions_of_the_host() {
    static SEEN: Mutex<Vec<(u32, usize)>> = Mutex::new(Vec::new());
    extern "C" fn note(_stream: Handle, status: u32, data: *mut c_void) {
        let mut p = 0;
        // The driver may not be used here, and says so instead of waiting for itself.
        let refused = unsafe { cuMemAlloc_v2(&mut p, 4) };
        SEEN.lock().unwrap().push((refused + status, data as usize));
    }
    extern "C" fn host(data: *mut c_void) {
        note(0, unsafe { cuCtxSynchronize() }, data);
    }
    let _s = driver();
    unsafe {
        let mut stream = 0;
        assert_eq!(cuStreamCreate(&mut stream, 0), 0);
        assert_eq!(cuStreamAddCallback(stream, Some(note), 1usize as _, 0), 0);
        assert_eq!(cuLaunchHostFunc(stream, Some(host), 2usize as _), 0);
        assert_eq!(cuStreamAddCallback(stream, None, null_mut(), 0), 1);
        assert!(SEEN.lock().unwrap().is_empty());
        assert_eq!(cuStreamSynchronize(stream), 0);
        assert_eq!(*SEEN.lock().unwrap(), [(800, 1), (1600, 2)]);
        let (mut context, mut priority) = (0, 7);
        assert_eq!(
            (cuStreamGetCtx(stream, &mut context), cuStreamGetPriority(stream, &mut priority)),
            (0, 0)
        );
        assert_eq!((context, priority), (_s.1, 0));
        assert_eq!(cuStreamDestroy_v2(stream), 0);
    }
}

#[test]
fn addresses_of_an_ended_context() {
    let _s = driver();
    unsafe {
        let old = alloc(64);
        assert_eq!(cuDevicePrimaryCtxReset_v2(0), 0);
        let fresh = alloc(64);
        assert_ne!(old, fresh);
        assert_eq!(cuMemFree_v2(old), 1);
        let (_, function) = load("add");
        assert_eq!(add(function, old, 64, 1, 0), 0);
        assert_eq!(cuCtxSynchronize(), 700);
        assert_eq!(cuMemFree_v2(fresh), 700);
        let mut text = [0u8; 400];
        assert_eq!(ptxEmulatorLastReport(text.as_mut_ptr(), 400), 0);
        let text = CStr::from_bytes_until_nul(&text).unwrap().to_str().unwrap();
        assert!(text.contains("use after free: the 256-byte allocation"), "{text}");
        assert_eq!(cuDevicePrimaryCtxReset_v2(0), 0);
    }
}
