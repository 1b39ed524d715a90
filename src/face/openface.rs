//! OpenFace's alignment (`align_dlib.py`): the affine map that takes three landmarks of 68 to the places that they have in a
//! mean face.

use super::ShapePredictor;
use crate::image::{Affine, OpenFacePoints, Rgb8};
use crate::{Error, Result};

/// How many landmarks a predictor must find.
pub(super) const POINTS: usize = 68;

/// The least and the greatest coordinates of OpenFace's mean face, which its crops span.
const LEAST: [f32; 2] = [0.079_239_69, 0.182_360_99];
const GREATEST: [f32; 2] = [0.971_193_25, 1.060_803_7];

/// Three landmarks: their numbers among dlib's 68, counted from 0, and where the mean face has them.
fn template(points: OpenFacePoints) -> [(usize, [f32; 2]); 3] {
    match points {
        OpenFacePoints::OuterEyesAndNose => {
            [(36, [0.252_418_73, 0.331_052_27]), (45, [0.782_865_4, 0.321_305_27]), (33, [0.520_712_9, 0.634_268_2])]
        }
        OpenFacePoints::InnerEyesAndBottomLip => {
            [(39, [0.403_718_98, 0.338_677_1]), (42, [0.631_326_1, 0.334_136_66]), (57, [0.525_398_43, 0.841_706_4])]
        }
    }
}

/// The map to a crop of `size` for the face in a box as dlib has it, by landmarks in whole pixels.
///
/// # Errors
/// [`Error::Invalid`] for landmarks that determine none.
pub(super) fn map(
    predictor: &ShapePredictor,
    photo: &Rgb8,
    rectangle: [i32; 4],
    points: OpenFacePoints,
    size: usize,
) -> Result<Affine> {
    let found = ShapePredictor::rounded(&predictor.predict(photo, rectangle));
    let template = template(points);
    let from = template.map(|(i, _)| found[i].map(|x| f64::from(x as f32)));
    let to = template.map(|(_, place)| {
        [0, 1].map(|axis| f64::from(size as f32 * ((place[axis] - LEAST[axis]) / (GREATEST[axis] - LEAST[axis]))))
    });
    let [[x1, y1], [x2, y2], [x3, y3]] = from;
    if (x2 - x1) * (y3 - y1) == (x3 - x1) * (y2 - y1) {
        let problem = format!("{} lie in one point or on one line: no crop can be aligned by them", points.in_words());
        return Err(Error::invalid("landmarks", problem));
    }
    Ok(affine(&from, &to))
}

/// The map through three points (`cv2.getAffineTransform`): its six numbers by elimination with pivots, in OpenCV's order of
/// operations.
fn affine(from: &[[f64; 2]; 3], to: &[[f64; 2]; 3]) -> Affine {
    let mut rows = [[0.0; 7]; 6];
    for (i, ([x, y], target)) in from.iter().zip(to).enumerate() {
        rows[2 * i] = [*x, *y, 1.0, 0.0, 0.0, 0.0, target[0]];
        rows[2 * i + 1] = [0.0, 0.0, 0.0, *x, *y, 1.0, target[1]];
    }
    for i in 0..6 {
        let pivot = (i + 1..6).fold(i, |best, j| if rows[j][i].abs() > rows[best][i].abs() { j } else { best });
        rows.swap(i, pivot);
        let factor = -1.0 / rows[i][i];
        let (above, below) = rows.split_at_mut(i + 1);
        for row in below {
            let factor = row[i] * factor;
            for (value, above) in row[i + 1..].iter_mut().zip(&above[i][i + 1..]) {
                *value += factor * above;
            }
        }
    }
    let mut found = [0.0; 6];
    for i in (0..6).rev() {
        let rest = (i + 1..6).fold(rows[i][6], |rest, k| rest - rows[i][k] * found[k]);
        found[i] = rest / rows[i][i];
    }
    let [a, b, x, c, d, y] = found;
    [[a, b, x], [c, d, y]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_points_go_where_they_belong() {
        let from = [[101.0, 99.0], [150.0, 103.0], [124.0, 130.0]];
        let to = [[18.6, 16.2], [75.7, 15.2], [47.5, 49.4]];
        let [[a, b, x], [c, d, y]] = affine(&from, &to);
        for ([u, v], target) in from.into_iter().zip(to) {
            let found = [a * u + b * v + x, c * u + d * v + y];
            assert!((0..2).all(|axis| (found[axis] - target[axis]).abs() < 1e-10), "{found:?} for {target:?}");
        }
    }

    /// OpenFace's own template, `96 * MINMAX_TEMPLATE[[36, 45, 33]]` and `[[39, 42, 57]]` as numpy prints them.
    #[test]
    fn crops_span_the_mean_face() {
        let places = |points| {
            template(points).map(|(_, place)| {
                [0, 1].map(|axis| 96.0 * ((place[axis] - LEAST[axis]) / (GREATEST[axis] - LEAST[axis])))
            })
        };
        assert_eq!(
            places(OpenFacePoints::OuterEyesAndNose),
            [[18.639072, 16.249624], [75.73048, 15.18443], [47.515285, 49.38637]]
        );
        assert_eq!(
            places(OpenFacePoints::InnerEyesAndBottomLip),
            [[34.923355, 17.0829], [59.420464, 16.5867], [48.01958, 72.05611f32]]
        );
    }
}
