//! The real driver: libcuda, loaded when it is first asked for.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null, null_mut, without_provenance_mut};
use std::sync::{Mutex, PoisonError};

use cudarc::driver::sys::{self, CUresult};

use super::driver::{Driver, EncodedMap, EventId, GraphId, KernelId, KernelLaunch, ModuleId, Properties, Stream};
use crate::backend::gpu::{MapElement, TensorMap, Window};
use crate::error::{Field, message};
use crate::{Error, Result};

/// What chooses another device.
const DEVICE: Field = Field("device");

/// The oldest driver that compiles the shipped PTX (ISA 8.4), as the driver tells its version.
const OLDEST: i32 = 12_040;
const OLDEST_NAME: &str = "12.4 (Linux driver 550 or later)";

/// What the backend calls: a library without one of these is of a driver too old.
const SYMBOLS: [&str; 43] = [
    "cuInit",
    "cuDriverGetVersion",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxSetCurrent",
    "cuModuleLoadDataEx",
    "cuModuleUnload",
    "cuModuleGetFunction",
    "cuFuncSetAttribute",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemsetD32Async",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
    "cuStreamBeginCapture_v2",
    "cuStreamEndCapture",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuGraphExecDestroy",
    "cuLaunchKernel",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuEventQuery",
    "cuEventElapsedTime",
    "cuEventDestroy_v2",
    "cuGraphDestroy",
    "cuTensorMapEncodeTiled",
    "cuTensorMapEncodeIm2col",
    "cuGetErrorString",
];

thread_local! {
    /// The stream that this thread captures on, in place of the compute stream: what other threads submit meanwhile
    /// must run, not be captured.
    static CAPTURE: Cell<sys::CUstream> = const { Cell::new(null_mut()) };
}

/// A device of libcuda.
pub struct LibCuda {
    properties: Properties,
    device: sys::CUdevice,
    context: sys::CUcontext,
    compute: sys::CUstream,
    copy: sys::CUstream,
    modules: Mutex<HashMap<u64, String>>,
}

// SAFETY: handles of the driver may be used from any thread whose current context is theirs; every call sets it.
unsafe impl Send for LibCuda {}
// SAFETY: as above.
unsafe impl Sync for LibCuda {}

impl fmt::Debug for LibCuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LibCuda({})", self.properties.name)
    }
}

/// The driver's words for a result.
fn words(result: CUresult) -> String {
    let mut text: *const c_char = null();
    // SAFETY: gives a static string, or leaves null.
    unsafe { sys::cuGetErrorString(result, &mut text) };
    match text.is_null() {
        true => format!("{result:?}"),
        // SAFETY: the driver's own null-terminated string.
        false => format!("{} ({result:?})", unsafe { CStr::from_ptr(text) }.to_string_lossy()),
    }
}

fn attribute(device: sys::CUdevice, which: sys::CUdevice_attribute) -> u32 {
    let mut value = 0;
    // SAFETY: writes one integer.
    unsafe { sys::cuDeviceGetAttribute(&mut value, which, device) };
    value.max(0) as u32
}

/// Whether the driver is there, whole, and new enough.
fn check_library() -> Result<i32> {
    // SAFETY: loads libcuda, whose initialisers do nothing of ours.
    if !unsafe { sys::is_culib_present() } {
        let absent = "no NVIDIA driver: libcuda is not on this machine; install the driver (550 or later), or use ";
        return Err(Error::device("cuda", message![absent, DEVICE, " wgpu or ", DEVICE, " cpu"]));
    }
    // SAFETY: present, as just seen; symbols are looked up, not called.
    let absent =
        SYMBOLS.into_iter().find(|name| unsafe { sys::culib().get::<*const c_void>(name.as_bytes()).is_err() });
    if let Some(name) = absent {
        let old = "the NVIDIA driver is too old";
        let problem = format!("{old}: it has no {name}; install one of CUDA {OLDEST_NAME}, or use ");
        return Err(Error::device("cuda", message![problem, DEVICE, " wgpu"]));
    }
    let mut version = 0;
    // SAFETY: writes one integer.
    unsafe { sys::cuDriverGetVersion(&mut version) };
    if version < OLDEST {
        let (major, minor) = (version / 1000, version % 1000 / 10);
        let problem = format!(
            "the NVIDIA driver is too old: it is of CUDA {major}.{minor}, the kernels need CUDA {OLDEST_NAME}; update \
             it, or use "
        );
        return Err(Error::device("cuda", message![problem, DEVICE, " wgpu"]));
    }
    Ok(version)
}

