//! The run-time compiler's library, called here at development time.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use anyhow::{Context, Result, anyhow, bail, ensure};
use libloading::Library;

use super::source::Sources;

type Program = *mut c_void;
type CreateProgram = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type CompileProgram = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type GetSize = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type GetText = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
type DestroyProgram = unsafe extern "C" fn(*mut Program) -> c_int;
type ErrorString = unsafe extern "C" fn(c_int) -> *const c_char;

/// The compiler's functions; the library stays loaded as long as they are there.
pub struct Nvrtc {
    create: CreateProgram,
    compile: CompileProgram,
    log_size: GetSize,
    log: GetText,
    ptx_size: GetSize,
    ptx: GetText,
    destroy: DestroyProgram,
    error: ErrorString,
    _library: Library,
}

impl Nvrtc {
    /// Loads the library from the folder that it is installed in.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("libnvrtc.so.12");
        // SAFETY: the library is the pinned package's own, whose initializers ask nothing of the caller.
        let library = unsafe { Library::new(&path) }.with_context(|| format!("cannot load {}", path.display()))?;
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the type is that of the function's declaration in nvrtc.h of this version.
                *unsafe { library.get($name) }.with_context(|| format!("in {}", path.display()))?
            };
        }
        Ok(Nvrtc {
            create: function!(b"nvrtcCreateProgram\0"),
            compile: function!(b"nvrtcCompileProgram\0"),
            log_size: function!(b"nvrtcGetProgramLogSize\0"),
            log: function!(b"nvrtcGetProgramLog\0"),
            ptx_size: function!(b"nvrtcGetPTXSize\0"),
            ptx: function!(b"nvrtcGetPTX\0"),
            destroy: function!(b"nvrtcDestroyProgram\0"),
            error: function!(b"nvrtcGetErrorString\0"),
            _library: library,
        })
    }

    /// The PTX of a file; headers are taken from memory, so that no path of this machine reaches the compiler.
    pub fn compile(&self, sources: &Sources, path: &str, target: &str, flags: &[&str]) -> Result<String> {
        let text = CString::new(sources.text(path)?)?;
        let name = CString::new(path)?;
        let strings = |texts: Vec<&str>| texts.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>();
        let (names, texts): (Vec<&str>, Vec<&str>) = sources.headers().unzip();
        let (names, texts) = (strings(names)?, strings(texts)?);
        let architecture = format!("--gpu-architecture={}", architecture(target));
        let flags = strings(flags.iter().copied().chain([architecture.as_str()]).collect())?;
        let pointers = |strings: &[CString]| strings.iter().map(|string| string.as_ptr()).collect::<Vec<_>>();
        let (name_pointers, text_pointers, flag_pointers) = (pointers(&names), pointers(&texts), pointers(&flags));

        let mut program = Started { nvrtc: self, program: ptr::null_mut() };
        // SAFETY: the strings end in zeros and outlive the program; each count is that of its array.
        self.check(unsafe {
            (self.create)(
                &mut program.program,
                text.as_ptr(),
                name.as_ptr(),
                name_pointers.len() as c_int,
                text_pointers.as_ptr(),
                name_pointers.as_ptr(),
            )
        })?;
        // SAFETY: the program was created above.
        let done = unsafe { (self.compile)(program.program, flag_pointers.len() as c_int, flag_pointers.as_ptr()) };
        let log = program.read(self.log_size, self.log)?;
        // A warning is an error: the kernels are to compile in silence.
        ensure!(log.trim().is_empty(), "{path} for {target}:\n{}", log.trim());
        self.check(done).with_context(|| format!("{path} for {target}"))?;
        program.read(self.ptx_size, self.ptx)
    }

    fn check(&self, result: c_int) -> Result<()> {
        if result == 0 {
            return Ok(());
        }
        // SAFETY: the function takes any number, and returns a text that is never freed.
        bail!("NVRTC: {}", unsafe { CStr::from_ptr((self.error)(result)) }.to_string_lossy())
    }
}

/// The compiler's name of a target.
fn architecture(target: &str) -> String {
    target.replace("sm_", "compute_")
}

/// A program that is freed in the end.
struct Started<'a> {
    nvrtc: &'a Nvrtc,
    program: Program,
}

impl Started<'_> {
    /// One of the program's texts.
    fn read(&self, size: GetSize, text: GetText) -> Result<String> {
        let mut bytes = 0;
        // SAFETY: the program was created.
        self.nvrtc.check(unsafe { size(self.program, &mut bytes) })?;
        let mut buffer = vec![0u8; bytes];
        // SAFETY: the buffer is as long as the library said, with the final zero.
        self.nvrtc.check(unsafe { text(self.program, buffer.as_mut_ptr().cast()) })?;
        let text = CStr::from_bytes_until_nul(&buffer).map_err(|_| anyhow!("NVRTC left a text without end"))?;
        Ok(text.to_str().context("NVRTC left a text that is not UTF-8")?.to_owned())
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if !self.program.is_null() {
            // SAFETY: the program was created, and is used no more.
            unsafe { (self.nvrtc.destroy)(&mut self.program) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_are_virtual() {
        assert_eq!(architecture("compute_75"), "compute_75");
        assert_eq!(architecture("sm_90a"), "compute_90a");
    }
}
