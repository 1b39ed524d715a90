//! From a face's five landmarks to the map that brings them to a template.

use crate::image::Affine;
use crate::{Error, Result};

/// Where the ArcFace models' crops of 112 have the eyes, the nose and the corners of the mouth, in pixels.
const ARCFACE: [[f32; 2]; 5] =
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];

/// Less than this share of the spread along one axis across it: numbers that lie on a line but for rounding.
const FLAT: f64 = 1e-10;

/// The ArcFace template for crops of `size`, as insightface's `estimate_norm` scales it, in f32: multiples of 112 are scaled,
/// of 128 have 8 pixels of 128 more on the left and the right. Other sizes, which insightface refuses, are scaled from 112.
pub(super) fn arcface(size: usize) -> [[f32; 2]; 5] {
    let wide = !size.is_multiple_of(112) && size.is_multiple_of(128);
    let ratio = size as f64 / if wide { 128.0 } else { 112.0 };
    let right = if wide { 8.0 * ratio } else { 0.0 };
    ARCFACE.map(|[x, y]| [x * ratio as f32 + right as f32, y * ratio as f32])
}

/// Points less their mean, and the mean.
struct Centred {
    points: [[f64; 2]; 5],
    mean: [f64; 2],
}

impl Centred {
    fn of(points: &[[f64; 2]; 5]) -> Self {
        let mean = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / 5.0);
        Centred { points: points.map(|[x, y]| [x - mean[0], y - mean[1]]), mean }
    }

    /// As numpy does in f32, and with it scikit-image.
    fn of_f32(points: &[[f32; 2]; 5]) -> Self {
        let mean = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f32>() / 5.0);
        let points = points.map(|[x, y]| [f64::from(x - mean[0]), f64::from(y - mean[1])]);
        Centred { points, mean: mean.map(f64::from) }
    }

    /// The sum over all points of one's `i` times the other's `j`.
    fn dot(&self, other: &Centred, i: usize, j: usize) -> f64 {
        self.points.iter().zip(&other.points).map(|(a, b)| a[i] * b[j]).sum()
    }

    /// The map of this linear part that takes the mean of `from` to this one.
    fn map(&self, from: &Centred, [[a, b], [c, d]]: [[f64; 2]; 2]) -> Affine {
        let [u, v] = from.mean;
        [[a, b, self.mean[0] - (a * u + b * v)], [c, d, self.mean[1] - (c * u + d * v)]]
    }
}

/// The landmarks less their mean.
///
/// # Errors
/// [`Error::Invalid`] says what is wrong with landmarks that determine no map.
fn check(landmarks: &[[f64; 2]; 5]) -> Result<Centred> {
    let bad = |problem: &str| Err(Error::invalid("landmarks", format!("{problem}: no crop can be aligned by them")));
    if !landmarks.iter().flatten().all(|x| x.is_finite() && x.abs() < 1e6) {
        return bad("they are no numbers of pixels");
    }
    let from = Centred::of(landmarks);
    let [xx, xy, yy] = [from.dot(&from, 0, 0), from.dot(&from, 0, 1), from.dot(&from, 1, 1)];
    if xx + yy <= 1e-6 {
        return bad("all lie in one point");
    }
    if landmarks[0] == landmarks[1] {
        return bad("the eyes lie in one point");
    }
    if xx * yy - xy * xy <= FLAT * (xx + yy) * (xx + yy) {
        return bad("all lie on one line");
    }
    Ok(from)
}

/// The similarity that brings landmarks nearest to a template, in least squares (Umeyama 1991): a rotation, never a
/// reflection, a scale and a shift.
///
/// # Errors
/// [`Error::Invalid`] for landmarks that determine none.
pub(super) fn similarity(landmarks: &[[f64; 2]; 5], template: &[[f32; 2]; 5]) -> Result<Affine> {
    let (from, to) = (check(landmarks)?, Centred::of_f32(template));
    let spread = from.dot(&from, 0, 0) + from.dot(&from, 1, 1);
    // In the plane the decomposition of the covariance has a closed form.
    let cos = (to.dot(&from, 0, 0) + to.dot(&from, 1, 1)) / spread;
    let sin = (to.dot(&from, 1, 0) - to.dot(&from, 0, 1)) / spread;
    if cos * cos + sin * sin <= FLAT * FLAT {
        let problem = "they are the mirror image of a face's: no crop can be aligned by them";
        return Err(Error::invalid("landmarks", problem));
    }
    Ok(to.map(&from, [[cos, -sin], [sin, cos]]))
}