/// Starts the driver, and says of which CUDA version it is and how many GPUs there are.
fn start() -> Result<(i32, usize)> {
    let version = check_library()?;
    // SAFETY: initialises the driver; harmless when repeated.
    match unsafe { sys::cuInit(0) } {
        CUresult::CUDA_SUCCESS => {}
        CUresult::CUDA_ERROR_NO_DEVICE => {
            let problem = "the driver is there, but no NVIDIA GPU (or CUDA_VISIBLE_DEVICES hides it); use ";
            return Err(Error::device("cuda", message![problem, DEVICE, " wgpu or ", DEVICE, " cpu"]));
        }
        result => {
            let what = "the NVIDIA driver does not start; look at `nvidia-smi`, or use ";
            return Err(Error::device("cuda", message![what, DEVICE, format!(" cpu: {}", words(result))]));
        }
    }
    let mut count = 0;
    // SAFETY: writes one integer.
    unsafe { sys::cuDeviceGetCount(&mut count) };
    Ok((version, count.max(0) as usize))
}

impl LibCuda {
    /// How many GPUs there are.
    ///
    /// # Errors
    /// [`Error::Device`] says what of driver and device is missing or too old.
    pub fn count() -> Result<usize> {
        Ok(start()?.1)
    }

    /// Opens a device by its number.
    ///
    /// # Errors
    /// [`Error::Device`] says which of driver and device is missing or too old.
    pub fn open(ordinal: usize) -> Result<LibCuda> {
        let (version, count) = start()?;
        let problem = |what: &str, result: CUresult| Error::device("cuda", format!("{what}: {}", words(result)));
        if ordinal >= count {
            return Err(Error::device("cuda", format!("there is no GPU {ordinal}; {count} are there, counted from 0")));
        }
        let mut device = 0;
        let mut name = [0u8; 256];
        let mut memory = 0;
        let mut context = null_mut();
        // SAFETY: the ordinal exists; each call writes what it is given room for.
        unsafe {
            sys::cuDeviceGet(&mut device, ordinal as i32);
            sys::cuDeviceGetName(name.as_mut_ptr().cast(), name.len() as i32, device);
            sys::cuDeviceTotalMem_v2(&mut memory, device);
            let result = sys::cuDevicePrimaryCtxRetain(&mut context, device);
            if result != CUresult::CUDA_SUCCESS {
                return Err(problem("the GPU cannot be opened (is another program using it exclusively?)", result));
            }
        }
        use sys::CUdevice_attribute_enum as Attribute;
        let of = |which| attribute(device, which);
        let name = CStr::from_bytes_until_nul(&name).map_or_else(|_| "NVIDIA GPU".into(), CStr::to_string_lossy);
        let properties = Properties {
            name: name.into_owned(),
            capability: (
                of(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                of(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
            ),
            memory: memory as u64,
            driver: format!("CUDA {}.{}", version / 1000, version % 1000 / 10),
            multiprocessors: of(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            l2: of(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
        };
        let mut opened =
            LibCuda { properties, device, context, compute: null_mut(), copy: null_mut(), modules: Mutex::default() };
        let flags = sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
        let (mut compute, mut copy) = (null_mut(), null_mut());
        opened.enter()?;
        // SAFETY: writes one handle each.
        opened.check("streams", unsafe { sys::cuStreamCreate(&mut compute, flags) })?;
        opened.compute = compute;
        // SAFETY: as above.
        opened.check("streams", unsafe { sys::cuStreamCreate(&mut copy, flags) })?;
        opened.copy = copy;
        Ok(opened)
    }

    /// Makes the device's context current in this thread.
    fn enter(&self) -> Result<()> {
        // SAFETY: the context lives as long as `self`.
        self.check("context", unsafe { sys::cuCtxSetCurrent(self.context) })
    }

    /// An error, if the driver gave one.
    fn check(&self, what: &str, result: CUresult) -> Result<()> {
        if result == CUresult::CUDA_SUCCESS { Ok(()) } else { Err(self.failure(what, result)) }
    }

    /// The driver's error as ours, with the way out where there is one.
    fn failure(&self, what: &str, result: CUresult) -> Error {
        let name = &self.properties.name;
        let lost = "the device is lost; start the program again, or go on with another device";
        match result {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => self.out_of_memory(what, None),
            CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU | CUresult::CUDA_ERROR_INVALID_PTX => {
                let (major, minor) = self.properties.capability;
                Error::device(
                    "cuda",
                    format!("{name}: {what}: no kernels for compute capability {major}.{minor}: {}", words(result)),
                )
            }
            CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => Error::device(
                "cuda",
                format!("{name}: the driver is too old for the kernels; install one of CUDA {OLDEST_NAME}"),
            ),
            // After these nothing of the context can be used.
            CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
            | CUresult::CUDA_ERROR_MISALIGNED_ADDRESS
            | CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUresult::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | CUresult::CUDA_ERROR_INVALID_PC
            | CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUresult::CUDA_ERROR_ASSERT
            | CUresult::CUDA_ERROR_LAUNCH_TIMEOUT
            | CUresult::CUDA_ERROR_ECC_UNCORRECTABLE
            | CUresult::CUDA_ERROR_LAUNCH_FAILED => {
                Error::DeviceLost { device: name.clone(), problem: format!("{what}: {}; {lost}", words(result)) }
            }
            result => Error::device("cuda", format!("{name}: {what}: {}", words(result))),
        }
    }

    /// Compiles PTX, for a target or for the device; with what the compiler said.
    fn compile(&self, ptx: &CStr, target: Option<sys::CUjit_target>) -> (Result<sys::CUmodule, CUresult>, String) {
        use sys::CUjit_option_enum as Jit;
        let mut log = vec![0u8; 8192];
        let mut options = vec![Jit::CU_JIT_ERROR_LOG_BUFFER, Jit::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        let mut values: Vec<*mut c_void> = vec![log.as_mut_ptr().cast(), without_provenance_mut(log.len())];
        if let Some(target) = target {
            options.push(Jit::CU_JIT_TARGET);
            values.push(without_provenance_mut(target as usize));
        }
        let mut module = null_mut();
        // SAFETY: as many options as values; the log is as long as is said and outlives the call.
        let result = unsafe {
            let (count, options, values) = (options.len() as u32, options.as_mut_ptr(), values.as_mut_ptr());
            sys::cuModuleLoadDataEx(&mut module, ptx.as_ptr().cast(), count, options, values)
        };
        let said = CStr::from_bytes_until_nul(&log).map_or(String::new(), |log| log.to_string_lossy().into_owned());
        (if result == CUresult::CUDA_SUCCESS { Ok(module) } else { Err(result) }, said)
    }

    fn out_of_memory(&self, what: &str, asked: Option<usize>) -> Error {
        let (mut free, mut total) = (0, 0);
        // SAFETY: writes two integers; on failure they stay zero.
        unsafe { sys::cuMemGetInfo_v2(&mut free, &mut total) };
        Error::OutOfMemory {
            device: self.properties.name.clone(),
            what: what.to_owned(),
            asked: asked.unwrap_or(0) as u64,
            free: free as u64,
        }
    }

    fn stream(&self, stream: Stream) -> sys::CUstream {
        match (stream, CAPTURE.get()) {
            (Stream::Copy, _) => self.copy,
            (Stream::Compute, capturing) if !capturing.is_null() => capturing,
            (Stream::Compute, _) => self.compute,
        }
    }
}

impl Drop for LibCuda {
    fn drop(&mut self) {
        if self.enter().is_err() {
            return;
        }
        // SAFETY: memory and launches hold the driver, so nothing uses these any more.
        unsafe {
            for stream in [self.compute, self.copy].into_iter().filter(|stream| !stream.is_null()) {
                sys::cuStreamDestroy_v2(stream);
            }
            for &module in self.modules.lock().unwrap_or_else(PoisonError::into_inner).keys() {
                sys::cuModuleUnload(module as sys::CUmodule);
            }
            sys::cuDevicePrimaryCtxRelease_v2(self.device);
        }
    }
}

// SAFETY of all calls below: handles are the driver's own, lengths are those of the slices and allocations given, and
// out-pointers have room for what is written; what lives longer than a call is said in the trait.
impl Driver for LibCuda {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn load(&self, name: &str, ptx: &str) -> Result<ModuleId> {
        self.enter()?;
        let text = CString::new(ptx).map_err(|_| Error::device("cuda", format!("{name}: PTX with a zero byte")))?;
        let (mut module, mut said) = self.compile(&text, None);
        // The target should follow from the device; where a driver wants to be told, it is.
        let refused = [CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU, CUresult::CUDA_ERROR_INVALID_PTX];
        if module.is_err_and(|result| refused.contains(&result)) && ptx.contains(".target sm_90a") {
            (module, said) = self.compile(&text, Some(sys::CUjit_target_enum::CU_TARGET_COMPUTE_90A));
        }
        let module = match module {
            Ok(module) => module,
            Err(result) => return Err(self.failure(&format!("{name}: {said}"), result)),
        };
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).insert(module as u64, name.to_owned());
        Ok(ModuleId(module as u64))
    }

    fn kernel(&self, module: ModuleId, entry: &str, shared: u32) -> Result<KernelId> {
        self.enter()?;
        let name = CString::new(entry).map_err(|_| Error::device("cuda", format!("no kernel {entry:?}")))?;
        let mut kernel = null_mut();
        let result = unsafe { sys::cuModuleGetFunction(&mut kernel, module.0 as sys::CUmodule, name.as_ptr()) };
        self.check(&format!("kernel {entry}"), result)?;
        if shared > 0 {
            // A preference: as much as there is, so that as many blocks run beside each other as can.
            let carveout = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT;
            unsafe { sys::cuFuncSetAttribute(kernel, carveout, 100) };
            let which = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let result = unsafe { sys::cuFuncSetAttribute(kernel, which, shared as i32) };
            self.check(&format!("{entry} with {shared} bytes of shared memory"), result)?;
        }
        Ok(KernelId(kernel as u64))
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        self.enter()?;
        let mut address = 0;
        match unsafe { sys::cuMemAlloc_v2(&mut address, bytes) } {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => Err(self.out_of_memory("memory", Some(bytes))),
            result => self.check("memory", result).map(|()| address),
        }
    }

    fn release(&self, address: u64) {
        if self.enter().is_ok() {
            unsafe { sys::cuMemFree_v2(address) };
        }
    }

    fn allocate_pinned(&self, bytes: usize) -> Result<NonNull<u8>> {
        self.enter()?;
        let mut address = null_mut();
        self.check("pinned memory of the host", unsafe { sys::cuMemHostAlloc(&mut address, bytes, 0) })?;
        NonNull::new(address.cast()).ok_or_else(|| Error::device("cuda", "no pinned memory"))
    }

    unsafe fn release_pinned(&self, address: NonNull<u8>, _: usize) {
        if self.enter().is_ok() {
            unsafe { sys::cuMemFreeHost(address.as_ptr().cast()) };
        }
    }

    fn write(&self, to: u64, from: &[u8]) -> Result<()> {
        self.enter()?;
        // Memory that is not pinned has been copied, if not farther than to the driver's own, when the call returns.
        let result = unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.as_ptr().cast(), from.len(), self.compute) };
        self.check("upload", result)
    }

    unsafe fn upload(&self, stream: Stream, to: u64, from: &[u8]) -> Result<()> {
        self.enter()?;
        let result = unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.as_ptr().cast(), from.len(), self.stream(stream)) };
        self.check("upload", result)
    }

