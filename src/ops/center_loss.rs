//! Center loss (Wen et al. 2016; `facenet.center_loss`).

use serde::Deserialize;

use super::{CenterLossBwd, Operator, Port, Real, Tolerance, Vjp, arity, exactly, index};
use crate::{Shape, Tensor};

/// `y = mean over n d of (features - centers[label])^2`.
///
/// Inputs: `features: [n, d]`, `centers: [classes, d]`, `labels: [n]`. Output `[1]`: not a number if a label is no class,
/// 0 for no rows. The centers move by [`CenterUpdate`](super::CenterUpdate), not by gradient.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CenterLoss;

/// Checks `features: [n, d]`, `centers: [classes, d]` and `labels: [n]`, the first three of the inputs.
pub(super) fn features_centers_labels(inputs: &[&Shape]) -> Result<(), String> {
    let &[n, d] = inputs[0].dims() else { return Err(format!("expected features: [n, d], got {}", inputs[0])) };
    match inputs[1].dims() {
        &[_, other] if other == d => {}
        _ => return Err(format!("expected centers: [classes, {d}], got {}", inputs[1])),
    }
    exactly(inputs, 2, "labels", &[n])
}

impl Operator for CenterLoss {
    const STEM: &'static str = "center_loss";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "features, centers, labels")?;
        features_centers_labels(inputs)?;
        Ok([1].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        3 * inputs[0].elements() as u64
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
        let &[classes, d] = inputs[1].dims() else { unreachable!("checked by shape") };
        let rows = inputs[0].data().chunks(d.max(1)).zip(inputs[2].data());
        let losses = rows.map(|(features, &label)| match index(label, classes) {
            Some(label) => {
                let center = &inputs[1].data()[label * d..][..d];
                features.iter().zip(center).map(|(&x, &c)| (x - c) * (x - c)).sum::<T>()
            }
            None => T::nan(),
        });
        Tensor::new([1], vec![losses.sum::<T>() / T::of(inputs[0].data().len().max(1) as f64)])
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        if at.wanted(1) {
            return Err("centers have no gradient; center_update moves them".into());
        }
        let inputs = [at.input(0), at.input(1), at.input(2), at.dy()];
        at.gradient(0, "d_features", CenterLossBwd, &inputs);
        Ok(())
    }
}
