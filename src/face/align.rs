//! From a detected face to the crop that the embedding network was trained on: a box with a margin, no warp
//! (`align_dataset_mtcnn.py`), or a warp by landmarks (insightface's `norm_crop`, OpenFace's `align_dlib.py`).

use std::fmt;
use std::sync::Arc;

use super::{Face, ShapePredictor, openface, template};
use crate::error::Field;
use crate::image::{self, Affine, AlignMethod, Rgb8, Warp};
use crate::{Error, Result};

/// How faces are cut out. The default is what FaceNet's published models were trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Side of the crop, in pixels.
    pub size: usize,
    /// By which method.
    pub method: AlignMethod,
    /// Pixels of the photograph added to the box, half of them on each side: of [`AlignMethod::Crop`].
    pub margin: usize,
    /// The arithmetic of the methods that warp.
    pub warp: Warp,
}

impl Default for Alignment {
    fn default() -> Self {
        Alignment { size: 160, method: AlignMethod::Crop, margin: 32, warp: Warp::Exact }
    }
}

impl fmt::Display for Alignment {
    /// The method and what it goes by, without the size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.method {
            AlignMethod::Crop => write!(f, "margin {}", self.margin),
            method => write!(f, "{method}, warp {}", self.warp),
        }
    }
}

impl Alignment {
    /// The box with its margin in a photograph of `width` x `height`, which [`AlignMethod::Crop`] takes: left, top, right,
    /// bottom, the last two exclusive.
    ///
    /// `None` for a box that lies outside the photograph.
    pub fn rectangle(&self, face: &Face, width: usize, height: usize) -> Option<[usize; 4]> {
        let half = self.margin as f64 / 2.0;
        let [x1, y1, x2, y2] = face.bounds;
        let low = |x: f64| (x - half).max(0.0) as usize;
        let high = |x: f64, limit: usize| (x + half).min(limit as f64).max(0.0) as usize;
        let rectangle = [low(x1), low(y1), high(x2, width), high(y2, height)];
        (rectangle[0] < rectangle[2] && rectangle[1] < rectangle[3]).then_some(rectangle)
    }
}

/// The face that a photograph is about: large and central (`align_dataset_mtcnn.py`), not simply the best-scoring.
pub fn choose(faces: &[Face], width: usize, height: usize) -> Option<usize> {
    let weight = |face: &Face| {
        let [x1, y1, x2, y2] = face.bounds;
        let (dx, dy) = ((x1 + x2) / 2.0 - width as f64 / 2.0, (y1 + y2) / 2.0 - height as f64 / 2.0);
        (x2 - x1) * (y2 - y1) - 2.0 * (dx * dx + dy * dy)
    };
    // The first of equals, as numpy's argmax.
    (0..faces.len()).reduce(|best, i| if weight(&faces[i]) > weight(&faces[best]) { i } else { best })
}

/// Cuts faces out of photographs; holds whatever its method needs beside the face.
#[derive(Clone, Debug)]
pub struct Aligner {
    alignment: Alignment,
    predictor: Option<Arc<ShapePredictor>>,
}

impl Aligner {
    /// One that cuts out so.
    pub fn new(alignment: Alignment) -> Self {
        Aligner { alignment, predictor: None }
    }

    /// The same with what finds the landmarks of [`AlignMethod::OpenFace`].
    ///
    /// # Errors
    /// [`Error::Weights`] if it does not find 68 landmarks.
    pub fn with_landmarks(self, predictor: impl Into<Arc<ShapePredictor>>) -> Result<Self> {
        let predictor = predictor.into();
        if predictor.points() != openface::POINTS {
            let problem = format!(
                "finds {} landmarks, and OpenFace's alignment goes by three of {}: give \
                 shape_predictor_68_face_landmarks.dat",
                predictor.points(),
                openface::POINTS
            );
            return Err(Error::weights(predictor.path(), problem));
        }
        Ok(Aligner { predictor: Some(predictor), ..self })
    }

    /// How it cuts out.
    pub fn alignment(&self) -> &Alignment {
        &self.alignment
    }

    /// What finds landmarks, where there is any.
    pub fn landmarks(&self) -> Option<&ShapePredictor> {
        self.predictor.as_deref()
    }

    /// A face cut out of its photograph: a square of [`Alignment::size`]. The box with its margin is resized by Pillow's
    /// bilinear filter; what a warp takes from beyond the border is black.
    ///
    /// `None` for a box that lies outside the photograph.
    ///
    /// # Errors
    /// [`Error::Invalid`] for landmarks that a warp cannot go by: in one point, on one line, no numbers; and for
    /// [`AlignMethod::OpenFace`] without [`Aligner::with_landmarks`].
    pub fn align(&self, photo: &Rgb8, face: &Face) -> Result<Option<Rgb8>> {
        let size = self.alignment.size;
        let Some([x1, y1, x2, y2]) = self.alignment.rectangle(face, photo.width(), photo.height()) else {
            return Ok(None);
        };
        Ok(Some(match self.map(photo, face)? {
            None => image::resize_bilinear_pillow(&image::crop(photo, x1, y1, x2, y2), size, size),
            Some(map) => image::warp_affine(photo, &map, size, size, self.alignment.warp),
        }))
    }

    /// The map from photograph to crop, of the methods that warp.
    ///
    /// # Errors
    /// As [`Aligner::align`].
    pub fn map(&self, photo: &Rgb8, face: &Face) -> Result<Option<Affine>> {
        let arcface = || template::arcface(self.alignment.size);
        match self.alignment.method {
            AlignMethod::Crop => Ok(None),
            AlignMethod::Similarity => template::similarity(&face.landmarks, &arcface()).map(Some),
            AlignMethod::Affine => template::affine(&face.landmarks, &arcface()).map(Some),
            AlignMethod::OpenFace(points) => {
                let missing = || {
                    let problem = "is needed by the method openface: a shape predictor of 68 landmarks";
                    Error::invalid(Field("landmarks"), problem)
                };
                let predictor = self.predictor.as_deref().ok_or_else(missing)?;
                let rectangle = ShapePredictor::rectangle(face);
                openface::map(predictor, photo, rectangle, points, self.alignment.size).map(Some)
            }
        }
    }
}

/// A face cut out of its photograph; see [`Aligner::align`].
///
/// # Errors
/// As [`Aligner::align`].
pub fn align(photo: &Rgb8, face: &Face, alignment: &Alignment) -> Result<Option<Rgb8>> {
    Aligner::new(*alignment).align(photo, face)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(bounds: [f64; 4]) -> Face {
        Face { bounds, score: 0.9, landmarks: [[0.0; 2]; 5] }
    }

    #[test]
    fn the_central_face_wins_over_a_larger_one_at_the_border() {
        let faces = [face([0.0, 0.0, 60.0, 60.0]), face([100.0, 100.0, 150.0, 150.0])];
        assert_eq!(choose(&faces, 250, 250), Some(1));
        assert_eq!(choose(&[], 250, 250), None);
    }

    #[test]
    fn the_rectangle_stays_in_the_photograph() {
        let alignment = Alignment::default();
        assert_eq!(alignment.rectangle(&face([10.9, 20.2, 240.0, 200.7]), 250, 250), Some([0, 4, 250, 216]));
        assert_eq!(alignment.rectangle(&face([300.0, 20.0, 340.0, 60.0]), 250, 250), None);
    }
}