    unsafe fn download(&self, stream: Stream, to: &mut [u8], from: u64) -> Result<()> {
        self.enter()?;
        let result = unsafe { sys::cuMemcpyDtoHAsync_v2(to.as_mut_ptr().cast(), from, to.len(), self.stream(stream)) };
        self.check("download", result)
    }

    fn copy(&self, stream: Stream, to: u64, from: u64, bytes: usize) -> Result<()> {
        self.enter()?;
        self.check("copy", unsafe { sys::cuMemcpyDtoDAsync_v2(to, from, bytes, self.stream(stream)) })
    }

    fn clear(&self, stream: Stream, address: u64, bytes: usize) -> Result<()> {
        self.enter()?;
        self.check("clear", unsafe { sys::cuMemsetD32Async(address, 0, bytes / 4, self.stream(stream)) })
    }

    fn launch(&self, launch: &KernelLaunch) -> Result<()> {
        self.enter()?;
        let mut size = launch.args.len();
        // CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE and CU_LAUNCH_PARAM_END of cuda.h.
        let [buffer, buffer_size] = [1, 2].map(without_provenance_mut);
        let mut extra: [*mut c_void; 5] =
            [buffer, launch.args.as_ptr().cast_mut().cast(), buffer_size, (&raw mut size).cast(), null_mut()];
        let ([gx, gy, gz], [bx, by, bz]) = (launch.grid, launch.block);
        let (kernel, extra) = (launch.kernel.0 as sys::CUfunction, extra.as_mut_ptr());
        let stream = self.stream(Stream::Compute);
        let result =
            unsafe { sys::cuLaunchKernel(kernel, gx, gy, gz, bx, by, bz, launch.shared, stream, null_mut(), extra) };
        self.check("launch", result)
    }

