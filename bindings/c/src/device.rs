//! Devices.

use std::ffi::c_char;

use warpface::Device;

use crate::status::{Outcome, WarpfaceStatus, guard};
use crate::{give, here, place, take, text};

/// A device that runs networks: the processor, or a GPU.
pub struct WarpfaceDevice(pub Device);

/// Opens a device: "auto", "cpu", "wgpu", "cuda" or "cuda:1". `threads` is for the processor: 0 is one for each core at hand.
/// It is freed by warpface_device_free().
///
/// # Safety
/// `name` is a C string, and `device` a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_device_open(
    name: *const c_char,
    threads: usize,
    device: *mut *mut WarpfaceDevice,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (name, place) = unsafe { (text(name, "name")?, place(device, "device")?) };
        *place = give(WarpfaceDevice(open(name, threads)?));
        Ok(())
    })
}

fn open(name: &str, threads: usize) -> Outcome<Device> {
    let devices: warpface::backend::Devices = name.parse()?;
    if devices.are_several() {
        return Err(crate::Fault::usage(format!("device `{name}`: one is opened at a time")));
    }
    Ok(devices.open_or(|| warpface::backend::cpu::Cpu::new(threads))?.remove(0).1)
}

/// Frees a device.
///
/// # Safety
/// `device` is NULL, or was opened and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_device_free(device: *mut WarpfaceDevice) {
    // SAFETY: the caller's promise.
    unsafe { take(device) }
}

/// Writes what the device is in words, such as "cpu: AMD EPYC (AVX-512)", as far as `size` bytes have room, with a zero behind.
///
/// # Safety
/// `device` is a device, and `words` has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_device_words(
    device: *const WarpfaceDevice,
    words: *mut c_char,
    size: usize,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let device = unsafe { here(device, "device")? };
        if words.is_null() || size == 0 {
            return Err(crate::Fault::usage("words has no room"));
        }
        let all = device.0.to_string();
        let end = (0..size).rev().find(|&end| all.is_char_boundary(end)).unwrap_or(0).min(all.len());
        // SAFETY: `end` is below `size`.
        unsafe {
            std::ptr::copy_nonoverlapping(all.as_ptr(), words.cast(), end);
            *words.add(end) = 0;
        }
        Ok(())
    })
}
