//! A run's values under the names and axes of the original's checkpoints, so that every reader of those reads these.

use std::collections::BTreeMap;

use crate::ops::OptimizerKind;
use crate::train::checkpoint::Stored;
use crate::train::network::NetworkOptions;
use crate::train::parameters::{Parameters, Place};
use crate::train::trainer::Snapshot;
use crate::weights::network::{outputs_first, outputs_last};
use crate::{Error, Result, Tensor};

/// The weights' moving average, as `tf.train.ExponentialMovingAverage` names it.
const AVERAGE: &str = "ExponentialMovingAverage";
/// A batch norm's statistics, in the order of their rows.
const STATISTICS: [&str; 3] = ["moving_mean", "moving_variance/biased", "moving_variance"];

/// TensorFlow's names of what an optimizer remembers.
fn slots(kind: OptimizerKind) -> &'static [&'static str] {
    match kind {
        OptimizerKind::Adagrad => &["Adagrad"],
        OptimizerKind::Adadelta => &["Adadelta", "Adadelta_1"],
        OptimizerKind::Adam => &["Adam", "Adam_1"],
        OptimizerKind::RmsProp => &["RMSProp", "RMSProp_1"],
        OptimizerKind::Momentum => &["Momentum"],
    }
}

/// A trained tensor's name in files.
fn name(parameters: &Parameters, place: &Place) -> String {
    let scope = if place.name.starts_with("Logits/") { "" } else { parameters.spec().network.def.scope() };
    format!("{scope}{}", place.name)
}

/// The name of a batch norm's statistic in files.
fn statistic_name(parameters: &Parameters, place: &Place, statistic: &str) -> String {
    format!("{}{}/BatchNorm/{statistic}", parameters.spec().network.def.scope(), place.name)
}

/// The names of the rows of the state of the weights: none for the weights themselves.
fn rows(options: &NetworkOptions) -> Vec<Option<&'static str>> {
    let slots = slots(options.optimizer).iter().map(|slot| Some(*slot));
    [None].into_iter().chain(slots).chain(options.average.then_some(Some(AVERAGE))).collect()
}

/// Every tensor of a snapshot, by its name.
pub fn named(parameters: &Parameters, options: &NetworkOptions, snapshot: &Snapshot) -> Vec<(String, Tensor)> {
    let mut tensors = Vec::new();
    for (row, suffix) in snapshot.weights.chunks_exact(parameters.weights_len()).zip(rows(options)) {
        for place in parameters.weights() {
            let data = row[place.offset..][..place.shape.elements()].to_vec();
            let name = name(parameters, place);
            let name = suffix.map_or(name.clone(), |suffix| format!("{name}/{suffix}"));
            tensors.push((name, outputs_last(&Tensor::new(place.shape.clone(), data))));
        }
    }
    for place in parameters.norms() {
        let c = place.shape.last();
        for (i, statistic) in STATISTICS.iter().enumerate() {
            let data = snapshot.norms[place.offset + i * c..][..c].to_vec();
            tensors.push((statistic_name(parameters, place, statistic), Tensor::new([c], data)));
        }
    }
    if !snapshot.centers.is_empty() {
        let d = parameters.spec().network.embedding_size;
        tensors.push(("centers".to_owned(), Tensor::new([snapshot.centers.len() / d, d], snapshot.centers.clone())));
    }
    tensors
}

/// The snapshot that these tensors are of.
///
/// # Errors
/// [`Error::Invalid`] names a tensor that is missing or of other extents.
pub fn snapshot(
    parameters: &Parameters,
    options: &NetworkOptions,
    tensors: &mut BTreeMap<String, Stored>,
) -> Result<Snapshot> {
    let mut take = |name: &str, elements: usize| match tensors.remove(name) {
        Some(Stored::F32(tensor)) if tensor.data().len() == elements => Ok(tensor),
        _ => Err(Error::invalid(
            "checkpoint",
            format!("tensor `{name}` of {elements} values is not there; it is another run's"),
        )),
    };
    let n = parameters.weights_len();
    let mut weights = Vec::with_capacity(options.rows() * n);
    // Gaps between tensors, which no file has, are as at the start: a zero under Adagrad's root would be no number.
    let starts = [0.0].iter().chain(options.optimizer.initial()).chain(options.average.then_some(&0.0));
    starts.for_each(|&start| weights.resize(weights.len() + n, start));
    for (row, suffix) in weights.chunks_exact_mut(n).zip(rows(options)) {
        for place in parameters.weights() {
            let name = name(parameters, place);
            let name = suffix.map_or(name.clone(), |suffix| format!("{name}/{suffix}"));
            let tensor = outputs_first(take(&name, place.shape.elements())?);
            row[place.offset..][..place.shape.elements()].copy_from_slice(tensor.data());
        }
    }
    let mut norms = vec![0.0; parameters.norms_len()];
    for place in parameters.norms() {
        let c = place.shape.last();
        for (i, statistic) in STATISTICS.iter().enumerate() {
            let tensor = take(&statistic_name(parameters, place, statistic), c)?;
            norms[place.offset + i * c..][..c].copy_from_slice(tensor.data());
        }
    }
    let centers = parameters.spec().classes.unwrap_or(0) * parameters.spec().network.embedding_size;
    let centers = if centers > 0 { take("centers", centers)?.into_data() } else { Vec::new() };
    Ok(Snapshot { weights, norms, centers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{ModelDef, NetworkSpec, Width};
    use crate::train::network::Loss;
    use crate::train::parameters::Spec;

    #[test]
    fn there_and_back() {
        let network = NetworkSpec::new(ModelDef::InceptionResnetV1).width(Width::of_stem(2).unwrap()).embedding_size(4);
        let parameters = Parameters::new(Spec { network, classes: Some(3), gamma: true }).unwrap();
        for kind in OptimizerKind::ALL {
            let options = NetworkOptions {
                loss: Loss::Triplet { alpha: 0.2 },
                optimizer: kind,
                average: true,
                weight_decay: 0.0,
                keep_probability: 1.0,
                seed: 1,
                batch: 3,
                recompute: Vec::new(),
            };
            let values = parameters.initial(1);
            let starts = [0.0].iter().chain(kind.initial()).chain(&[0.0]);
            let mut weights: Vec<f32> = starts.flat_map(|&start| vec![start; parameters.weights_len()]).collect();
            for (i, row) in weights.chunks_exact_mut(parameters.weights_len()).enumerate() {
                for place in parameters.weights() {
                    let at = place.offset..place.offset + place.shape.elements();
                    row[at.clone()].iter_mut().zip(&values.weights[at]).for_each(|(x, w)| *x = w + i as f32);
                }
            }
            let centers = (0..12).map(|i| i as f32).collect();
            let before = Snapshot { weights, norms: values.norms, centers };
            let tensors = named(&parameters, &options, &before);
            let stored = |(name, tensor): (String, Tensor)| (name, Stored::F32(tensor));
            let mut stored: BTreeMap<String, Stored> = tensors.into_iter().map(stored).collect();
            let name = "InceptionResnetV1/Conv2d_1a_3x3/weights";
            assert!(matches!(&stored[name], Stored::F32(t) if t.dims() == [3, 3, 3, 2]));
            let mut short = stored.clone();
            short.remove(name);
            assert_eq!(snapshot(&parameters, &options, &mut stored).unwrap(), before);
            assert!(snapshot(&parameters, &options, &mut short).unwrap_err().to_string().contains(name));
        }
    }
}
