//! Zeros around an image, or less of it.

use serde::Deserialize;

use super::{Operator, Real, Vjp, arity, nhwc};
use crate::{Shape, Tensor};

/// The image with zero padding; negative padding crops, which is the gradient of one above.
///
/// Input: `x: [n, h, w, c]`. Output: `[n, h + top + bottom, w + left + right, c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad2d {
    /// Pixels added: `[[top, bottom], [left, right]]`.
    pub borders: [[i32; 2]; 2],
}

impl Pad2d {
    /// The same border on each side.
    pub fn around(pixels: i32) -> Pad2d {
        Pad2d { borders: [[pixels; 2]; 2] }
    }
}

impl Operator for Pad2d {
    const STEM: &'static str = "pad2d";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let [n, h, w, c] = nhwc(inputs, 0, "x")?;
        // Kernels count pixels in 32 bits, with a sign.
        let extent = |extent: usize, borders: [i32; 2]| {
            let extent = i32::try_from(extent).ok()?;
            let [before, after] = borders.map(|border| border.max(i32::MIN + 1));
            let keeps = extent.checked_add(before)? > 0 && extent.checked_add(after)? > 0;
            let all = extent.checked_add(before)?.checked_add(after)?;
            (keeps && all > 0).then_some(all as usize)
        };
        match (extent(h, self.borders[0]), extent(w, self.borders[1])) {
            (Some(h), Some(w)) => Ok([n, h, w, c].into()),
            _ => Err(format!("borders of {:?} leave nothing of {h}x{w}, or are too wide", self.borders)),
        }
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let shape = self.shape(&[inputs[0].shape()]).expect("checked by shape");
        let (&[_, h, w, c], &[_, h_out, w_out, _]) = (inputs[0].dims(), shape.dims()) else {
            unreachable!("checked by shape")
        };
        let [[top, _], [left, _]] = self.borders;
        let mut y = Tensor::zeros(shape.clone());
        for (at, pixel) in y.data_mut().chunks_mut(c.max(1)).enumerate() {
            let (column, row, image) = (at % w_out, at / w_out % h_out, at / w_out / h_out);
            let (iy, ix) = (row as i64 - i64::from(top), column as i64 - i64::from(left));
            if (0..h as i64).contains(&iy) && (0..w as i64).contains(&ix) {
                let from = ((image * h + iy as usize) * w + ix as usize) * c;
                pixel.copy_from_slice(&inputs[0].data()[from..from + c]);
            }
        }
        y
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let borders = self.borders.map(|borders| borders.map(i32::saturating_neg));
        at.gradient(0, "dx", Pad2d { borders }, &[at.dy()]);
        Ok(())
    }
}
