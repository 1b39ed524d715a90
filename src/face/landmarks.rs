//! Landmarks in a box by dlib's shape predictors: cascades of regression trees (Kazemi and Sullivan 2014).
//!
//! The arithmetic is dlib's, in its order: shapes in f32, transforms in f64, pixels as the integer mean of their three
//! channels.

use std::path::{Path, PathBuf};

use super::Face;
use crate::image::Rgb8;
use crate::weights::ShapeTrees;
use crate::{Error, Result};

/// How far below the middle of our box the middle of dlib's lies, of the box's height.
const LOWER: f64 = 0.04;

/// Finds the landmarks of a face within its box.
#[derive(Debug)]
pub struct ShapePredictor {
    path: PathBuf,
    trees: ShapeTrees,
}

impl ShapePredictor {
    /// Reads a file that dlib's `shape_predictor` wrote, such as `shape_predictor_68_face_landmarks.dat`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Weights`] if it is damaged, or none.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Self::from_bytes(path, &bytes)
    }

    /// Reads such a file from memory; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is damaged, or none.
    pub fn from_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Self> {
        let path = path.as_ref();
        let trees = ShapeTrees::parse(bytes).map_err(|problem| Error::weights(path, problem))?;
        Ok(ShapePredictor { path: path.to_owned(), trees })
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many landmarks it finds.
    pub fn points(&self) -> usize {
        self.trees.mean.len()
    }

    /// The landmarks of the face in a rectangle, `[x, y]` each, in pixels of the photograph, of which the first is 0.
    ///
    /// The rectangle is as dlib has it: left, top, right, bottom, all inclusive; it may reach over the border, where
    /// pixels are black. dlib gives the same points rounded, see [`ShapePredictor::rounded`]. They are always finite.
    pub fn predict(&self, photo: &Rgb8, [left, top, right, bottom]: [i32; 4]) -> Vec<[f64; 2]> {
        let size = [f64::from(right) - f64::from(left), f64::from(bottom) - f64::from(top)];
        let place =
            |[x, y]: [f32; 2]| [size[0] * f64::from(x) + f64::from(left), size[1] * f64::from(y) + f64::from(top)];
        let mut shape = self.trees.mean.clone();
        let mut grey = Vec::new();
        for stage in &self.trees.stages {
            let turn = similarity(&self.trees.mean, &shape);
            grey.clear();
            grey.extend(stage.pixels.iter().map(|pixel| {
                let [x, y] = pixel.offset;
                let [at_x, at_y] = shape[pixel.landmark];
                let [[a, b], [c, d]] = turn;
                brightness(photo, place([a * x + b * y + at_x, c * x + d * y + at_y]))
            }));
            for tree in &stage.trees {
                let splits = &stage.splits[tree.splits.clone()];
                let mut node = 0;
                while let Some(split) = splits.get(node) {
                    let brighter = grey[split.a as usize] - grey[split.b as usize] > split.threshold;
                    node = 2 * node + if brighter { 1 } else { 2 };
                }
                let leaf = tree.leaves + (node - splits.len()) * 2 * shape.len();
                for (value, add) in shape.as_flattened_mut().iter_mut().zip(&stage.leaves[leaf..]) {
                    *value += add;
                }
            }
        }
        shape.into_iter().map(place).collect()
    }

    /// Landmarks to whole pixels, as dlib rounds them: halves go up.
    pub fn rounded(points: &[[f64; 2]]) -> Vec<[i64; 2]> {
        points.iter().map(|point| point.map(whole)).collect()
    }

    /// The rectangle in which a face's landmarks are looked for.
    ///
    /// Predictors are trained on the boxes of dlib's own detector, which are square, and end at the chin. This is a square
    /// of the box's area, its middle lower than the box's by 4 % of its height, its corners rounded to whole pixels
    /// (halves up).
    pub fn rectangle(face: &Face) -> [i32; 4] {
        let [x1, y1, x2, y2] = face.bounds;
        let (width, height) = (x2 - x1, y2 - y1);
        let half = (width * height).max(0.0).sqrt() / 2.0;
        let (x, y) = ((x1 + x2) / 2.0, (y1 + y2) / 2.0 + LOWER * height);
        [x - half, y - half, x + half, y + half].map(|side| (side + 0.5).floor() as i32)
    }
}

