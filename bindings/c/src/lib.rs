//! warpface for C: a thin skin over the library. `warpface.h` is made of this by cbindgen.
//!
//! Every function runs in [`guard`], which turns errors and panics into a status and a message of the calling thread.

mod detect;
mod device;
mod embed;
mod graph;
mod image;
mod status;

use std::ffi::{CStr, c_char};

use status::{Fault, Outcome};

/// What a pointer points to, or an error that names it.
///
/// # Safety
/// Where it is not null it is a valid pointer to a `T` that nobody writes to, for as long as `'a`.
unsafe fn here<'a, T>(pointer: *const T, name: &str) -> Outcome<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| Fault::null(name))
}

/// The same of what is written to.
///
/// # Safety
/// Where it is not null it is a valid pointer to a `T` that nobody else uses, for as long as `'a`.
unsafe fn place<'a, T>(pointer: *mut T, name: &str) -> Outcome<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| Fault::null(name))
}

/// Values that lie one behind the other; none where there are none, whatever the pointer.
///
/// # Safety
/// Where it is not null there are `len` valid values of `T` that nobody writes to, for as long as `'a`.
unsafe fn slice<'a, T>(pointer: *const T, len: usize, name: &str) -> Outcome<&'a [T]> {
    match (pointer.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Fault::null(name)),
        // SAFETY: the caller's promise.
        _ => Ok(unsafe { std::slice::from_raw_parts(pointer, len) }),
    }
}

/// Text that ends in a zero.
///
/// # Safety
/// Where it is not null it is a valid C string, for as long as `'a`.
unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Outcome<&'a str> {
    if pointer.is_null() {
        return Err(Fault::null(name));
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Fault::usage(format!("{name} is no UTF-8")))
}

/// Hands a handle out.
fn give<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Takes a handle back, and drops it.
///
/// # Safety
/// Where it is not null it came from [`give`], and is not used any more.
unsafe fn take<T>(handle: *mut T) {
    status::quiet(|| {
        if !handle.is_null() {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(handle) });
        }
    });
}
