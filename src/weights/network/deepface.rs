//! How the package deepface names the layers of its PyTorch models: DeepFace's `L4.weight`, and of OpenFace's network
//! `inception_3a.branch_3x3.0.conv.weight`. Inputs stand before taps everywhere, and F7 takes a flattened map with channels
//! first.

use super::named::Names;
use crate::networks::{LayerSpec, ModelDef};
use crate::weights::TensorMap;
use crate::weights::layers::LayerSource;

/// What stands before the names in a file with layers of this network, if there are some.
pub(super) fn prefix(map: &TensorMap, def: ModelDef) -> Option<String> {
    let told_by: &[&str] = match def {
        ModelDef::DeepFace => &["L4.weight", "L5.weight", "F7.weight"],
        ModelDef::Nn4Small2 => &["inception_3a.branch_3x3.0.conv.weight", "inception_5b.branch_pool.conv.weight"],
        _ => &[],
    };
    let before = |end: &&str| {
        let prefixes = map.tensors.keys().filter_map(|name| name.strip_suffix(end));
        prefixes.into_iter().find(|prefix| prefix.is_empty() || prefix.ends_with('.')).map(str::to_owned)
    };
    told_by.iter().find_map(before)
}

/// A layer's names.
pub(super) fn names(def: ModelDef, layer: &str) -> Names {
    let (product, norm) = match module(layer).filter(|_| def.is_openface()) {
        Some(module) => (format!("{module}.conv"), format!("{module}.bn")),
        None => (layer.to_owned(), format!("{layer}.bn")),
    };
    let norm = ["weight", "bias", "running_mean", "running_var"].map(|field| format!("{norm}.{field}"));
    Names { weights: format!("{product}.weight"), bias: format!("{product}.bias"), norm }
}

/// A convolution with its batch norm, as a module: `inception_3a_3x3_conv2` as `inception_3a.branch_3x3.1`; none for the
/// dense layer.
fn module(layer: &str) -> Option<String> {
    let Some(rest) = layer.strip_prefix("inception_") else {
        return layer.starts_with("conv").then(|| layer.to_owned());
    };
    let mut parts = rest.split('_');
    let (block, branch, conv) = (parts.next()?, parts.next()?, parts.next()?);
    let number = conv.strip_prefix("conv")?.parse::<usize>().ok();
    let number = number.map(|number| format!(".{}", number.saturating_sub(1))).unwrap_or_default();
    Some(format!("inception_{block}.branch_{branch}{number}"))
}

/// Extents of a layer's weights in the file, those that they are read with, and where its axes are then.
pub(super) fn layout(
    source: &LayerSource<'_>,
    layer: &LayerSpec,
) -> (Vec<usize>, Option<Vec<usize>>, &'static [usize]) {
    match *layer.w.as_slice() {
        [c_out, k_h, k_w, c_in] => (vec![c_out, c_in, k_h, k_w], None, &[0, 2, 3, 1]),
        [h, w, c_out, k_h, k_w, c_in] => {
            let split = vec![h, w, c_out, c_in, k_h, k_w];
            (vec![h * w, c_out, c_in * k_h * k_w], Some(split), &[0, 1, 2, 4, 5, 3])
        }
        [out, k] => {
            // Channels of the map that is flattened: those of the layer before, where that is a map.
            let channels = source.dims("L6.weight").and_then(|dims| dims.get(1)).copied();
            let side = channels.map(|c| (k / c.max(1)).isqrt());
            match channels.zip(side).filter(|&(c, side)| c * side * side == k) {
                Some((c, side)) => (vec![out, k], Some(vec![out, c, side, side]), &[0, 2, 3, 1]),
                None => (vec![out, k], None, &[0, 1]),
            }
        }
        _ => (layer.w.clone(), None, &[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_called_as_the_package_calls_them() {
        for (layer, weights, mean) in [
            ("conv1", "conv1.conv.weight", "conv1.bn.running_mean"),
            (
                "inception_3a_3x3_conv2",
                "inception_3a.branch_3x3.1.conv.weight",
                "inception_3a.branch_3x3.1.bn.running_mean",
            ),
            (
                "inception_5b_pool_conv",
                "inception_5b.branch_pool.conv.weight",
                "inception_5b.branch_pool.bn.running_mean",
            ),
        ] {
            let names = names(ModelDef::Nn4Small2, layer);
            assert_eq!((names.weights.as_str(), names.norm[2].as_str()), (weights, mean));
        }
        assert_eq!(names(ModelDef::Nn4Small2, "dense_layer").weights, "dense_layer.weight");
        assert_eq!(names(ModelDef::DeepFace, "C1").bias, "C1.bias");
    }
}
