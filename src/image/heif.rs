//! HEIC and AVIF, by the system's libheif.

use libheif_rs::{ColorSpace, HeifContext, LibHeif, RgbChroma};

/// The primary picture: width, height and RGB bytes, turned and mirrored as the file says. `accept` is asked before anything
/// is decoded.
///
/// # Errors
/// What libheif says, such as that it has no decoder for this codec.
pub fn decode(bytes: &[u8], accept: impl Fn(u64, u64) -> Result<(), String>) -> Result<(u32, u32, Vec<u8>), String> {
    let context = HeifContext::read_from_bytes(bytes).map_err(words)?;
    let handle = context.primary_image_handle().map_err(words)?;
    accept(handle.width().into(), handle.height().into())?;
    let picture = LibHeif::new().decode(&handle, ColorSpace::Rgb(RgbChroma::Rgb), None).map_err(words)?;
    let plane = picture.planes().interleaved.ok_or("libheif gave no RGB")?;
    accept(plane.width.into(), plane.height.into())?;
    let row = plane.width as usize * 3;
    let rows = plane.data.chunks(plane.stride.max(1)).take(plane.height as usize);
    let pixels: Vec<u8> = rows.flat_map(|line| &line[..row.min(line.len())]).copied().collect();
    Ok((plane.width, plane.height, pixels))
}

/// The picture's width and height, from its header.
///
/// # Errors
/// As [`decode`].
pub fn dimensions(bytes: &[u8]) -> Result<(u32, u32), String> {
    let context = HeifContext::read_from_bytes(bytes).map_err(words)?;
    let handle = context.primary_image_handle().map_err(words)?;
    Ok((handle.width(), handle.height()))
}

fn words(error: libheif_rs::HeifError) -> String {
    format!("libheif cannot decode it: {}; convert it to JPEG or PNG", error.message.trim())
}
