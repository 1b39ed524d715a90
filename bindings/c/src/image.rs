//! Pixels.

use std::ffi::c_char;
use std::path::Path;

use warpface::image::{self, Limits, Rgb8};

use crate::status::{Fault, WarpfaceStatus, guard};
use crate::{give, here, place, slice, take, text};

/// A picture: 8-bit RGB, row by row without gaps.
pub struct WarpfaceImage(pub Rgb8);

/// Reads a photograph from a file, of any format that warpface knows, upright.
///
/// # Safety
/// `path` is a C string, and `image` a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_image_read(path: *const c_char, image: *mut *mut WarpfaceImage) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (path, place) = unsafe { (text(path, "path")?, place(image, "image")?) };
        *place = give(WarpfaceImage(image::decode(path)?));
        Ok(())
    })
}

/// Reads a photograph from the bytes of a file.
///
/// # Safety
/// `bytes` has `size` bytes, and `image` is a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_image_decode(
    bytes: *const u8,
    size: usize,
    image: *mut *mut WarpfaceImage,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (bytes, place) = unsafe { (slice(bytes, size, "bytes")?, place(image, "image")?) };
        *place = give(WarpfaceImage(image::decode_bytes(Path::new("bytes"), bytes, &Limits::default())?));
        Ok(())
    })
}

/// Makes a picture of pixels, which are copied: RGB, a row every `stride` bytes, at least three times `width`.
///
/// # Safety
/// `pixels` has `height` rows of `stride` bytes (of the last one three times `width`), and `image` is a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_image_copy(
    pixels: *const u8,
    width: usize,
    height: usize,
    stride: usize,
    image: *mut *mut WarpfaceImage,
) -> WarpfaceStatus {
    guard(|| {
        let wrong = || Fault::usage(format!("{width} x {height} pixels with rows of {stride} bytes make no picture"));
        let row = width.checked_mul(3).filter(|&row| row > 0 && row <= stride).ok_or_else(wrong)?;
        let before = height.checked_sub(1).and_then(|rows| rows.checked_mul(stride));
        let size = before.and_then(|before| before.checked_add(row)).filter(|&size| size <= isize::MAX as usize);
        // SAFETY: the caller's promise.
        let (bytes, place) = unsafe { (slice(pixels, size.ok_or_else(wrong)?, "pixels")?, place(image, "image")?) };
        let data = bytes.chunks(stride).flat_map(|line| &line[..row]).copied().collect();
        *place = give(WarpfaceImage(Rgb8::new(width, height, data)));
        Ok(())
    })
}

/// Columns of a picture; 0 of NULL.
///
/// # Safety
/// `image` is NULL or a picture.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_image_width(image: *const WarpfaceImage) -> usize {
    // SAFETY: the caller's promise.
    unsafe { here(image, "image") }.map_or(0, |image| image.0.width())
}

/// Rows of a picture; 0 of NULL.
///
/// # Safety
/// `image` is NULL or a picture.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_image_height(image: *const WarpfaceImage) -> usize {
    // SAFETY: the caller's promise.
    unsafe { here(image, "image") }.map_or(0, |image| image.0.height())
}

/// A picture's pixels, which live as long as it: height x width x 3 bytes; NULL of NULL.
///
/// # Safety
/// `image` is NULL or a picture.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_image_pixels(image: *const WarpfaceImage) -> *const u8 {
    // SAFETY: the caller's promise.
    unsafe { here(image, "image") }.map_or(std::ptr::null(), |image| image.0.data().as_ptr())
}

/// Frees a picture.
///
/// # Safety
/// `image` is NULL, or was made and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_image_free(image: *mut WarpfaceImage) {
    // SAFETY: the caller's promise.
    unsafe { take(image) }
}