/// To the nearest whole number, halves up.
fn whole(x: f64) -> i64 {
    (x + 0.5).floor() as i64
}

/// The mean of the channels of the pixel at a place, as dlib takes it of integers; 0 outside.
fn brightness(photo: &Rgb8, place: [f64; 2]) -> f32 {
    let [x, y] = place.map(|x| (x + 0.5).floor());
    let inside = |x: f64, limit: usize| (0.0..limit as f64).contains(&x);
    if !(inside(x, photo.width()) && inside(y, photo.height())) {
        return 0.0;
    }
    let at = (y as usize * photo.width() + x as usize) * 3;
    let sum: u32 = photo.data()[at..at + 3].iter().map(|&sample| u32::from(sample)).sum();
    (sum / 3) as f32
}

/// The turn and scale of the least-squares similarity from one shape to another (Umeyama 1991), which in two dimensions
/// needs no decomposition.
fn similarity(from: &[[f32; 2]], to: &[[f32; 2]]) -> [[f32; 2]; 2] {
    if from.len() == 1 {
        return [[1.0, 0.0], [0.0, 1.0]];
    }
    let n = from.len() as f64;
    let wide = |[x, y]: [f32; 2]| [f64::from(x), f64::from(y)];
    let mean = |shape: &[[f32; 2]]| {
        let [x, y] = shape.iter().fold([0.0, 0.0], |[x, y], &point| [x + wide(point)[0], y + wide(point)[1]]);
        [x / n, y / n]
    };
    let (from_mean, to_mean) = (mean(from), mean(to));
    let (mut spread, mut along, mut across) = (0.0, 0.0, 0.0);
    for (&from, &to) in from.iter().zip(to) {
        let ([x, y], [u, v]) = (wide(from), wide(to));
        let (x, y, u, v) = (x - from_mean[0], y - from_mean[1], u - to_mean[0], v - to_mean[1]);
        spread += x * x + y * y;
        along += x * u + y * v;
        across += x * v - y * u;
    }
    let (cos, sin) = ((along / spread) as f32, (across / spread) as f32);
    [[cos, -sin], [sin, cos]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_similarity_is_found_again() {
        let from = [[0.0, 0.0], [1.0, 0.0], [0.25, 0.5]];
        let to = from.map(|[x, y]: [f32; 2]| [0.5 * x - 2.0 * y + 3.0, 2.0 * x + 0.5 * y - 1.0]);
        assert_eq!(similarity(&from, &to), [[0.5, -2.0], [2.0, 0.5]]);
        assert_eq!(similarity(&from[..1], &to[..1]), [[1.0, 0.0], [0.0, 1.0]]);
    }

    #[test]
    fn the_grey_of_a_pixel_is_an_integer_mean_and_black_outside() {
        let photo = Rgb8::new(2, 1, vec![255, 0, 1, 1, 2, 2]);
        assert_eq!(brightness(&photo, [0.49, -0.5]), 85.0);
        assert_eq!(brightness(&photo, [0.5, 0.49]), 1.0);
        for outside in [[1.5, 0.0], [-0.51, 0.0], [0.0, 0.5], [f64::NAN, 0.0], [0.0, f64::INFINITY]] {
            assert_eq!(brightness(&photo, outside), 0.0, "{outside:?}");
        }
    }

    #[test]
    fn landmarks_are_looked_for_in_a_square_of_the_boxs_area() {
        let face = Face { bounds: [10.0, 20.0, 74.0, 120.0], score: 0.9, landmarks: [[0.0; 2]; 5] };
        assert_eq!(ShapePredictor::rectangle(&face), [2, 34, 82, 114]);
        let none = Face { bounds: [10.0, 20.0, 5.0, 120.0], ..face };
        assert_eq!(ShapePredictor::rectangle(&none), [8, 74, 8, 74]);
    }
}
