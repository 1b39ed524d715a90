//! Pillow's antialiased bilinear filter, which makes the embedding network's crops.

use serde::Deserialize;

use super::{Operator, Real, arity, nhwc};
use crate::image::{Rgb8, resize_bilinear_pillow};
use crate::{Shape, Tensor};

/// Resizes bytes `x: [n, h_in, w_in, 3]`, 0 to 255, to `[n, h, w, 3]`, whole numbers again, in Pillow's fixed-point
/// arithmetic.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizeBilinear {
    /// Rows of the result.
    pub h: usize,
    /// Columns of the result.
    pub w: usize,
}

impl Operator for ResizeBilinear {
    const STEM: &'static str = "resize_bilinear";
    const F32_ALONE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let [n, h, w, c] = nhwc(inputs, 0, "x")?;
        if c != 3 || h * w == 0 || self.h * self.w == 0 {
            return Err(format!(
                "expected x: [n, h, w, 3] with pixels in and out, got {} to {}x{}",
                inputs[0], self.h, self.w
            ));
        }
        Ok([n, self.h, self.w, c].into())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        2 * (inputs[0].elements() + output.elements()) as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let &[n, h, w, c] = inputs[0].dims() else { unreachable!("checked by shape") };
        let byte = |x: &T| x.to_u8().unwrap_or(0);
        let images = inputs[0].data().chunks_exact(h * w * c);
        let resized =
            images.map(|x| resize_bilinear_pillow(&Rgb8::new(w, h, x.iter().map(byte).collect()), self.w, self.h));
        let data = resized.flat_map(|image| image.into_data()).map(|x| T::of(x.into())).collect();
        Tensor::new([n, self.h, self.w, c], data)
    }
}
