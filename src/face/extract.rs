//! facenet-pytorch's crop: a margin that is a share of the box, and no landmarks.

use crate::image::{self, Rgb8};
use crate::{Error, Result};

/// By which filter a box is brought to the crop's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Pillow's bilinear filter: what facenet-pytorch takes for pictures of Pillow's.
    Pillow,
    /// OpenCV's `INTER_AREA`: what it takes for arrays.
    Area,
}

/// The pixels of a box: left, top, right, bottom, the last two exclusive. `margin` is in pixels of the crop of `size`, so that the
/// box grows by its share of `size - margin`.
///
/// # Errors
/// [`Error::Invalid`] for a margin that leaves nothing of the crop, and for a box that lies outside the photograph.
fn rectangle(bounds: [f64; 4], size: usize, margin: f64, width: usize, height: usize) -> Result<[usize; 4]> {
    if size == 0 || margin.is_nan() || margin >= size as f64 {
        let problem = format!("a margin of {margin} pixels leaves nothing of a crop of {size}");
        return Err(Error::invalid("crop", problem));
    }
    let [x1, y1, x2, y2] = bounds;
    let grown = |low: f64, high: f64| margin * (high - low) / (size as f64 - margin) / 2.0;
    let (dx, dy) = (grown(x1, x2), grown(y1, y2));
    let low = |x: f64| x.max(0.0) as usize;
    let high = |x: f64, limit: usize| x.min(limit as f64).max(0.0) as usize;
    let rectangle = [low(x1 - dx), low(y1 - dy), high(x2 + dx, width), high(y2 + dy, height)];
    if !bounds.iter().all(|x| x.is_finite()) || rectangle[0] >= rectangle[2] || rectangle[1] >= rectangle[3] {
        let problem = format!("[{x1}, {y1}, {x2}, {y2}] has no pixel of a photograph of {width} x {height}");
        return Err(Error::invalid("box", problem));
    }
    Ok(rectangle)
}

/// The box of a face with its margin as a square of `size`.
///
/// # Errors
/// [`Error::Invalid`] for a margin that leaves nothing of the crop, and for a box that lies outside the photograph.
pub fn extract(photo: &Rgb8, bounds: [f64; 4], size: usize, margin: f64, filter: Filter) -> Result<Rgb8> {
    let [x1, y1, x2, y2] = rectangle(bounds, size, margin, photo.width(), photo.height())?;
    let part = image::crop(photo, x1, y1, x2, y2);
    Ok(match filter {
        Filter::Pillow => image::resize_bilinear_pillow(&part, size, size),
        Filter::Area => image::resize_area_u8(&part, size, size),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_a_share_of_the_box() {
        // 40 / (160 - 40) of the box's 60 and 90 pixels, half of it on each side.
        let bounds = [50.5, 60.0, 110.5, 150.0];
        assert_eq!(rectangle(bounds, 160, 40.0, 250, 250).unwrap(), [40, 45, 120, 165]);
        assert_eq!(rectangle(bounds, 160, 0.0, 100, 100).unwrap(), [50, 60, 100, 100]);
        assert_eq!(rectangle([-9.0, -3.5, 20.0, 30.0], 160, 0.0, 250, 250).unwrap(), [0, 0, 20, 30]);
    }

    #[test]
    fn what_has_no_pixel_is_refused() {
        let photo = Rgb8::black(50, 40);
        let refused =
            |bounds, size, margin| extract(&photo, bounds, size, margin, Filter::Area).unwrap_err().to_string();
        assert!(refused([60.0, 10.0, 90.0, 30.0], 160, 0.0).contains("no pixel"));
        assert!(refused([f64::NAN; 4], 160, 0.0).contains("no pixel"));
        assert!(refused([0.0, 0.0, 9.0, 9.0], 160, 160.0).contains("leaves nothing"));
        assert!(refused([0.0, 0.0, 9.0, 9.0], 160, f64::NAN).contains("leaves nothing"));
        let crop = extract(&photo, [5.0, 5.0, 30.0, 30.0], 16, 0.0, Filter::Pillow).unwrap();
        assert_eq!((crop.width(), crop.height()), (16, 16));
    }
}
