//! How files of OpenFace's nn4.small2 name its layers: Keras-OpenFace's `.h5`, its folder of CSV files, which Torch's weights
//! were written to one by one, and Torch's own `.t7`, which tells layers by their places alone.

use std::collections::BTreeMap;

use super::named::Names;
use crate::networks::{LayerSpec, ModelDef, NetworkSpec};
use crate::weights::{Format, TensorMap};

/// The batch norm of a convolution: `inception_3a_3x3_bn1` of `inception_3a_3x3_conv1`.
pub(super) fn norm_of(layer: &str) -> String {
    layer.rsplit_once("conv").map_or_else(|| layer.to_owned(), |(before, after)| format!("{before}bn{after}"))
}

/// Whether a file is Keras-OpenFace's folder of CSV files.
pub(super) fn is_csv(map: &TensorMap) -> bool {
    let has = |name: &str| map.tensors.contains_key(name);
    map.format == Format::CsvFolder && ["conv1_w", "bn1_v", "inception_3a_1x1_conv_w"].into_iter().any(has)
}

/// Names of files without their suffix.
pub(super) fn csv_names(layer: &str) -> Names {
    let norm = norm_of(layer);
    let layer = if layer == ModelDef::Nn4Small2.last_layer() { "dense" } else { layer };
    let norm = ["w", "b", "m", "v"].map(|parameter| format!("{norm}_{parameter}"));
    Names { weights: format!("{layer}_w"), bias: format!("{layer}_b"), norm }
}

/// Where the modules of a `.t7` with a layer's weights and its batch norm are, by the layer's name; none for a file that has
/// other numbers of them than the network.
pub(super) fn torch_modules(map: &TensorMap) -> Option<BTreeMap<String, [String; 2]>> {
    if map.format != Format::Torch7 {
        return None;
    }
    let of = |classes: &'static [&'static str]| {
        let is_one = move |class: &str| classes.iter().any(|&name| class.rsplit('.').next() == Some(name));
        map.modules().iter().filter(move |module| is_one(&module.class)).map(|module| module.path.clone())
    };
    let products: Vec<String> =
        of(&["SpatialConvolution", "SpatialConvolutionMM", "SpatialConvolutionLocal", "Linear"]).collect();
    let norms: Vec<String> = of(&["SpatialBatchNormalization"]).collect();
    let layers = NetworkSpec::new(ModelDef::Nn4Small2Torch).layers().ok()?;
    let normed = layers.iter().filter(|layer| layer.follows.has_norm()).count();
    if products.len() != layers.len() || norms.len() != normed {
        return None;
    }
    let mut norms = norms.into_iter();
    let paths = layers.into_iter().zip(products).map(|(layer, product)| {
        let norm = if layer.follows.has_norm() { norms.next().unwrap_or_default() } else { String::new() };
        (layer.name, [product, norm])
    });
    Some(paths.collect())
}

/// The tensors of these modules.
pub(super) fn torch_names([product, norm]: &[String; 2]) -> Names {
    let within =
        |module: &str, field: &str| if module.is_empty() { field.to_owned() } else { format!("{module}/{field}") };
    let norm = ["weight", "bias", "running_mean", "running_var"].map(|field| within(norm, field));
    Names { weights: within(product, "weight"), bias: within(product, "bias"), norm }
}

/// Extents of a layer's weights in a file, those that they are read with, and where its axes are then: Torch has inputs
/// before taps, and perhaps all of an output's values as one; CSV files have no extents at all.
pub(super) fn layout(layer: &LayerSpec, found: Option<&[usize]>) -> (Vec<usize>, Option<Vec<usize>>, &'static [usize]) {
    let count: usize = layer.w.iter().product();
    let c_out = layer.w[0];
    let here =
        |dims: &[usize]| dims == [count] || (dims.first() == Some(&c_out) && dims.iter().product::<usize>() == count);
    let extents = found.filter(|dims| here(dims)).map_or_else(|| vec![c_out, count / c_out.max(1)], <[usize]>::to_vec);
    match *layer.w.as_slice() {
        [c_out, k_h, k_w, c_in] => (extents, Some(vec![c_out, c_in, k_h, k_w]), &[0, 2, 3, 1]),
        _ => (extents, Some(layer.w.clone()), &[0, 1]),
    }
}
