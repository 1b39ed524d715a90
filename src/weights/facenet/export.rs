//! The network's weights under the names and axes that others read.

use super::naming::Naming;
use super::{EPSILON, Norm, Unfolded, UnfoldedLayer, layers_of};
use crate::Tensor;

impl Unfolded {
    /// As the original's checkpoints have them: `InceptionResnetV1/Conv2d_1a_3x3/weights`, outputs last.
    pub fn tensorflow(&self) -> Vec<(String, Tensor)> {
        let mut tensors = Vec::new();
        let mut put = |scope: &str, layer: &UnfoldedLayer| {
            let scope = format!("InceptionResnetV1/{scope}");
            let axes: &[usize] = if layer.w.dims().len() == 4 { &[1, 2, 3, 0] } else { &[1, 0] };
            tensors.push((format!("{scope}/weights"), layer.w.permute(axes)));
            match &layer.norm {
                Norm::Bias(b) => tensors.push((format!("{scope}/biases"), b.clone())),
                Norm::Batch(norm) => {
                    let gamma = norm.gamma.as_ref().map(|gamma| ("gamma", gamma));
                    let rest = [("beta", &norm.beta), ("moving_mean", &norm.mean), ("moving_variance", &norm.variance)];
                    let named = gamma.into_iter().chain(rest);
                    tensors.extend(named.map(|(name, t)| (format!("{scope}/BatchNorm/{name}"), t.clone())));
                }
            }
        };
        for spec in layers_of(self.width) {
            put(&spec.name, &self.convs[&spec.name]);
        }
        put("Bottleneck", &self.bottleneck);
        if let Some((w, b)) = &self.logits {
            tensors
                .extend([("Logits/weights".to_owned(), w.permute(&[1, 0])), ("Logits/biases".to_owned(), b.clone())]);
        }
        tensors
    }

    /// As facenet-pytorch's `InceptionResnetV1.state_dict()` has them: `conv2d_1a.conv.weight`, outputs first, then inputs.
    /// A batch norm that is folded becomes one that changes nothing but for its offset.
    pub fn torch(&self) -> Vec<(String, Tensor)> {
        let naming = Naming::torch();
        let layers = layers_of(self.width);
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
            put(names, &self.convs[&spec.name], spec.bias_only);
        }
        put(naming.bottleneck_names(), &self.bottleneck, false);
        if let Some((w, b)) = &self.logits {
            let [weights, biases] = naming.logits_names();
            tensors.extend([(weights.to_owned(), w.clone()), (biases.to_owned(), b.clone())]);
        }
        tensors
    }
}
