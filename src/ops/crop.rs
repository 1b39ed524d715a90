//! A window of an image, which may reach over its borders.

use serde::Deserialize;

use super::{Operator, Real, arity, nhwc};
use crate::{Shape, Tensor};

/// The window of `h` x `w` pixels whose first pixel is `(y, x)`; what lies outside the image is zero.
///
/// Input: `x: [n, h_in, w_in, c]`. Output: `[n, h, w, c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// First row, in pixels of the input; may be negative.
    pub y: i32,
    /// First column, in pixels of the input; may be negative.
    pub x: i32,
    /// Rows of the window.
    pub h: usize,
    /// Columns of the window.
    pub w: usize,
}

impl Operator for Crop {
    const STEM: &'static str = "crop";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let [n, _, _, c] = nhwc(inputs, 0, "x")?;
        Ok([n, self.h, self.w, c].into())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let &[n, h, w, c] = inputs[0].dims() else { unreachable!("checked by shape") };
        let mut y = Tensor::zeros([n, self.h, self.w, c]);
        for (at, pixel) in y.data_mut().chunks_mut(c.max(1)).enumerate() {
            let (column, row, image) = (at % self.w, at / self.w % self.h, at / self.w / self.h);
            let (iy, ix) = (row as i64 + i64::from(self.y), column as i64 + i64::from(self.x));
            if (0..h as i64).contains(&iy) && (0..w as i64).contains(&ix) {
                let from = ((image * h + iy as usize) * w + ix as usize) * c;
                pixel.copy_from_slice(&inputs[0].data()[from..from + c]);
            }
        }
        y
    }
}
