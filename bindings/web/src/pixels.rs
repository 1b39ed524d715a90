//! Pixels as a canvas holds them.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use warpface::image::Rgb8;

/// RGBA to RGB: transparency is dropped, as the library's decoders do.
pub fn rgb(rgba: &Uint8Array, width: usize, height: usize) -> Result<Rgb8, JsError> {
    let expected = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(4));
    if expected != Some(rgba.length() as usize) || expected == Some(0) {
        let problem = format!("a picture of {width} x {height} has {} bytes, not four for each pixel", rgba.length());
        return Err(JsError::new(&problem));
    }
    let rgba = rgba.to_vec();
    let rgb = rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Ok(Rgb8::new(width, height, rgb))
}
