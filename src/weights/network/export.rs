//! A network's weights under the names and axes that others read.

use super::{Norm, Unfolded, UnfoldedLayer};
use crate::Tensor;

/// Outputs last, as TensorFlow has them; a locally connected layer's filters stay as they are.
pub(crate) fn outputs_last(tensor: &Tensor) -> Tensor {
    match tensor.dims().len() {
        4 => tensor.permute(&[1, 2, 3, 0]),
        2 => tensor.permute(&[1, 0]),
        _ => tensor.clone(),
    }
}

/// Outputs first, as they lie here.
pub(crate) fn outputs_first(tensor: Tensor) -> Tensor {
    match tensor.dims().len() {
        4 => tensor.permute(&[3, 0, 1, 2]),
        2 => tensor.permute(&[1, 0]),
        _ => tensor,
    }
}

impl Unfolded {
    /// As the original's checkpoints have them: `InceptionResnetV1/Conv2d_1a_3x3/weights`, outputs last.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for weights that are not the network's.
    pub fn tensorflow(&self) -> crate::Result<Vec<(String, Tensor)>> {
        let mut tensors = Vec::new();
        for spec in self.network.layers()? {
            let scope = format!("{}{}", self.network.def.scope(), spec.name);
            self.layer(&spec.name)?.tensorflow(&scope, &mut tensors);
        }
        if let Some((w, b)) = &self.logits {
            tensors.extend([("Logits/weights".to_owned(), outputs_last(w)), ("Logits/biases".to_owned(), b.clone())]);
        }
        Ok(tensors)
    }
}

impl UnfoldedLayer {
    fn tensorflow(&self, scope: &str, tensors: &mut Vec<(String, Tensor)>) {
        tensors.push((format!("{scope}/weights"), outputs_last(&self.w)));
        match &self.norm {
            Norm::Bias(b) => tensors.push((format!("{scope}/biases"), b.clone())),
            Norm::Batch(norm) => {
                tensors.extend(norm.bias.iter().map(|bias| (format!("{scope}/biases"), bias.clone())));
                let gamma = norm.gamma.as_ref().map(|gamma| ("gamma", gamma));
                let rest = [("beta", &norm.beta), ("moving_mean", &norm.mean), ("moving_variance", &norm.variance)];
                let named = gamma.into_iter().chain(rest);
                tensors.extend(named.map(|(name, t)| (format!("{scope}/BatchNorm/{name}"), t.clone())));
            }
        }
    }
}