    fn event(&self) -> Result<EventId> {
        self.enter()?;
        let mut event = null_mut();
        self.check("event", unsafe { sys::cuEventCreate(&mut event, 0) })?;
        Ok(EventId(event as u64))
    }

    fn release_event(&self, event: EventId) {
        if self.enter().is_ok() {
            unsafe { sys::cuEventDestroy_v2(event.0 as sys::CUevent) };
        }
    }

    fn record(&self, event: EventId, stream: Stream) -> Result<()> {
        self.enter()?;
        self.check("event", unsafe { sys::cuEventRecord(event.0 as sys::CUevent, self.stream(stream)) })
    }

    fn wait(&self, stream: Stream, event: EventId) -> Result<()> {
        self.enter()?;
        self.check("event", unsafe { sys::cuStreamWaitEvent(self.stream(stream), event.0 as sys::CUevent, 0) })
    }

    fn reach(&self, event: EventId) -> Result<()> {
        self.enter()?;
        self.check("running kernels", unsafe { sys::cuEventSynchronize(event.0 as sys::CUevent) })
    }

    fn reached(&self, event: EventId) -> Result<bool> {
        self.enter()?;
        match unsafe { sys::cuEventQuery(event.0 as sys::CUevent) } {
            CUresult::CUDA_ERROR_NOT_READY => Ok(false),
            result => self.check("running kernels", result).map(|()| true),
        }
    }

