//! The weights in training as one vector, and the batch norms' running averages as another.
//!
//! Weights that decay come first, so that an optimizer knows them by their place: filters, the bottleneck's and the
//! classifier's weights, as the original regularizes them. Biases and offsets follow.

use std::collections::BTreeMap;

use crate::networks::{LayerSpec, NetworkSpec, glorot};
use crate::ops::Join;
use crate::weights::network::{BatchNormWeights, Norm, Unfolded, UnfoldedLayer};
use crate::{Error, Result, Shape, Tensor};

/// Which network is trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The network up to its embeddings.
    pub network: NetworkSpec,
    /// People that a classifier tells apart; none for losses of distances.
    pub classes: Option<usize>,
    /// Whether batch norms have a trained scale; the original's have none.
    pub gamma: bool,
}

/// A tensor's place among others in a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name, TensorFlow's below the network's scope.
    pub name: String,
    /// Its extents: filters `[c_out, k_h, k_w, c_in]`, matrices `[out, in]`.
    pub shape: Shape,
    /// Its first element.
    pub offset: usize,
}

/// Where everything that is trained lies.
#[derive(Clone, Debug)]
pub struct Parameters {
    spec: Spec,
    layers: Vec<LayerSpec>,
    weights: Vec<Place>,
    weights_len: usize,
    decayed: usize,
    /// Mean, variance and variance with Bessel's correction of each batch norm, `[3, c]`, by its layer's name.
    norms: Vec<Place>,
    norms_len: usize,
    by_name: BTreeMap<String, usize>,
}

/// Values for all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// As [`Parameters::weights`] lie.
    pub weights: Vec<f32>,
    /// As [`Parameters::norms`] lie.
    pub norms: Vec<f32>,
}

