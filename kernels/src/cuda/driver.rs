//! The one place that names `cudarc`: a device's context and stream, modules, launches, copies.
//!
//! The driver's library is opened when a device is first asked for. Whether it is there, and new enough, is
//! found out before anything is called that would panic where it is not.

use super::properties::Properties;
use crate::{Device, Error, Result};
use cudarc::driver::{DriverError, result, sys};
use std::ffi::{CStr, CString, c_void};
use std::ptr;

/// The oldest driver that has what is called here (memory in the order of a stream): CUDA 11.2.
const OLDEST: i32 = 11_020;
/// The oldest device that the committed PTX is for.
const OLDEST_DEVICE: (u32, u32) = (7, 5);
/// Threads of a block, in every kernel.
pub const THREADS: u32 = 256;

/// One device: its primary context, and the one stream that all work goes to, in order.
pub struct Driver {
    device: Device,
    name: String,
    context: sys::CUcontext,
    stream: sys::CUstream,
    /// The memory pool, where the device has stream-ordered allocation.
    pool: Option<sys::CUmemoryPool>,
    multiprocessors: u32,
    threads_per_multiprocessor: u32,
}
// SAFETY: handles of the driver, which may be used by any thread whose current context is theirs; `bind` sees
// to that.
unsafe impl Send for Driver {}
// SAFETY: as above; the driver locks what it must.
unsafe impl Sync for Driver {}

/// A compiled kernel.
#[derive(Clone, Copy)]
pub struct Function(sys::CUfunction);
// SAFETY: a handle, valid as long as its module, which is never unloaded.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// A moment in the stream.
pub struct Event(sys::CUevent);
// SAFETY: a handle that any thread may use.
unsafe impl Send for Event {}

/// The driver's words for an error.
fn words(e: DriverError) -> String {
    let text = |s: std::result::Result<&CStr, DriverError>| {
        s.map_or_else(|_| format!("error {}", e.0 as u32), |s| s.to_string_lossy().into_owned())
    };
    format!("{} ({})", text(e.error_string()), text(e.error_name()))
}

/// Devices the driver sees, or why none can be used.
pub fn count() -> std::result::Result<usize, String> {
    // SAFETY: opens and closes the library.
    if !unsafe { sys::is_culib_present() } {
        return Err("no CUDA driver was found (libcuda.so.1 or nvcuda.dll)".into());
    }
    let mut version = 0;
    // SAFETY: the library is there, and has had this function since its first version.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result().map_err(words)?;
    if version < OLDEST {
        return Err(format!(
            "its driver is too old: it knows CUDA {}.{}, and 11.2 is needed",
            version / 1000,
            version % 1000 / 10
        ));
    }
    result::init().map_err(words)?;
    result::device::get_count().map(|n| n as usize).map_err(words)
}

impl Driver {
    /// The device of an index, or why it cannot be used.
    pub fn open(index: usize) -> Result<Driver> {
        let device = Device::Cuda(index);
        let unavailable = |why: String| Error::DeviceUnavailable { device, why };
        let there = count().map_err(unavailable)?;
        if index >= there {
            let s = if there == 1 { "" } else { "s" };
            return Err(unavailable(format!("the driver sees {there} device{s}")));
        }
        let driver = Driver::start(device, index).map_err(|e| unavailable(words(e)))?;
        let (major, minor) = driver.properties()?.compute_capability;
        if (major, minor) < OLDEST_DEVICE {
            let (a, b) = OLDEST_DEVICE;
            let why = format!(
                "{} has compute capability {major}.{minor}, and {a}.{b} is needed (Turing, 2018, or later)",
                driver.name()
            );
            return Err(unavailable(why));
        }
        Ok(driver)
    }

