//! Keras's names in a graph that TensorFlow 2 froze: constants are called after the op that reads them, not after the
//! variable that they were.
//!
//! `…/Conv2d_1a_3x3/Conv2D/ReadVariableOp/resource` is Keras 2's kernel, `…/Conv2d_1a_3x3_1/convolution/…` Keras 3's.

use std::collections::{BTreeMap, BTreeSet};

use super::scopes::without_deepfaces_slip;

/// What all these names end in.
const END: &str = "/resource";

/// One constant: the layer, the op within it that reads, and which of the op's reads it is.
struct Read<'a> {
    name: &'a str,
    layer: String,
    op: &'a str,
    number: usize,
}

/// The constants that are weights, each as `LAYER/parameter`.
pub(super) fn parameters<'a>(
    names: impl Iterator<Item = &'a str>,
    layers: &BTreeSet<String>,
) -> BTreeMap<String, String> {
    let reads: Vec<Read<'_>> = names.filter_map(|name| read(name, layers)).collect();
    let is_there = |layer: &str, op: &str, number: usize| {
        reads.iter().any(|read| read.layer == layer && read.op == op && read.number == number)
    };
    let named = reads.iter().filter_map(|read| {
        // A norm with a scale reads one value more, before its offset.
        let scaled = is_there(&read.layer, "", 1) || is_there(&read.layer, "Cast_3", 0);
        let parameter = match read.layer.ends_with("_BatchNorm") {
            true => of_norm(read, scaled)?,
            false => of_layer(read)?,
        };
        Some((read.name.to_owned(), format!("{}/{parameter}", read.layer)))
    });
    named.collect()
}

fn read<'a>(name: &'a str, layers: &BTreeSet<String>) -> Option<Read<'a>> {
    let (owner, variable) = name.strip_suffix(END)?.rsplit_once('/')?;
    let number = match variable.strip_prefix("ReadVariableOp")? {
        "" => 0,
        rest => rest.strip_prefix('_')?.parse().ok()?,
    };
    // The op is what stands behind the layer.
    let mut end = owner.len();
    loop {
        let start = owner[..end].rfind('/').map_or(0, |at| at + 1);
        if let Some(layer) = known(&owner[start..end], layers) {
            return Some(Read { name, layer, op: owner[end..].trim_start_matches('/'), number });
        }
        end = start.checked_sub(1)?;
    }
}

/// The layer of this name; a second call of a layer has a number behind it.
fn known(part: &str, layers: &BTreeSet<String>) -> Option<String> {
    let whole = without_deepfaces_slip(part);
    if layers.contains(&whole) {
        return Some(whole);
    }
    let (name, number) = part.rsplit_once('_')?;
    let name = without_deepfaces_slip(name);
    (number.parse::<u32>().is_ok() && layers.contains(&name)).then_some(name)
}

