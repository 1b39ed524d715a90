//! The network's weights under the names and axes that facenet-pytorch reads.

use super::naming::Naming;
use super::{EPSILON, layers_of};
use crate::error::{Error, Result};
use crate::networks::ModelDef;
use crate::tensor::Tensor;
use crate::weights::network::{Norm, Unfolded, UnfoldedLayer};

impl Unfolded {
    /// As facenet-pytorch's `InceptionResnetV1.state_dict()` has them: `conv2d_1a.conv.weight`, outputs first, then inputs.
    /// A batch norm that is folded becomes one that changes nothing but for its offset.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another network, which facenet-pytorch does not have.
    pub fn torch(&self) -> Result<Vec<(String, Tensor)>> {
        if self.network.def != ModelDef::InceptionResnetV1 {
            let problem = format!("facenet-pytorch has no {}; write an .npz", self.network.def.title());
            return Err(Error::invalid("the network", problem));
        }
        let naming = Naming::torch();
        let layers = layers_of(self.network.width);
        let mut tensors = Vec::new();
        let mut put = |names: super::naming::Names, layer: &UnfoldedLayer, bias: bool| {
            let w = if layer.w.dims().len() == 4 { layer.w.permute(&[0, 3, 1, 2]) } else { layer.w.clone() };
            let n = w.dims()[0];
            tensors.push((names.weights, w));
            let of = |value: f32| Tensor::new([n], vec![value; n]);
            let [gamma, beta, mean, variance] = match &layer.norm {
                Norm::Bias(b) if bias => {
                    tensors.push((names.norm.biases[0].clone(), b.clone()));
                    return;
                }
                Norm::Bias(b) => [of(1.0), b.clone(), of(0.0), of((1.0 - EPSILON) as f32)],
                Norm::Batch(norm) => {
                    let gamma = norm.gamma.clone().unwrap_or_else(|| of(1.0));
                    [gamma, norm.beta.clone(), norm.mean.clone(), norm.variance.clone()]
                }
            };
            let names = [names.norm.gammas[0].clone(), names.norm.beta, names.norm.mean, names.norm.variance];
            tensors.extend(names.into_iter().zip([gamma, beta, mean, variance]));
        };
        for (i, spec) in layers.iter().enumerate() {
            let names = naming.conv_names(&naming.layer(&layers, i), spec.bias_only);
            put(names, self.layer(&spec.name)?, spec.bias_only);
        }
        put(naming.bottleneck_names(), &self.bottleneck, false);
        if let Some((w, b)) = &self.logits {
            let [weights, biases] = naming.logits_names();
            tensors.extend([(weights.to_owned(), w.clone()), (biases.to_owned(), b.clone())]);
        }
        Ok(tensors)
    }
}
