//! What an embedding network's file has, lacks, and has besides.

use std::collections::BTreeSet;

use super::naming::{Names, Naming};
use super::ordered;
use super::stored::width;
use super::table::layers_of;
use crate::error::Result;
use crate::networks::ModelDef;
use crate::weights::TensorMap;
use crate::weights::layers::LayerSource;
use crate::weights::survey::{Network, Survey};

/// Tells what a file has of the embedding network, and what not.
///
/// # Errors
/// [`crate::Error::Weights`] if nothing in it is named as part of one, or two are.
pub(in crate::weights) fn survey(map: &TensorMap) -> Result<Survey> {
    if !map.layers.is_empty() {
        return of_graph(map);
    }
    let naming = Naming::of(map)?;
    let source = LayerSource::new(map, |name| naming.simplify(name));
    let width = width(&source, &naming);
    let layers = layers_of(width);
    let convs = (0..layers.len()).map(|i| naming.conv_names(&naming.layer(&layers, i), layers[i].bias_only));
    let (mut missing, mut used) = (Vec::new(), BTreeSet::new());
    for names in convs.chain([naming.bottleneck_names()]) {
        missing.extend(lacking(&names, &source));
        used.extend(all(&names));
    }
    used.extend(naming.logits_names().map(str::to_owned));
    let (mut extra, mut passed_over) = (Vec::new(), Vec::new());
    for (name, view) in &map.tensors {
        let part = naming.simplify(name);
        if part.is_some_and(|part| used.contains(&part)) {
            continue;
        }
        match view.dims().is_empty() || naming.is_harmless(name, map.format) {
            true => passed_over.push(name.clone()),
            false => extra.push(name.clone()),
        }
    }
    let bottleneck = source.dims(&naming.bottleneck_names().weights);
    let size = bottleneck.and_then(|dims| if naming.style.is_torch() { dims.first() } else { dims.last() });
    Ok(Survey {
        networks: vec![Network::Embedding(ModelDef::InceptionResnetV1)],
        naming: Some(naming.style.name()),
        embedding: size.copied(),
        stem: Some(width.channels(ModelDef::InceptionResnetV1.stem())),
        missing,
        extra,
        passed_over,
        problem: None,
    })
}

/// Of a graph all layers are there, or it is no such network.
fn of_graph(map: &TensorMap) -> Result<Survey> {
    let found = ordered::find(map)?;
    Ok(Survey {
        networks: vec![Network::Embedding(ModelDef::InceptionResnetV1)],
        // Names mean nothing in a graph.
        naming: None,
        embedding: found.bottleneck.w.dims().first().copied(),
        stem: Some(found.network.width.channels(ModelDef::InceptionResnetV1.stem())),
        ..Survey::default()
    })
}

/// A layer's tensors that are not there; a bias or a batch norm, whichever it has, is one of the two.
fn lacking(names: &Names, source: &LayerSource<'_>) -> Vec<String> {
    let norm = &names.norm;
    let biased = norm.biases.iter().any(|name| source.has(name));
    let wanted: Vec<&String> = match (biased, norm.expects_bias) {
        (true, _) => vec![&names.weights],
        (false, true) => [&names.weights].into_iter().chain(norm.biases.first()).collect(),
        (false, false) => vec![&names.weights, &norm.beta, &norm.mean, &norm.variance],
    };
    wanted.into_iter().filter(|name| !source.has(name)).cloned().collect()
}

fn all(names: &Names) -> impl Iterator<Item = String> {
    let norm = &names.norm;
    let ones = [&names.weights, &norm.beta, &norm.mean, &norm.variance];
    ones.into_iter().chain(&norm.biases).chain(&norm.gammas).cloned()
}