    fn elapsed(&self, from: EventId, to: EventId) -> Result<u64> {
        self.enter()?;
        let mut milliseconds = 0.0f32;
        let (from, to) = (from.0 as sys::CUevent, to.0 as sys::CUevent);
        self.check("event", unsafe { sys::cuEventElapsedTime(&mut milliseconds, from, to) })?;
        Ok((f64::from(milliseconds) * 1e6) as u64)
    }

    fn begin_capture(&self) -> Result<()> {
        self.enter()?;
        let mut stream = null_mut();
        let flags = sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
        self.check("capture", unsafe { sys::cuStreamCreate(&mut stream, flags) })?;
        let mode = sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        let result = unsafe { sys::cuStreamBeginCapture_v2(stream, mode) };
        if result == CUresult::CUDA_SUCCESS {
            CAPTURE.set(stream);
        } else {
            unsafe { sys::cuStreamDestroy_v2(stream) };
        }
        self.check("capture", result)
    }

    fn end_capture(&self) -> Result<GraphId> {
        self.enter()?;
        let stream = CAPTURE.replace(null_mut());
        let (mut graph, mut executable) = (null_mut(), null_mut());
        let result = unsafe { sys::cuStreamEndCapture(stream, &mut graph) };
        unsafe { sys::cuStreamDestroy_v2(stream) };
        self.check("capture", result)?;
        let result = unsafe { sys::cuGraphInstantiateWithFlags(&mut executable, graph, 0) };
        unsafe { sys::cuGraphDestroy(graph) };
        self.check("CUDA graph", result)?;
        Ok(GraphId(executable as u64))
    }

