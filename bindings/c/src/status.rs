//! Errors on their way to C.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use warpface::{Error, ErrorKind};

/// What became of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarpfaceStatus {
    /// It was done.
    Ok = 0,
    /// The system refused a file operation.
    File = 1,
    /// A file's content makes no sense: a photograph or weights that are damaged, or of another kind.
    Data = 2,
    /// An option has a value that makes no sense.
    Field = 3,
    /// The call makes no sense: NULL, shapes that do not fit, an argument out of range.
    Usage = 4,
    /// A device is absent, lacks what was asked for, or failed.
    Device = 5,
    /// There is too little memory.
    Memory = 6,
    /// A fault of warpface's own. What was called can be called again.
    Fault = 7,
}

/// An error of a call.
pub struct Fault {
    status: WarpfaceStatus,
    words: String,
}

pub type Outcome<T = ()> = Result<T, Fault>;

impl Fault {
    pub fn usage(words: impl Into<String>) -> Fault {
        Fault { status: WarpfaceStatus::Usage, words: words.into() }
    }

    pub fn null(name: &str) -> Fault {
        Fault::usage(format!("{name} is NULL"))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        let status = match error.kind() {
            ErrorKind::File => WarpfaceStatus::File,
            ErrorKind::Data => WarpfaceStatus::Data,
            ErrorKind::Field => WarpfaceStatus::Field,
            ErrorKind::Device => WarpfaceStatus::Device,
            ErrorKind::Memory => WarpfaceStatus::Memory,
            _ => WarpfaceStatus::Usage,
        };
        Fault { status, words: error.to_string() }
    }
}

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::default();
}

/// Runs a call: nothing unwinds out of it.
pub fn guard(call: impl FnOnce() -> Outcome) -> WarpfaceStatus {
    let done = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let words = format!("a fault of warpface's own: {}", words_of(&*panic));
        // What it carried may itself panic when it is dropped.
        std::mem::forget(panic);
        Err(Fault { status: WarpfaceStatus::Fault, words })
    });
    match done {
        Ok(()) => WarpfaceStatus::Ok,
        Err(fault) => {
            let words = CString::new(fault.words.replace('\0', " ")).unwrap_or_default();
            MESSAGE.with(|message| *message.borrow_mut() = words);
            fault.status
        }
    }
}

/// Runs what returns nothing.
pub fn quiet(call: impl FnOnce()) {
    guard(|| {
        call();
        Ok(())
    });
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it has no words")
}

/// The words of the last failure of the calling thread, in UTF-8; empty where there was none. They stay until this thread's
/// next failure.
#[unsafe(no_mangle)]
pub extern "C" fn warpface_message() -> *const c_char {
    MESSAGE.with(|message| message.borrow().as_ptr())
}

/// The version of the library, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn warpface_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn message() -> String {
        // SAFETY: it is a C string until the next failure.
        unsafe { CStr::from_ptr(warpface_message()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn nothing_unwinds_and_each_thread_has_its_words() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        assert_eq!(guard(|| panic!("on purpose {}", 1)), WarpfaceStatus::Fault);
        std::panic::set_hook(hook);
        assert!(message().contains("on purpose 1"));
        std::thread::spawn(|| {
            assert_eq!(message(), "");
            assert_eq!(guard(|| Err(Fault::usage("one\0two"))), WarpfaceStatus::Usage);
            assert_eq!(message(), "one two");
        })
        .join()
        .unwrap();
        assert_eq!(guard(|| Ok(())), WarpfaceStatus::Ok);
        assert!(message().contains("on purpose 1"));
    }
}
