//! Files to pictures. The format is told by content, never by suffix.

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::{Rgb8, jpeg};
use crate::{Error, Result};

/// What is too large to be decoded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pixels of one picture (default 2^28, 268 megapixels).
    pub max_pixels: u64,
    /// Bytes of one file (default 2^30).
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_pixels: 1 << 28, max_bytes: 1 << 30 }
    }
}

impl Limits {
    fn check(&self, width: u64, height: u64) -> Result<(), String> {
        if width == 0 || height == 0 {
            return Err(format!("its header says {width} x {height} pixels: there is no picture in it"));
        }
        if width.checked_mul(height).is_none_or(|pixels| pixels > self.max_pixels) {
            let most = self.max_pixels;
            return Err(format!("its header says {width} x {height} pixels, and {most} are the most; make it smaller"));
        }
        Ok(())
    }
}

/// Reads a photograph: JPEG, PNG, GIF, WebP, BMP, TIFF or PNM; with the feature `heif` HEIC and AVIF, too.
///
/// JPEG gives libjpeg's pixels. The EXIF orientation is applied. Grey is repeated into three equal channels; CMYK
/// becomes RGB as in Pillow. Alpha is dropped, not composed, as the original's `img[:, :, 0:3]` does. Of 16-bit
/// samples the high byte counts. Of an animation the first frame is taken.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Image`] for all that is not a whole picture within
/// [`Limits::default`].
pub fn decode(path: impl AsRef<Path>) -> Result<Rgb8> {
    let path = path.as_ref();
    let limits = Limits::default();
    decode_bytes(path, &read(path, &limits)?, &limits)
}

/// [`decode`] of bytes that are in memory; `path` is for messages.
///
/// # Errors
/// As [`decode`].
pub fn decode_bytes(path: impl AsRef<Path>, bytes: &[u8], limits: &Limits) -> Result<Rgb8> {
    let path = path.as_ref();
    guarded(path, || match Format::of(bytes)? {
        Format::Jpeg => {
            let accept = |header: &jpeg::Header| limits.check(header.width as u64, header.height as u64);
            let (header, data) = jpeg::decode(bytes, accept)?;
            oriented(header.width as u32, header.height as u32, data, header.orientation)
        }
        #[cfg(feature = "heif")]
        Format::Heif => {
            let (width, height, data) = super::heif::decode(bytes, |width, height| limits.check(width, height))?;
            oriented(width, height, data, Orientation::NoTransforms)
        }
        Format::Other(format) => {
            let mut decoder = decoder(bytes, format, limits)?;
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            let (width, height) = decoder.dimensions();
            let picture = DynamicImage::from_decoder(decoder).map_err(|e| undecodable(format, &e))?;
            oriented(width, height, rgb(picture), orientation)
        }
    })
}

/// A photograph's `(width, height)` as [`decode`] gives it, from its header.
///
/// # Errors
/// As [`decode`], as far as the header shows it.
pub fn dimensions(path: impl AsRef<Path>) -> Result<(usize, usize)> {
    let path = path.as_ref();
    let limits = Limits::default();
    dimensions_bytes(path, &read(path, &limits)?, &limits)
}

/// [`dimensions`] of bytes that are in memory; `path` is for messages.
///
/// # Errors
/// As [`dimensions`].
pub fn dimensions_bytes(path: impl AsRef<Path>, bytes: &[u8], limits: &Limits) -> Result<(usize, usize)> {
    let path = path.as_ref();
    guarded(path, || {
        let (width, height, orientation) = match Format::of(bytes)? {
            Format::Jpeg => {
                let header = jpeg::header(bytes)?;
                limits.check(header.width as u64, header.height as u64)?;
                (header.width, header.height, header.orientation)
            }
            #[cfg(feature = "heif")]
            Format::Heif => {
                let (width, height) = super::heif::dimensions(bytes)?;
                limits.check(width.into(), height.into())?;
                (width as usize, height as usize, Orientation::NoTransforms)
            }
            Format::Other(format) => {
                let mut decoder = decoder(bytes, format, limits)?;
                let (width, height) = decoder.dimensions();
                (width as usize, height as usize, decoder.orientation().unwrap_or(Orientation::NoTransforms))
            }
        };
        // EXIF's 5 to 8 lie on their side.
        Ok(if orientation.to_exif() >= 5 { (height, width) } else { (width, height) })
    })
}

/// Whether bytes begin as a picture that can be decoded here.
#[cfg(feature = "serve")]
pub(crate) fn is_known(bytes: &[u8]) -> bool {
    Format::of(bytes).is_ok()
}

/// Problems become [`Error::Image`], and so does a decoder's panic: one bad file must not stop the others.
fn guarded<R>(path: &Path, work: impl FnOnce() -> Result<R, String>) -> Result<R> {
    let unexpected = |_| Err("its decoder failed unexpectedly; save the photograph again from its source".to_owned());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(unexpected).map_err(|problem| Error::image(path, problem))
}

fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::image(path, "it is a folder, not a photograph"));
    }
    let mut bytes = Vec::new();
    file.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
    if let Some(what) = super::foreign(&bytes).filter(|_| bytes.len() as u64 > limits.max_bytes) {
        return Err(Error::image(path, format!("no photograph, but {what}")));
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(Error::image(path, format!("it is longer than {} bytes, the most for one file", limits.max_bytes)));
    }
    Ok(bytes)
}

enum Format {
    Jpeg,
    /// HEIC or AVIF.
    #[cfg(feature = "heif")]
    Heif,
    Other(ImageFormat),
}

impl Format {
    fn of(bytes: &[u8]) -> Result<Format, String> {
        use ImageFormat::{Bmp, Gif, Png, Pnm, Tiff, WebP};
        let unsupported = |name: &str| Err(format!("{name} is not supported; convert it to JPEG or PNG"));
        #[cfg(feature = "heif")]
        let heif = |_: &str| Ok(Format::Heif);
        #[cfg(not(feature = "heif"))]
        let heif = |name: &str| {
            Err(format!("{name} is not supported; convert it to JPEG or PNG, or build with the feature heif"))
        };
        Ok(match bytes {
            [] => return Err("the file is empty; fetch or copy it again".to_owned()),
            [0xff, 0xd8, 0xff, ..] => Format::Jpeg,
            [0x89, b'P', b'N', b'G', ..] => Format::Other(Png),
            [b'G', b'I', b'F', b'8', ..] => Format::Other(Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Format::Other(WebP),
            // Bytes 6 to 9 are reserved zeros; without them any text with these initials would pass.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Format::Other(Bmp),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Format::Other(Tiff),
            [b'P', b'1'..=b'7', white, ..] if white.is_ascii_whitespace() => Format::Other(Pnm),
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4) {
                Some(b"avif" | b"avis") => return heif("AVIF"),
                Some(b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1") => {
                    return heif("HEIC");
                }
                _ => return unsupported("this MP4-like container (a video?)"),
            },
            [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => return unsupported("JPEG XL"),
            [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => {
                return unsupported("JPEG 2000");
            }
            [b'8', b'B', b'P', b'S', ..] => return unsupported("Photoshop's PSD"),
            [b'%', b'P', b'D', b'F', ..] => return unsupported("PDF"),
            _ if super::foreign(bytes).is_some() => {
                return Err(format!("no photograph, but {}", super::foreign(bytes).unwrap_or_default()));
            }
            _ => {
                let first = bytes[..bytes.len().min(8)].escape_ascii();
                let is_text = bytes.iter().take(64).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
                let text =
                    if is_text { ", but text, a table or a list: name the photographs or their folder" } else { "" };
                return Err(format!("not an image in a known format (its first bytes are \"{first}\"){text}"));
            }
        })
    }
}

fn decoder<'a>(bytes: &'a [u8], format: ImageFormat, limits: &Limits) -> Result<impl ImageDecoder + 'a, String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = image::Limits::no_limits();
    // The widest sample layout is four 16-bit channels; decoders need that much again for themselves.
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(|e| undecodable(format, &e))?;
    let (width, height) = decoder.dimensions();
    limits.check(width.into(), height.into())?;
    Ok(decoder)
}

fn undecodable(format: ImageFormat, error: &image::ImageError) -> String {
    format!("it starts like {format:?}, but cannot be decoded: {error}; restore it or convert it to JPEG or PNG")
}

/// The samples as `[height, width, 3]` bytes.
fn rgb(picture: DynamicImage) -> Vec<u8> {
    fn high(sample: &u16) -> u8 {
        (sample >> 8) as u8
    }
    fn repeated(grey: &u16) -> [u8; 3] {
        [high(grey); 3]
    }
    match picture {
        DynamicImage::ImageLuma16(grey) => grey.iter().flat_map(repeated).collect(),
        DynamicImage::ImageLumaA16(grey) => grey.chunks_exact(2).flat_map(|pixel| repeated(&pixel[0])).collect(),
        DynamicImage::ImageRgb16(rgb) => rgb.iter().map(high).collect(),
        DynamicImage::ImageRgba16(rgba) => rgba.chunks_exact(4).flat_map(|pixel| &pixel[..3]).map(high).collect(),
        other => other.into_rgb8().into_raw(),
    }
}

fn oriented(width: u32, height: u32, data: Vec<u8>, orientation: Orientation) -> Result<Rgb8, String> {
    let picture = RgbImage::from_raw(width, height, data).ok_or("its decoder gave too few pixels")?;
    let mut picture = DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8().into())
}
