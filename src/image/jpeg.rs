//! JPEG through libjpeg (mozjpeg's): the accurate integer transform and smooth chroma that Pillow and OpenCV give.

use std::cell::Cell;
use std::ffi::c_int;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use image::metadata::Orientation;
use mozjpeg::{ColorSpace, Decompress, Marker};
use mozjpeg_sys::{jpeg_common_struct, jpeg_error_mgr};

/// A JPEG file's size and orientation, before the latter is applied.
pub(super) struct Header {
    pub width: usize,
    pub height: usize,
    pub orientation: Orientation,
}

/// Reads the header.
pub(super) fn header(bytes: &[u8]) -> Result<Header, String> {
    guarded(bytes, |jpeg| Ok(header_of(&jpeg)))
}

/// Decodes to `[height, width, 3]`, unless `accept` turns the header down.
pub(super) fn decode(
    bytes: &[u8],
    accept: impl Fn(&Header) -> Result<(), String>,
) -> Result<(Header, Vec<u8>), String> {
    guarded(bytes, |jpeg| {
        let header = header_of(&jpeg);
        accept(&header)?;
        let color = jpeg.color_space();
        let cmyk = matches!(color, ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK);
        let (target, samples) = if cmyk { (ColorSpace::JCS_CMYK, 4) } else { (ColorSpace::JCS_RGB, 3) };
        DAMAGED.set(false);
        let read = |e: io::Error| e.to_string();
        let mut scan = jpeg.to_colorspace(target).map_err(read)?;
        let mut data = vec![0; header.width * header.height * samples];
        scan.read_scanlines_into(&mut data).map_err(read)?;
        if DAMAGED.get() {
            return Err("the JPEG data is damaged; restore the file or save it again from its source".to_owned());
        }
        Ok((header, if cmyk { rgb_of_cmyk(&data) } else { data }))
    })
}

/// Runs `work` with a decoder whose header is read; libjpeg's errors, which unwind, become messages.
fn guarded<R>(bytes: &[u8], work: impl FnOnce(Decompress<JpegBytes>) -> Result<R, String>) -> Result<R, String> {
    let ended = Cell::new(false);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let source = JpegBytes { rest: bytes, ended: &ended };
        let builder = Decompress::builder().with_markers(&[Marker::APP(1)]).with_err(error_manager());
        work(builder.from_reader(source).map_err(|e| e.to_string())?)
    }));
    match result {
        Ok(Ok(value)) => Ok(value),
        _ if ended.get() => Err("the JPEG file is cut short; fetch or copy it again".to_owned()),
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err("the JPEG header or data is not valid; save the photograph again from its source".to_owned()),
    }
}

fn header_of(jpeg: &Decompress<JpegBytes>) -> Header {
    let exif = jpeg.markers().find_map(|marker| marker.data.strip_prefix(b"Exif\0\0"));
    let orientation = exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    Header { width: jpeg.width(), height: jpeg.height(), orientation }
}

/// Bytes for libjpeg that notice being read past their end. (It would go on with grey.)
struct JpegBytes<'a> {
    rest: &'a [u8],
    ended: &'a Cell<bool>,
}

impl Read for JpegBytes<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.rest.read(out)
    }
}

impl BufRead for JpegBytes<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            self.ended.set(true);
            // Not `UnexpectedEof`, for which the end of the image would be made up.
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(self.rest)
    }

    fn consume(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes.min(self.rest.len())..];
    }
}

thread_local! {
    /// Whether libjpeg has warned of damage on this thread since this was last cleared.
    static DAMAGED: Cell<bool> = const { Cell::new(false) };
}

/// libjpeg's callbacks: errors unwind, warnings are noted, nothing is printed.
fn error_manager() -> jpeg_error_mgr {
    extern "C-unwind" fn fail(_: &mut jpeg_common_struct) {
        // Past the panic hook: this is no panic.
        resume_unwind(Box::new(()));
    }
    extern "C-unwind" fn note(_: &mut jpeg_common_struct, level: c_int) {
        if level < 0 {
            DAMAGED.set(true);
        }
    }
    extern "C-unwind" fn nothing(_: &mut jpeg_common_struct) {}
    jpeg_error_mgr {
        error_exit: Some(fail),
        emit_message: Some(note),
        output_message: Some(nothing),
        format_message: None,
        reset_error_mgr: Some(nothing),
        msg_code: 0,
        msg_parm: Default::default(),
        trace_level: 0,
        num_warnings: 0,
        jpeg_message_table: std::ptr::null(),
        last_jpeg_message: 0,
        addon_message_table: std::ptr::null(),
        first_addon_message: 0,
        last_addon_message: 0,
    }
}

/// CMYK as Adobe's programs write it, inverted, to RGB without a colour profile (Pillow's `convert("RGB")`).
fn rgb_of_cmyk(data: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(data.len() / 4 * 3);
    for pixel in data.chunks_exact(4) {
        let white = u32::from(pixel[3]);
        rgb.extend(pixel[..3].iter().map(|&paper| {
            // `ink * white / 255`, rounded.
            let ink = (255 - u32::from(paper)) * white + 128;
            white.saturating_sub(((ink >> 8) + ink) >> 8) as u8
        }));
    }
    rgb
}
