//! Parts of pictures, and mirror images.

use super::Rgb8;

/// The pixels of columns `x0..x1` and rows `y0..y1`, as far as they lie within the picture.
pub fn crop(src: &Rgb8, x0: usize, y0: usize, x1: usize, y1: usize) -> Rgb8 {
    let (x1, y1) = (x1.min(src.width()), y1.min(src.height()));
    let (x0, y0) = (x0.min(x1), y0.min(y1));
    let mut data = Vec::with_capacity((x1 - x0) * (y1 - y0) * 3);
    for y in y0..y1 {
        data.extend_from_slice(&src.row(y)[x0 * 3..x1 * 3]);
    }
    Rgb8::new(x1 - x0, y1 - y0, data)
}

/// The `size` x `size` pixels in the middle (`facenet.crop`); an axis that is shorter stays whole.
pub fn center_crop(src: &Rgb8, size: usize) -> Rgb8 {
    let start = |extent: usize| (extent / 2).saturating_sub(size / 2);
    let (x, y) = (start(src.width()), start(src.height()));
    crop(src, x, y, x + size, y + size)
}

/// The picture as a square of `size`, unscaled: of a longer axis the middle, a shorter one padded with black, as much on
/// both sides (`tf.image.resize_image_with_crop_or_pad`). What is odd goes to the right and the bottom.
pub fn crop_or_pad(src: &Rgb8, size: usize) -> Rgb8 {
    let start = |extent: usize| extent.saturating_sub(size) / 2;
    let (x, y) = (start(src.width()), start(src.height()));
    pad(crop(src, x, y, x + size, y + size), size)
}

/// The picture in the middle of a black square of `size`, which is at least as large.
pub(crate) fn pad(src: Rgb8, size: usize) -> Rgb8 {
    if src.width() == size && src.height() == size {
        return src;
    }
    let mut dst = Rgb8::black(size, size);
    let (left, top) = ((size - src.width()) / 2, (size - src.height()) / 2);
    for y in 0..src.height() {
        let start = ((top + y) * size + left) * 3;
        dst.data_mut()[start..][..src.width() * 3].copy_from_slice(src.row(y));
    }
    dst
}

/// The picture seen in a mirror (`np.fliplr`).
pub fn flip_horizontal(src: &Rgb8) -> Rgb8 {
    let mut data = Vec::with_capacity(src.data().len());
    for y in 0..src.height() {
        data.extend(src.row(y).rchunks_exact(3).flatten());
    }
    Rgb8::new(src.width(), src.height(), data)
}
