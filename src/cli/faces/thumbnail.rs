//! Small pictures of faces, for pages.

use anyhow::Result;
use rayon::prelude::*;

use super::Faces;
use crate::cli::output;
use crate::image::{self, Rgb8};

/// Share of the box that is added around it.
const MARGIN: f64 = 0.15;
/// JPEG's quality of pictures in pages.
const QUALITY: u8 = 85;

impl Faces {
    /// Faces as square JPEGs of `side` pixels, cut out of their photographs, which are decoded again, side by side; none
    /// where none is asked for, or the photograph is gone, which is told.
    pub fn thumbnails(&self, rows: impl Iterator<Item = Option<usize>>, side: usize) -> Vec<Option<Vec<u8>>> {
        let rows: Vec<Option<usize>> = rows.collect();
        let picture = |row: &Option<usize>| row.map(|row| self.thumbnail(row, side));
        let pictures: Vec<Option<Result<Vec<u8>>>> = rows.par_iter().map(picture).collect();
        let gone: Vec<String> =
            pictures.iter().flatten().filter_map(|p| p.as_ref().err()).map(|e| e.to_string()).collect();
        if let Some(first) = gone.first() {
            eprintln!("{} without a picture, as {first}", output::count(gone.len(), "face"));
        }
        pictures.into_iter().map(|picture| picture?.ok()).collect()
    }

    /// A face as a square JPEG of `side` pixels, cut out of its photograph, which is decoded again; a photograph that is gone
    /// gives an error that names it.
    pub fn thumbnail(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        let photo = image::decode(&self.images[row])?;
        let [x1, y1, x2, y2] = square(&photo, self.boxes[row]);
        let small = image::resize_bilinear_pillow(&image::crop(&photo, x1, y1, x2, y2), side, side);
        Ok(image::encode_jpeg(&small, QUALITY)?)
    }
}

/// The square around a box with its margin, as far as the photograph reaches; the middle of all where there is no box.
fn square(photo: &Rgb8, bounds: [f64; 4]) -> [usize; 4] {
    let (width, height) = (photo.width() as f64, photo.height() as f64);
    let [x1, y1, x2, y2] = if bounds.iter().all(|x| x.is_finite()) { bounds } else { [0.0, 0.0, width, height] };
    let wanted = (x2 - x1).max(y2 - y1) * (1.0 + 2.0 * MARGIN);
    let side = wanted.min(width).min(height).max(1.0).floor();
    let low = |middle: f64, limit: f64| (middle - side / 2.0).clamp(0.0, limit - side).floor();
    let (left, top) = (low((x1 + x2) / 2.0, width), low((y1 + y2) / 2.0, height));
    [left, top, left + side, top + side].map(|x| x as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_stays_in_the_photograph() {
        let photo = Rgb8::black(100, 60);
        assert_eq!(square(&photo, [10.0, 10.0, 30.0, 30.0]), [7, 7, 33, 33]);
        assert_eq!(square(&photo, [-20.0, -5.0, 20.0, 25.0]), [0, 0, 52, 52]);
        assert_eq!(square(&photo, [f64::NAN; 4]), [20, 0, 80, 60]);
        assert_eq!(square(&photo, [0.0, 0.0, 100.0, 60.0]), [20, 0, 80, 60]);
    }
}
