//! What an embedding network's file has, lacks, and has besides.

use std::collections::BTreeSet;

use super::named::{self, Naming};
use crate::error::Result;
use crate::networks::ModelDef;
use crate::weights::layers::LayerSource;
use crate::weights::survey::{Network, Survey};
use crate::weights::{TensorMap, facenet};

/// Tells what a file has of an embedding network, and what not.
///
/// # Errors
/// [`crate::Error::Weights`] if nothing in it is named as part of one, or two are.
pub(in crate::weights) fn survey(map: &TensorMap) -> Result<Survey> {
    let def = match named::definition(map) {
        None | Some(ModelDef::InceptionResnetV1) => return facenet::survey(map),
        Some(def) => def,
    };
    let networks = vec![Network::Embedding(def)];
    let Some(naming) = Naming::of(map, def) else { return Ok(Survey { networks, ..Survey::default() }) };
    let source = LayerSource::new(map, |name| naming.simplify(name));
    let network = naming.network(&source, map)?;
    let layers = network.layers()?;
    let (mut missing, mut used) = (Vec::new(), BTreeSet::new());
    for layer in &layers {
        let (lacking, names) = naming.lacking(&source, layer);
        missing.extend(lacking);
        used.extend(names);
    }
    used.extend(naming.logits().map(str::to_owned));
    let unused = map.tensors.keys().filter(|name| !naming.simplify(name).is_some_and(|name| used.contains(&name)));
    let (passed_over, extra) = unused
        .cloned()
        .partition(|name| map.tensors[name].dims().is_empty() || naming.is_harmless(&layers, name, map.format));
    Ok(Survey {
        networks,
        naming: Some(naming.name()),
        embedding: Some(network.embedding_size),
        stem: Some(layers[0].c_out()),
        missing,
        extra,
        passed_over,
        problem: None,
    })
}