impl Parameters {
    /// The places of a network's weights.
    ///
    /// # Errors
    /// [`Error::Invalid`] for crops that are too small for it.
    pub fn new(spec: Spec) -> Result<Self> {
        let layers = spec.network.layers()?;
        let (mut decayed, mut others, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        let mut norm = |name: &str, c: usize, others: &mut Vec<(String, Shape)>| {
            others.push((format!("{name}/BatchNorm/beta"), [c].into()));
            if spec.gamma {
                others.push((format!("{name}/BatchNorm/gamma"), [c].into()));
            }
            norms.push((name.to_owned(), [3, c].into()));
        };
        for layer in &layers {
            let LayerSpec { name, w, follows } = layer;
            decayed.push((format!("{name}/weights"), w.clone().into()));
            if follows.has_bias() {
                others.push((format!("{name}/biases"), layer.bias().to_vec().into()));
            }
            if follows.has_norm() {
                norm(name, layer.c_out(), &mut others);
            }
        }
        if let Some(classes) = spec.classes {
            decayed.push(("Logits/weights".to_owned(), [classes, spec.network.embedding_size].into()));
            others.push(("Logits/biases".to_owned(), [classes].into()));
        }
        let first = decayed.len();
        decayed.append(&mut others);
        let (weights, weights_len) = places(decayed);
        let (norms, norms_len) = places(norms);
        let by_name = weights.iter().enumerate().map(|(i, place)| (place.name.clone(), i)).collect();
        let decayed = weights[first].offset;
        Ok(Parameters { spec, layers, weights, weights_len, decayed, norms, norms_len, by_name })
    }

    /// Which network it is.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Every trained tensor, in order.
    pub fn weights(&self) -> &[Place] {
        &self.weights
    }

    /// Elements of the vector of weights, gaps included.
    pub fn weights_len(&self) -> usize {
        self.weights_len
    }

    /// How many of its elements decay: the first ones.
    pub fn decayed(&self) -> usize {
        self.decayed
    }

    /// Every batch norm's averages, in the order of the network.
    pub fn norms(&self) -> &[Place] {
        &self.norms
    }

    /// Elements of the vector of averages, gaps included.
    pub fn norms_len(&self) -> usize {
        self.norms_len
    }

    /// A trained tensor's place.
    pub fn find(&self, name: &str) -> Option<&Place> {
        self.by_name.get(name).map(|&i| &self.weights[i])
    }

    /// How many weights there are.
    pub fn count(&self) -> usize {
        self.weights.iter().map(|place| place.shape.elements()).sum()
    }

    /// Values to begin with, a function of the seed: weights by Glorot and Bengio 2010 (`xavier_initializer`, uniform),
    /// biases and offsets 0, scales 1, running means 0, running variances 1.
    pub fn initial(&self, seed: u64) -> Values {
        let mut values = Values { weights: vec![0.0; self.weights_len], norms: vec![0.0; self.norms_len] };
        for (i, place) in self.weights.iter().enumerate() {
            let to = slice_mut(&mut values.weights, place);
            if place.name.ends_with("/weights") {
                match self.layers.get(i) {
                    Some(layer) => layer.initialize(seed, i as u64, to),
                    // The classifier.
                    None => glorot([place.shape.last(), place.shape.dims()[0]], seed, i as u64, to),
                }
            } else if place.name.ends_with("/gamma") {
                to.fill(1.0);
            }
        }
        for place in &self.norms {
            let c = place.shape.last();
            slice_mut(&mut values.norms, place)[c..].fill(1.0);
        }
        values
    }

    /// A pretrained network's values. `rows` says for each row of the classifier which one of the pretrained classifier
    /// it takes; the others, and those without, hold what [`Parameters::initial`] gives.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a network of another width or embedding, and for one whose batch norms are folded.
    pub fn pretrained(&self, from: &Unfolded, rows: &[Option<usize>], seed: u64) -> Result<Values> {
        let spec = &self.spec;
        if !from.network.is_like(&spec.network) {
            let problem = format!("is {}; expected {}", from.network, spec.network);
            return Err(Error::invalid("pretrained model", problem));
        }
        let mut values = self.initial(seed);
        for LayerSpec { name, .. } in &self.layers {
            let layer = from.layer(name)?;
            self.put(&mut values, &format!("{name}/weights"), &layer.w)?;
            match &layer.norm {
                Norm::Bias(b) if !self.norms.iter().any(|place| place.name == *name) => {
                    self.put(&mut values, &format!("{name}/biases"), b)?;
                }
                Norm::Bias(_) => {
                    let problem = format!(
                        "{name}: its batch norm is folded into the weights; training needs the file that the network was published as"
                    );
                    return Err(Error::invalid("pretrained model", problem));
                }
                Norm::Batch(norm) => {
                    if let Some(bias) = &norm.bias {
                        self.put(&mut values, &format!("{name}/biases"), bias)?;
                    }
                    self.put(&mut values, &format!("{name}/BatchNorm/beta"), &norm.beta)?;
                    if let Some(gamma) = norm.gamma.as_ref().filter(|_| spec.gamma) {
                        self.put(&mut values, &format!("{name}/BatchNorm/gamma"), gamma)?;
                    }
                    let place = self.norms.iter().find(|place| place.name == *name).expect("every norm has its place");
                    let rows = [&norm.mean, &norm.variance, &norm.variance];
                    let to = slice_mut(&mut values.norms, place).chunks_exact_mut(place.shape.last());
                    to.zip(rows).for_each(|(to, from)| to.copy_from_slice(from.data()));
                }
            }
        }
        let logits = from.logits.iter().flat_map(|(w, b)| [("Logits/weights", w), ("Logits/biases", b)]);
        for (name, tensor) in logits {
            self.put_rows(&mut values, name, tensor, rows);
        }
        Ok(values)
    }

    /// Copies the rows that a tensor has of these; the others stay.
    fn put_rows(&self, values: &mut Values, name: &str, tensor: &Tensor, rows: &[Option<usize>]) {
        let Some(place) = self.find(name) else { return };
        let width = place.shape.elements() / place.shape.dims()[0];
        let of = |row: &Option<usize>| tensor.data().chunks_exact(width).nth((*row)?);
        let to = slice_mut(&mut values.weights, place).chunks_exact_mut(width);
        for (to, from) in to.zip(rows.iter().map(of)) {
            from.into_iter().for_each(|from| to.copy_from_slice(from));
        }
    }

    fn put(&self, values: &mut Values, name: &str, tensor: &Tensor) -> Result<()> {
        let place = self.find(name).filter(|place| place.shape == *tensor.shape());
        let place = place
            .ok_or_else(|| Error::invalid("pretrained model", format!("{name}: {} does not fit", tensor.shape())))?;
        slice_mut(&mut values.weights, place).copy_from_slice(tensor.data());
        Ok(())
    }

    /// The network with these values, as files have it; running variances are those with Bessel's correction.
    pub fn unfolded(&self, values: &Values) -> Unfolded {
        let get = |name: &str| {
            self.find(name).map(|place| Tensor::new(place.shape.clone(), slice(&values.weights, place).to_vec()))
        };
        let must = |name: &str| get(name).expect("every layer has its weights");
        let layer = |name: &str| {
            let norm = match self.norms.iter().find(|place| place.name == name) {
                None => Norm::Bias(must(&format!("{name}/biases"))),
                Some(place) => {
                    let c = place.shape.last();
                    let row = |i: usize| Tensor::new([c], slice(&values.norms, place)[i * c..][..c].to_vec());
                    Norm::Batch(BatchNormWeights {
                        bias: get(&format!("{name}/biases")),
                        gamma: get(&format!("{name}/BatchNorm/gamma")),
                        beta: must(&format!("{name}/BatchNorm/beta")),
                        mean: row(0),
                        variance: row(2),
                    })
                }
            };
            UnfoldedLayer { w: must(&format!("{name}/weights")), norm }
        };
        let last = self.spec.network.def.last_layer();
        let others = self.layers.iter().filter(|spec| spec.name != last);
        Unfolded {
            network: self.spec.network,
            layers: others.map(|spec| (spec.name.clone(), layer(&spec.name))).collect(),
            bottleneck: layer(last),
            logits: get("Logits/weights").zip(get("Logits/biases")),
        }
    }
}

/// Gives tensors their places, and tells where the last one ends.
fn places(tensors: Vec<(String, Shape)>) -> (Vec<Place>, usize) {
    let (starts, end) = Join::layout(tensors.iter().map(|(_, shape)| shape));
    let place = |((name, shape), offset)| Place { name, shape, offset };
    (tensors.into_iter().zip(starts).map(place).collect(), end)
}

fn slice<'a>(values: &'a [f32], place: &Place) -> &'a [f32] {
    &values[place.offset..][..place.shape.elements()]
}