fn of_layer(read: &Read<'_>) -> Option<&'static str> {
    match read.op {
        "Conv2D" | "convolution" | "MatMul" | "Cast" => Some("kernel"),
        "BiasAdd" | "Reshape" | "Add" | "add" => Some("bias"),
        _ => None,
    }
}

fn of_norm(read: &Read<'_>, scaled: bool) -> Option<&'static str> {
    match (read.op, read.number, scaled) {
        ("FusedBatchNormV3" | "FusedBatchNorm", 0, _) | ("batchnorm", 1, _) | ("Cast", 0, _) => Some("moving_mean"),
        ("FusedBatchNormV3" | "FusedBatchNorm", 1, _) | ("batchnorm", 0, _) | ("Cast_1", 0, _) => {
            Some("moving_variance")
        }
        ("", 0, true) | ("batchnorm/mul", 0, _) | ("Cast_2", 0, true) => Some("gamma"),
        ("", 0, false) | ("", 1, true) | ("batchnorm", 2, _) | ("Cast_2", 0, false) | ("Cast_3", 0, _) => Some("beta"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As TensorFlow 2.21 froze deepface's model of Keras 2.21 and of Keras 3.15, and the latter's norms with a scale.
    #[test]
    fn what_each_keras_reads() {
        let layers = ["Conv2d_1a_3x3", "Conv2d_1a_3x3_BatchNorm", "Block8_2_Branch_1_Conv2d_0a_1x1", "Bottleneck"];
        let layers: BTreeSet<String> =
            layers.into_iter().chain(["Bottleneck_BatchNorm", "Block35_1_Conv2d_1x1"]).map(str::to_owned).collect();
        let pairs = [
            ("m/Conv2d_1a_3x3/Conv2D/ReadVariableOp/resource", "Conv2d_1a_3x3/kernel"),
            ("m/Conv2d_1a_3x3_BatchNorm/ReadVariableOp/resource", "Conv2d_1a_3x3_BatchNorm/beta"),
            (
                "m/Conv2d_1a_3x3_BatchNorm/FusedBatchNormV3/ReadVariableOp/resource",
                "Conv2d_1a_3x3_BatchNorm/moving_mean",
            ),
            (
                "m/Conv2d_1a_3x3_BatchNorm/FusedBatchNormV3/ReadVariableOp_1/resource",
                "Conv2d_1a_3x3_BatchNorm/moving_variance",
            ),
            ("m/Block35_1_Conv2d_1x1/BiasAdd/ReadVariableOp/resource", "Block35_1_Conv2d_1x1/bias"),
            (
                "m/Block8_2_Branch_2_Conv2d_0a_1x1/Conv2D/ReadVariableOp/resource",
                "Block8_2_Branch_1_Conv2d_0a_1x1/kernel",
            ),
            ("m/Bottleneck/MatMul/ReadVariableOp/resource", "Bottleneck/kernel"),
            ("m/Bottleneck_BatchNorm/batchnorm/ReadVariableOp/resource", "Bottleneck_BatchNorm/moving_variance"),
            ("m/Bottleneck_BatchNorm/batchnorm/ReadVariableOp_1/resource", "Bottleneck_BatchNorm/moving_mean"),
            ("m/Bottleneck_BatchNorm/batchnorm/ReadVariableOp_2/resource", "Bottleneck_BatchNorm/beta"),
            ("m/Bottleneck_BatchNorm/batchnorm/mul/ReadVariableOp/resource", "Bottleneck_BatchNorm/gamma"),
        ];
        let expected = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(name, simple)| (name.to_owned(), simple.to_owned())).collect::<BTreeMap<_, _>>()
        };
        let others =
            ["m/Bottleneck_BatchNorm/batchnorm/add/y", "m/Conv2d_1a_3x3_BatchNorm/Const", "x/ReadVariableOp/resource"];
        let names = pairs.iter().map(|&(name, _)| name).chain(others);
        assert_eq!(parameters(names, &layers), expected(&pairs));
        let mut pairs = vec![
            ("m_1/Conv2d_1a_3x3_1/convolution/ReadVariableOp/resource", "Conv2d_1a_3x3/kernel"),
            ("m_1/Conv2d_1a_3x3_BatchNorm_1/Cast/ReadVariableOp/resource", "Conv2d_1a_3x3_BatchNorm/moving_mean"),
            ("m_1/Conv2d_1a_3x3_BatchNorm_1/Cast_1/ReadVariableOp/resource", "Conv2d_1a_3x3_BatchNorm/moving_variance"),
            ("m_1/Conv2d_1a_3x3_BatchNorm_1/Cast_2/ReadVariableOp/resource", "Conv2d_1a_3x3_BatchNorm/beta"),
            ("m_1/Block35_1_Conv2d_1x1_1/Reshape/ReadVariableOp/resource", "Block35_1_Conv2d_1x1/bias"),
            ("m_1/Bottleneck_1/Cast/ReadVariableOp/resource", "Bottleneck/kernel"),
        ];
        assert_eq!(parameters(pairs.iter().map(|&(name, _)| name), &layers), expected(&pairs));
        pairs[3].1 = "Conv2d_1a_3x3_BatchNorm/gamma";
        pairs.push(("m_1/Conv2d_1a_3x3_BatchNorm_1/Cast_3/ReadVariableOp/resource", "Conv2d_1a_3x3_BatchNorm/beta"));
        assert_eq!(parameters(pairs.iter().map(|&(name, _)| name), &layers), expected(&pairs));
    }
}