    fn replay(&self, graph: GraphId) -> Result<()> {
        self.enter()?;
        self.check("CUDA graph", unsafe { sys::cuGraphLaunch(graph.0 as sys::CUgraphExec, self.compute) })
    }

    fn release_graph(&self, graph: GraphId) {
        if self.enter().is_ok() {
            unsafe { sys::cuGraphExecDestroy(graph.0 as sys::CUgraphExec) };
        }
    }

    fn synchronize(&self, stream: Stream) -> Result<()> {
        self.enter()?;
        self.check("running kernels", unsafe { sys::cuStreamSynchronize(self.stream(stream)) })
    }

    fn encode(&self, map: &TensorMap) -> Result<EncodedMap> {
        self.enter()?;
        use sys::CUtensorMapDataType_enum as Type;
        use sys::CUtensorMapSwizzle_enum as Swizzle;
        let element = match map.element {
            MapElement::F16 => Type::CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
            MapElement::Bf16 => Type::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
            MapElement::F32 => Type::CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
        };
        let swizzle = match map.swizzle {
            128 => Swizzle::CU_TENSOR_MAP_SWIZZLE_128B,
            64 => Swizzle::CU_TENSOR_MAP_SWIZZLE_64B,
            32 => Swizzle::CU_TENSOR_MAP_SWIZZLE_32B,
            _ => Swizzle::CU_TENSOR_MAP_SWIZZLE_NONE,
        };
        let interleave = sys::CUtensorMapInterleave_enum::CU_TENSOR_MAP_INTERLEAVE_NONE;
        let promotion = sys::CUtensorMapL2promotion_enum::CU_TENSOR_MAP_L2_PROMOTION_L2_128B;
        let fill = sys::CUtensorMapFloatOOBfill_enum::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
        let rank = map.dims.len() as u32;
        let address = map.address as *mut c_void;
        let (dims, strides) = (map.dims.as_ptr(), map.strides.as_ptr());
        let mut encoded = MaybeUninit::<sys::CUtensorMap>::zeroed();
        let result = match &map.window {
            Window::Tiled(extents) => {
                let steps = vec![1u32; map.dims.len()];
                let (to, extents, steps) = (encoded.as_mut_ptr(), extents.as_ptr(), steps.as_ptr());
                unsafe {
                    sys::cuTensorMapEncodeTiled(
                        to, element, rank, address, dims, strides, extents, steps, interleave, swizzle, promotion, fill,
                    )
                }
            }
            &Window::Im2col { lower, upper, channels, pixels, stride } => {
                let steps = [1, stride[0], stride[1], 1];
                let to = encoded.as_mut_ptr();
                unsafe {
                    sys::cuTensorMapEncodeIm2col(
                        to,
                        element,
                        rank,
                        address,
                        dims,
                        strides,
                        lower.as_ptr(),
                        upper.as_ptr(),
                        channels,
                        pixels,
                        steps.as_ptr(),
                        interleave,
                        swizzle,
                        promotion,
                        fill,
                    )
                }
            }
        };
        self.check("tensor map", result)?;
        const { assert!(size_of::<sys::CUtensorMap>() == size_of::<EncodedMap>()) };
        // SAFETY: written by the driver, zeroed before; plain data of the same size.
        Ok(unsafe { std::mem::transmute_copy(&encoded) })
    }
}