fn slice_mut<'a>(values: &'a mut [f32], place: &Place) -> &'a mut [f32] {
    &mut values[place.offset..][..place.shape.elements()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{ModelDef, Width};

    fn spec() -> Spec {
        let network = NetworkSpec::new(ModelDef::InceptionResnetV1).width(Width::of_stem(2).unwrap());
        Spec { network: network.embedding_size(16), classes: Some(5), gamma: false }
    }

    fn all(rows: usize) -> Vec<Option<usize>> {
        (0..rows).map(Some).collect()
    }

    #[test]
    fn there_and_back() {
        let narrow = |def| NetworkSpec::new(def).width(Width::of_stem(2).unwrap()).side(80);
        let networks = ModelDef::ALL.into_iter().map(narrow).chain([spec().network]);
        for (network, gamma) in networks.flat_map(|network| [(network, false), (network, true)]) {
            let parameters = Parameters::new(Spec { network, gamma, ..spec() }).unwrap();
            let count = network.parameters(Some(5), gamma).unwrap().trained;
            assert_eq!(parameters.count(), count);
            let values = parameters.initial(3);
            let unfolded = parameters.unfolded(&values);
            assert_eq!(parameters.pretrained(&unfolded, &all(5), 4).unwrap(), values);
            assert_eq!(parameters.unfolded(&parameters.initial(3)), unfolded);
            assert_ne!(parameters.initial(4), values);
        }
    }

    #[test]
    fn what_decays_comes_first() {
        let parameters = Parameters::new(spec()).unwrap();
        for place in parameters.weights() {
            assert_eq!(place.offset < parameters.decayed(), place.name.ends_with("/weights"), "{}", place.name);
        }
    }

    #[test]
    fn rows_of_a_classifier_go_where_their_people_are() {
        let few = Parameters::new(spec()).unwrap();
        let many = Parameters::new(Spec { classes: Some(7), ..spec() }).unwrap();
        let (before, new) = (few.initial(1), many.initial(2));
        let from = few.unfolded(&before);
        let rows = [None, Some(4), None, Some(0), None, None, None];
        let values = many.pretrained(&from, &rows, 2).unwrap();
        let (old_head, head) = (few.find("Logits/weights").unwrap(), many.find("Logits/weights").unwrap());
        let row = |values: &Values, head: &Place, i: usize| slice(&values.weights, head)[16 * i..][..16].to_vec();
        for (i, kept) in rows.iter().enumerate() {
            let expected = kept.map_or_else(|| row(&new, head, i), |kept| row(&before, old_head, kept));
            assert_eq!(row(&values, head, i), expected, "row {i}");
        }
        let stem = many.find("Conv2d_1a_3x3/weights").unwrap();
        assert_eq!(slice(&values.weights, stem), slice(&few.initial(1).weights, few.find(&stem.name).unwrap()));
        let other = Spec { network: spec().network.embedding_size(8), ..spec() };
        let other = Parameters::new(other).unwrap();
        assert!(other.pretrained(&from, &[], 1).unwrap_err().to_string().contains("embeddings of 16"));
    }
}
