//! The gradient of [`CenterLoss`](super::CenterLoss).

use serde::Deserialize;

use super::center_loss::features_centers_labels;
use super::{Operator, Port, Real, Tolerance, arity, exactly, index};
use crate::{Shape, Tensor};

/// `dx = 2 (features - centers[label]) dy / (n d)`.
///
/// Inputs: `features: [n, d]`, `centers: [classes, d]`, `labels: [n]`, `dy: [1]`. Output like the features: a row is not
/// a number where its label is no class.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CenterLossBwd;

impl Operator for CenterLossBwd {
    const STEM: &'static str = "center_loss_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 4, "features, centers, labels, dy")?;
        features_centers_labels(inputs)?;
        exactly(inputs, 3, "dy", &[1])?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        2 * output.elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 2e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut dx = inputs[0].clone();
        let &[classes, d] = inputs[1].dims() else { unreachable!("checked by shape") };
        let factor = T::of(2.0) * inputs[3].data()[0] / T::of(dx.data().len() as f64);
        for (row, &label) in dx.data_mut().chunks_mut(d.max(1)).zip(inputs[2].data()) {
            match index(label, classes) {
                Some(label) => {
                    let center = &inputs[1].data()[label * d..][..d];
                    row.iter_mut().zip(center).for_each(|(x, &c)| *x = factor * (*x - c));
                }
                None => row.fill(T::nan()),
            }
        }
        dx
    }
}
