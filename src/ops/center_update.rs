//! Centers of classes following their features (`facenet.center_loss`, whose `tf.scatter_sub` this is).

use serde::Deserialize;

use super::{Operator, Port, Real, Tolerance, arity, exactly, index};
use crate::{Shape, Tensor};

/// `centers[l] - (1 - alfa) sum of (centers[l] - features[i]) over the i with label l`, all differences being from the
/// centers as they were: a label given twice moves its center twice as far.
///
/// Inputs: `centers: [classes, d]`, `features: [n, d]`, `labels: [n]`, `finite: [1]`. Output like the centers, whose
/// memory it may take; only rows that a label names are touched, and labels that are no class name none. Where `finite`
/// is 0 the centers stay as they are, whatever the features are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CenterUpdate {
    /// How much of the old center stays.
    pub alfa: f32,
}

impl Operator for CenterUpdate {
    const STEM: &'static str = "center_update";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 4, "centers, features, labels, finite")?;
        let &[_, d] = inputs[0].dims() else {
            return Err(format!("expected centers: [classes, d], got {}", inputs[0]));
        };
        let &[n] = inputs[2].dims() else { return Err(format!("expected labels: [n], got {}", inputs[2])) };
        exactly(inputs, 1, "features", &[n, d])?;
        exactly(inputs, 3, "finite", &[1])?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        2 * inputs[1].elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn in_place(&self) -> Option<usize> {
        Some(0)
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 2e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let old = inputs[0];
        if inputs[3].data()[0] == T::zero() {
            return old.clone();
        }
        let &[classes, d] = old.dims() else { unreachable!("checked by shape") };
        let mut sums = Tensor::<T>::zeros(old.shape().clone());
        for (features, &label) in inputs[1].data().chunks(d.max(1)).zip(inputs[2].data()) {
            let Some(label) = index(label, classes) else { continue };
            let center = &old.data()[label * d..][..d];
            let sum = &mut sums.data_mut()[label * d..][..d];
            sum.iter_mut().zip(features.iter().zip(center)).for_each(|(sum, (&x, &c))| *sum = *sum + (c - x));
        }
        let part = T::one() - T::of(self.alfa.into());
        let new = old.data().iter().zip(sums.data()).map(|(&c, &sum)| c - part * sum);
        Tensor::new(old.shape().clone(), new.collect())
    }
}