/// The affine map that brings landmarks nearest to a template, in least squares.
///
/// # Errors
/// [`Error::Invalid`] for landmarks that determine none.
pub(super) fn affine(landmarks: &[[f64; 2]; 5], template: &[[f32; 2]; 5]) -> Result<Affine> {
    let (from, to) = (check(landmarks)?, Centred::of(&template.map(|point| point.map(f64::from))));
    let [xx, xy, yy] = [from.dot(&from, 0, 0), from.dot(&from, 0, 1), from.dot(&from, 1, 1)];
    let determinant = xx * yy - xy * xy;
    let row = |i: usize| {
        let (x, y) = (to.dot(&from, i, 0), to.dot(&from, i, 1));
        [(x * yy - y * xy) / determinant, (y * xx - x * xy) / determinant]
    };
    Ok(to.map(&from, [row(0), row(1)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: [[f64; 2]; 5] = [[104.2, 112.9], [147.6, 110.1], [127.3, 138.8], [109.0, 160.7], [146.1, 158.2]];

    fn apply([[a, b, x], [c, d, y]]: Affine, [u, v]: [f64; 2]) -> [f64; 2] {
        [a * u + b * v + x, c * u + d * v + y]
    }

    fn distance(map: Affine, template: &[[f32; 2]; 5]) -> f64 {
        let squares = FACE.iter().zip(template).map(|(&from, to)| {
            let at = apply(map, from);
            (at[0] - f64::from(to[0])).powi(2) + (at[1] - f64::from(to[1])).powi(2)
        });
        squares.sum()
    }

    /// Any change of one of the numbers that it may choose leads farther away.
    #[test]
    fn maps_are_the_nearest() {
        let template = arcface(112);
        let [turned, any] = [similarity(&FACE, &template).unwrap(), affine(&FACE, &template).unwrap()];
        assert!(distance(any, &template) < distance(turned, &template));
        assert_eq!([turned[0][0], turned[0][1]], [turned[1][1], -turned[1][0]]);
        for step in [1e-4, -1e-4] {
            for i in 0..6 {
                let mut other = any;
                other[i / 3][i % 3] += step;
                assert!(distance(other, &template) > distance(any, &template), "affine {i}");
            }
            let mut other = turned;
            (other[0][0], other[1][1]) = (turned[0][0] + step, turned[1][1] + step);
            assert!(distance(other, &template) > distance(turned, &template));
            other = turned;
            (other[0][1], other[1][0]) = (turned[0][1] + step, turned[1][0] - step);
            assert!(distance(other, &template) > distance(turned, &template));
        }
    }

    #[test]
    fn templates_grow_with_the_crop() {
        assert_eq!(arcface(112), ARCFACE);
        assert_eq!(arcface(224)[2], [112.0504, 143.4732]);
        assert_eq!(arcface(128)[0], [38.2946 + 8.0, 51.6963]);
        assert_eq!(arcface(56)[1], [73.5318 / 2.0, 51.5014 / 2.0]);
        let [x, y] = arcface(160)[4].map(f64::from);
        assert!((x - 70.7299 / 112.0 * 160.0).abs() < 1e-4 && (y - 92.2041 / 112.0 * 160.0).abs() < 1e-4);
    }

    #[test]
    fn landmarks_that_say_nothing_are_refused() {
        let mut eyes = FACE;
        eyes[1] = eyes[0];
        let line = [0.0, 1.0, 2.0, 3.0, 4.0].map(|i| [20.0 + 3.0 * i, 50.0 + 7.0 * i]);
        let mut unknown = FACE;
        unknown[3][0] = f64::NAN;
        let mut far = FACE;
        far[2][1] = f64::INFINITY;
        for (landmarks, why) in [
            (eyes, "the eyes lie in one point"),
            (line, "on one line"),
            ([[7.0, 9.0]; 5], "all lie in one point"),
            (unknown, "no numbers"),
            (far, "no numbers"),
        ] {
            for map in [similarity, affine] {
                let error = map(&landmarks, &arcface(112)).unwrap_err().to_string();
                assert!(error.contains(why), "{error}");
            }
        }
        // A covariance that is a mirror's: any rotation is as good as another.
        let to = Centred::of_f32(&ARCFACE);
        let [xx, xy, yy] = [to.dot(&to, 0, 0), to.dot(&to, 0, 1), to.dot(&to, 1, 1)];
        let mirrored = to.points.map(|[x, y]| [yy * x - xy * y, xy * x - xx * y].map(|z| z / 100.0 + 80.0));
        let error = similarity(&mirrored, &ARCFACE).unwrap_err().to_string();
        assert!(error.contains("mirror"), "{error}");
        assert!(affine(&mirrored, &ARCFACE).is_ok());
    }
}
