//! Photographs as pixels: decoding, resizing, cropping, standardizing, drawing. No networks here.
//!
//! Boxes depend on single grey levels, so each operation gives the very bits of the library that the original
//! pipeline used: libjpeg decodes, OpenCV's `INTER_AREA` makes the pyramid, Pillow's bilinear filter the crops, OpenCV's
//! `warpAffine` those by landmarks.
//!
//! Files are decoded and written with the feature `decode`; without it pictures come as [`Rgb8`] pixels.

mod align;
mod collect;
mod crop;
#[cfg(feature = "decode")]
mod decode;
mod draw;
#[cfg(feature = "decode")]
mod encode;
mod foreign;
#[cfg(feature = "heif")]
mod heif;
#[cfg(feature = "decode")]
mod jpeg;
mod people;
mod resize_area;
mod resize_bilinear;
mod scatter;
mod standardize;
mod warp;

#[cfg(feature = "cli")]
pub(crate) use align::RECORD;
pub use align::{AlignMethod, OpenFacePoints};
pub(crate) use collect::is_image;
pub use collect::{Collected, collect};
pub(crate) use crop::pad;
pub use crop::{center_crop, crop, crop_or_pad, flip_horizontal};
#[cfg(feature = "serve")]
pub(crate) use decode::is_known;
#[cfg(feature = "decode")]
pub use decode::{Limits, decode, decode_bytes, dimensions, dimensions_bytes};
pub use draw::{DrawFace, draw_faces};
#[cfg(feature = "decode")]
pub use draw::{FaceName, draw_named_faces};
#[cfg(feature = "decode")]
pub use encode::{encode_jpeg, encode_png, save_jpeg, save_png};
pub use foreign::foreign;
#[cfg(any(feature = "cli", feature = "parquet"))]
pub(crate) use people::name_of;
#[cfg(feature = "cli")]
pub(crate) use people::path_text;
pub use people::{Labelled, People, PersonFolder, labelled, people};
pub(crate) use resize_area::Method;
pub use resize_area::{AreaResize, AreaTable, LinearTable, LinearTap, Tap, resize_area_f32, resize_area_u8};
pub use resize_bilinear::resize_bilinear_pillow;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) use resize_bilinear::{PillowResize, PillowTable};
pub use scatter::{Dot, colour, scatter};
pub use standardize::{prewhiten, standardize};
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) use warp::STEP as WARP_STEP;
pub use warp::{Affine, Warp, invert_affine, warp_affine};
pub(crate) use warp::{PARTS, Places, Source};

/// 8-bit RGB pixels, row-major, `[height, width, 3]`. With the feature `decode` an `image::RgbImage` becomes one.
///
/// ```
/// use warpface::image::{Rgb8, crop};
///
/// let picture = Rgb8::new(2, 1, vec![255, 0, 0, 0, 0, 255]);
/// assert_eq!(crop(&picture, 1, 0, 2, 1).data(), [0, 0, 255]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Rgb8 {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Rgb8 {
    /// A picture of these pixels.
    ///
    /// # Panics
    /// If `data` does not hold `width * height * 3` bytes.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Self {
        let bytes = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
        assert_eq!(Some(data.len()), bytes, "{width} x {height} RGB pixels");
        Rgb8 { width, height, data }
    }

    /// A black picture.
    pub fn black(width: usize, height: usize) -> Self {
        Rgb8 { width, height, data: vec![0; width * height * 3] }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The samples, `[height, width, 3]`.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The samples, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The samples, without a copy.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// Row `y`'s samples, `[width, 3]`.
    pub fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width * 3..][..self.width * 3]
    }
}

#[cfg(feature = "decode")]
impl From<image::RgbImage> for Rgb8 {
    fn from(picture: image::RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Rgb8::new(width, height, picture.into_raw())
    }
}

impl std::fmt::Debug for Rgb8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rgb8({} x {})", self.width, self.height)
    }
}