    fn start(device: Device, index: usize) -> std::result::Result<Driver, DriverError> {
        use sys::CUdevice_attribute::*;
        let id = result::device::get(index as i32)?;
        let name = result::device::get_name(id)?;
        // SAFETY: `id` is a device; the context stays retained for the program's life.
        unsafe {
            let attribute = |which| result::device::get_attribute(id, which);
            let context = result::primary_ctx::retain(id)?;
            result::ctx::set_current(context)?;
            let stream = result::stream::create(result::stream::StreamKind::NonBlocking)?;
            let pool = if attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)? != 0 {
                let pool = result::device::get_default_mem_pool(id)?;
                // Else every synchronisation gives all free memory back to the system.
                let mut keep = u64::MAX;
                let which = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
                result::mem_pool::set_attribute(pool, which, (&raw mut keep).cast())?;
                Some(pool)
            } else {
                None
            };
            let multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(1) as u32;
            let threads = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)?;
            let threads_per_multiprocessor = threads.max(THREADS as i32) as u32;
            Ok(Driver { device, name, context, stream, pool, multiprocessors, threads_per_multiprocessor })
        }
    }

    /// Which device this is.
    pub fn device(&self) -> Device {
        self.device
    }
    /// The device's name as the driver says it.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// How many blocks may surely run at once.
    pub fn multiprocessors(&self) -> u32 {
        self.multiprocessors
    }

    /// Threads that a multiprocessor holds.
    pub fn threads_per_multiprocessor(&self) -> u32 {
        self.threads_per_multiprocessor
    }

    /// All that the driver says of the device.
    pub fn properties(&self) -> Result<Properties> {
        use sys::CUdevice_attribute::*;
        let Device::Cuda(index) = self.device else { unreachable!("a driver of the CPU") };
        let id = result::device::get(index as i32).map_err(self.failed("looking up the device"))?;
        // SAFETY: `id` is a device. What a driver does not know of is an error, and 0 here.
        let attribute =
            |which| unsafe { result::device::get_attribute(id, which) }.unwrap_or(0).max(0) as u32;
        let mut version = 0;
        // SAFETY: the library is there, or this device would not be.
        unsafe { sys::cuDriverGetVersion(&mut version) }
            .result()
            .map_err(self.failed("asking for its version"))?;
        Ok(Properties {
            name: self.name.clone(),
            compute_capability: (
                attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
            ),
            multiprocessors: self.multiprocessors,
            threads_per_multiprocessor: self.threads_per_multiprocessor,
            clock_khz: attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
            memory_clock_khz: attribute(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE),
            memory_bus_bits: attribute(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH),
            // SAFETY: as above.
            memory_bytes: unsafe { result::device::total_mem(id) }.unwrap_or(0),
            cache_bytes: attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
            driver: (version as u32 / 1000, version as u32 % 1000 / 10),
        })
    }

    fn failed(&self, doing: &'static str) -> impl Fn(DriverError) -> Error {
        move |e| Error::Driver { device: self.device, doing, message: words(e) }
    }

    /// Makes this device's context the thread's, which others may have changed.
    fn bind(&self) -> Result {
        // SAFETY: the context is retained for the program's life.
        unsafe { result::ctx::set_current(self.context) }.map_err(self.failed("setting the context"))
    }

    /// Memory from this place in the stream on; `None` where there is none left.
    pub fn alloc(&self, bytes: usize) -> Result<Option<u64>> {
        self.bind()?;
        // SAFETY: a context is current, the stream is its.
        let made = unsafe {
            match self.pool {
                Some(_) => result::malloc_async(self.stream, bytes),
                None => result::malloc_sync(bytes),
            }
        };
        match made {
            Ok(address) => Ok(Some(address)),
            Err(e) if e.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Ok(None),
            Err(e) => Err(self.failed("allocating memory")(e)),
        }
    }

    /// Frees memory after the work that is in the stream.
    ///
    /// # Safety
    /// The address came from `alloc`, and is not used any more.
    pub unsafe fn free(&self, address: u64) -> Result {
        self.bind()?;
        // SAFETY: as promised.
        unsafe {
            match self.pool {
                Some(_) => result::free_async(address, self.stream),
                None => result::free_sync(address),
            }
        }
        .map_err(self.failed("freeing memory"))
    }

    /// Gives the memory that was freed back to the system.
    pub fn trim(&self) -> Result {
        self.synchronize()?;
        let Some(pool) = self.pool else { return Ok(()) };
        // SAFETY: the device's own pool.
        unsafe { result::mem_pool::trim_to(pool, 0) }.map_err(self.failed("freeing memory"))
    }

    /// Bytes of the device's memory: free, and in all.
    pub fn memory(&self) -> Result<(usize, usize)> {
        self.bind()?;
        result::mem_get_info().map_err(self.failed("asking for memory"))
    }

    /// Pinned memory of the host.
    pub fn alloc_host(&self, bytes: usize) -> Result<*mut u8> {
        self.bind()?;
        // SAFETY: a context is current.
        let made = unsafe { result::malloc_host(bytes, 0) };
        made.map(<*mut c_void>::cast).map_err(self.failed("pinning memory of the host"))
    }

    /// Waits for all work.
    pub fn synchronize(&self) -> Result {
        self.bind()?;
        // SAFETY: the stream lives for the program's life.
        unsafe { result::stream::synchronize(self.stream) }.map_err(self.failed("waiting for it"))
    }

    /// An event for [`record`](Self::record).
    pub fn event(&self) -> Result<Event> {
        self.bind()?;
        let made = result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING);
        made.map(Event).map_err(self.failed("making an event"))
    }
    /// The event happens when the work that is in the stream now is done.
    pub fn record(&self, event: &Event) -> Result {
        self.bind()?;
        // SAFETY: both are of this device and live.
        unsafe { result::event::record(event.0, self.stream) }.map_err(self.failed("recording an event"))
    }
    /// Waits for an event.
    pub fn wait(&self, event: &Event) -> Result {
        self.bind()?;
        // SAFETY: the event lives.
        unsafe { result::event::synchronize(event.0) }.map_err(self.failed("waiting for it"))
    }

    /// Copies to the device when the stream comes to it.
    ///
    /// # Safety
    /// The device's memory holds as many bytes, and the host's stays unchanged until then.
    pub unsafe fn to_device(&self, to: u64, from: &[u8]) -> Result {
        self.bind()?;
        // SAFETY: as promised.
        unsafe { result::memcpy_htod_async(to, from, self.stream) }.map_err(self.failed("copying to it"))
    }
    /// Copies to the host when the stream comes to it.
    ///
    /// # Safety
    /// The device's memory holds as many bytes, and the host's lives and is not touched until then.
    pub unsafe fn to_host(&self, to: &mut [u8], from: u64) -> Result {
        self.bind()?;
        // SAFETY: as promised.
        unsafe { result::memcpy_dtoh_async(to, from, self.stream) }.map_err(self.failed("copying from it"))
    }
    /// Copies inside the device.
    ///
    /// # Safety
    /// Both ranges are the device's memory and apart.
    pub unsafe fn on_device(&self, to: u64, from: u64, bytes: usize) -> Result {
        self.bind()?;
        // SAFETY: as promised.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream) }
            .map_err(self.failed("copying inside it"))
    }
    /// Sets bytes.
    ///
    /// # Safety
    /// The range is the device's memory.
    pub unsafe fn set(&self, to: u64, byte: u8, bytes: usize) -> Result {
        self.bind()?;
        // SAFETY: as promised.
        unsafe { result::memset_d8_async(to, byte, bytes, self.stream) }
            .map_err(self.failed("filling memory"))
    }

    /// The kernels of a text of PTX, which the driver compiles.
    pub fn load(&self, ptx: &str) -> Result<Module> {
        self.bind()?;
        let text = CString::new(ptx).expect("PTX has no zero bytes");
        // SAFETY: a text that ends with a zero byte.
        let module = unsafe { result::module::load_data(text.as_ptr().cast()) };
        module.map(Module).map_err(self.failed("compiling a kernel"))
    }

    /// A kernel of a module by name.
    pub fn function(&self, module: &Module, name: &str) -> Result<Function> {
        self.bind()?;
        let name = CString::new(name).expect("a kernel's name");
        // SAFETY: the module is never unloaded.
        let function = unsafe { result::module::get_function(module.0, name) };
        function.map(Function).map_err(self.failed("looking up a kernel"))
    }

    /// Puts a kernel into the stream.
    ///
    /// # Safety
    /// `arguments` point to what the kernel takes, in order, and those describe memory that it may touch.
    pub unsafe fn launch(
        &self,
        function: Function,
        grid: [u32; 3],
        threads: u32,
        arguments: &[*const c_void],
    ) -> Result {
        self.bind()?;
        let mut list = [ptr::null_mut(); 16];
        for (to, from) in list.iter_mut().zip(arguments) {
            *to = from.cast_mut();
        }
        let (grid, block) = ((grid[0], grid[1], grid[2]), (threads, 1, 1));
        let list = &mut list[..arguments.len()];
        // SAFETY: as promised; the arguments are read before this returns.
        unsafe { result::launch_kernel(function.0, grid, block, 0, self.stream, list) }
            .map_err(self.failed("launching a kernel"))
    }
}

/// Loaded kernels; never unloaded.
pub struct Module(sys::CUmodule);
// SAFETY: a handle that any thread may use.
unsafe impl Send for Module {}
