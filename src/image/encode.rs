//! Pictures to files.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::ImageEncoder;
use image::codecs::png::PngEncoder;

use super::Rgb8;
use crate::{Error, Result, files};

/// The picture as a PNG file's bytes.
///
/// # Errors
/// If it is empty, or too large for PNG.
pub fn encode_png(src: &Rgb8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (width, height) = (extent(src.width())?, extent(src.height())?);
    PngEncoder::new(&mut bytes)
        .write_image(src.data(), width, height, image::ExtendedColorType::Rgb8)
        .map_err(|e| Error::invalid("a picture to be written as PNG", e.to_string()))?;
    Ok(bytes)
}

/// The picture as a JPEG file's bytes; `quality` is 1 to 100.
///
/// # Errors
/// If it is empty, or has a side longer than JPEG's 65500.
pub fn encode_jpeg(src: &Rgb8, quality: u8) -> Result<Vec<u8>> {
    let wrong = |problem: String| Error::invalid("a picture to be written as JPEG", problem);
    let sides = 1..=65500;
    if !sides.contains(&src.width()) || !sides.contains(&src.height()) {
        return Err(wrong(format!("{} x {} pixels: each side must be 1 to 65500", src.width(), src.height())));
    }
    let encode = || {
        let mut jpeg = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
        jpeg.set_size(src.width(), src.height());
        jpeg.set_fastest_defaults();
        jpeg.set_quality(f32::from(quality.clamp(1, 100)));
        let mut started = jpeg.start_compress(Vec::new())?;
        started.write_scanlines(src.data())?;
        started.finish()
    };
    // libjpeg's errors unwind.
    match catch_unwind(AssertUnwindSafe(encode)) {
        Ok(bytes) => bytes.map_err(|e| wrong(e.to_string())),
        Err(_) => Err(wrong("libjpeg could not encode it".to_owned())),
    }
}

/// Writes a PNG file, whole or not at all.
///
/// # Errors
/// As [`encode_png`], and when the file cannot be written.
pub fn save_png(path: impl AsRef<Path>, src: &Rgb8) -> Result<()> {
    let path = path.as_ref();
    files::write(path, encode_png(src)?)
}

/// Writes a JPEG file of this quality (1 to 100), whole or not at all.
///
/// # Errors
/// As [`encode_jpeg`], and when the file cannot be written.
pub fn save_jpeg(path: impl AsRef<Path>, src: &Rgb8, quality: u8) -> Result<()> {
    let path = path.as_ref();
    files::write(path, encode_jpeg(src, quality)?)
}

fn extent(pixels: usize) -> Result<u32> {
    u32::try_from(pixels)
        .ok()
        .filter(|&n| n > 0)
        .ok_or_else(|| Error::invalid("a picture to be written", format!("a side of {pixels} pixels")))
}
