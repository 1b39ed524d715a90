//! OpenCV's `INTER_AREA`, which makes MTCNN's pyramid (on bytes) and its crops (on floats).

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, nhwc};
use crate::image::AreaResize;
use crate::{Shape, Tensor};

/// Resizes `x: [n, h_in, w_in, c]` to `[n, h, w, c]`, shrinking or growing, in f32 arithmetic.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizeArea {
    /// Rows of the result.
    pub h: usize,
    /// Columns of the result.
    pub w: usize,
    /// Whether values are bytes, 0 to 255: the result is then OpenCV's on `u8`, whole numbers again.
    pub bytes: bool,
}

impl Operator for ResizeArea {
    const STEM: &'static str = "resize_area";
    const F32_ALONE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let [n, h, w, c] = nhwc(inputs, 0, "x")?;
        if h * w == 0 || self.h * self.w == 0 {
            return Err(format!("cannot resize {h}x{w} to {}x{}", self.h, self.w));
        }
        Ok([n, self.h, self.w, c].into())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        2 * (inputs[0].elements() + output.elements()) as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        // A GPU may fuse a product into OpenCV's sums.
        if self.bytes { Tolerance::EXACT } else { Tolerance::new(1e-4, 1e-6) }
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let &[n, h, w, c] = inputs[0].dims() else { unreachable!("checked by shape") };
        let resize = AreaResize::new((w, h), (self.w, self.h));
        let float = |x: T| x.to_f32().unwrap_or(f32::NAN);
        let image = |x: &[T]| -> Vec<T> {
            if self.bytes {
                let bytes: Vec<u8> = x.iter().map(|&x| float(x) as u8).collect();
                let mut to = vec![0; self.h * self.w * c];
                resize.u8(&bytes, c, &mut to);
                to.into_iter().map(|x| T::of(x.into())).collect()
            } else {
                let floats: Vec<f32> = x.iter().map(|&x| float(x)).collect();
                let mut to = vec![0.0; self.h * self.w * c];
                resize.f32(&floats, c, &mut to);
                to.into_iter().map(|x| T::of(x.into())).collect()
            }
        };
        let data = inputs[0].data().chunks_exact((h * w * c).max(1)).flat_map(image).collect();
        Tensor::new([n, self.h, self.w, c], data)
    }
}
