//! Gradient of a locally connected layer with respect to its bias.

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, nhwc};
use crate::{Shape, Tensor};

/// `db = sum over images of dy`. Input: `dy: [n, h, w, c]`. Output `[h, w, c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LocalConv2dBwdBias;

impl Operator for LocalConv2dBwdBias {
    const STEM: &'static str = "local_conv2d_bwd_bias";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "dy")?;
        let [_, h, w, c] = nhwc(inputs, 0, "dy")?;
        Ok([h, w, c].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        inputs[0].elements() as u64
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut db = Tensor::zeros(&inputs[0].dims()[1..]);
        for image in inputs[0].data().chunks_exact(db.shape().elements().max(1)) {
            db.data_mut().iter_mut().zip(image).for_each(|(db, &dy)| *db = *db + dy);
        }
        db
    }
}
