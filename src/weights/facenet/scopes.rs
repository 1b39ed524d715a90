//! What each publisher calls a layer.

use super::table::ConvSpec;

/// `Repeat/block35_1/Branch_0/Conv2d_1x1` as `Block35_1_Branch_0_Conv2d_1x1`; the final block is the sixth Block8.
pub(super) fn keras_scope(name: &str) -> String {
    let name = match name.strip_prefix("Block8/") {
        Some(rest) => format!("Block8_6/{rest}"),
        None => match name.split_once("/block") {
            Some((_, rest)) => format!("Block{rest}"),
            None => name.to_owned(),
        },
    };
    name.replace('/', "_")
}

/// `Repeat/block35_1/Branch_1/Conv2d_0b_3x3` as `repeat_1.0.branch1.1`: modules are numbered from zero, and a branch of
/// one convolution has no number.
pub(super) fn torch_scope(layers: &[ConvSpec], i: usize) -> String {
    let name = &layers[i].name;
    let Some((scope, conv)) = name.rsplit_once('/') else {
        // The stem: `Conv2d_1a_3x3` as `conv2d_1a`.
        return name.rsplit_once('_').map_or(name.as_str(), |(stem, _)| stem).to_lowercase();
    };
    let block = |scope: &str| {
        let numbered =
            [("Repeat/block35_", "repeat_1"), ("Repeat_1/block17_", "repeat_2"), ("Repeat_2/block8_", "repeat_3")];
        let module = numbered.iter().find_map(|(tensorflow, torch)| {
            let number: usize = scope.strip_prefix(tensorflow)?.parse().ok()?;
            Some(format!("{torch}.{}", number.checked_sub(1)?))
        });
        module.unwrap_or_else(|| scope.to_lowercase())
    };
    let Some((outer, branch)) = scope.rsplit_once("/Branch_") else {
        return format!("{}.{}", block(scope), conv.rsplit_once('_').map_or(conv, |(conv, _)| conv).to_lowercase());
    };
    match place_among_siblings(layers, i, scope) {
        None => format!("{}.branch{branch}", block(outer)),
        Some(position) => format!("{}.branch{branch}.{position}", block(outer)),
    }
}

/// deepface's Keras model says `Block8_5_Branch_5_…` and `Block17_9_Branch_9_…` where all others say `Branch_1`.
pub(super) fn without_deepfaces_slip(layer: &str) -> String {
    let parts = || {
        let (block, rest) = layer.split_once("_Branch_")?;
        let (branch, rest) = rest.split_once('_')?;
        let number = block.strip_prefix("Block8_").or_else(|| block.strip_prefix("Block17_"))?;
        (branch == number).then(|| format!("{block}_Branch_1_{rest}"))
    };
    parts().unwrap_or_else(|| layer.to_owned())
}

/// `Repeat/block35_1/Branch_1/Conv2d_0b_3x3` as deepface's PyTorch model has it, `block35.0.branch_1.1`: names are the
/// original's, blocks and convolutions numbered from zero.
pub(super) fn deepface_scope(layers: &[ConvSpec], i: usize) -> String {
    let name = &layers[i].name;
    let block =
        |scope: &str| match scope.split_once("/block").or_else(|| scope.split_once("Block8").map(|_| ("", "8_6"))) {
            Some((_, numbered)) => {
                let (kind, number) = numbered.split_once('_').unwrap_or((numbered, "1"));
                format!("block{kind}.{}", number.parse().unwrap_or(1usize).saturating_sub(1))
            }
            None => scope.to_lowercase(),
        };
    let Some((scope, _)) = name.rsplit_once('/') else { return name.to_lowercase() };
    let Some((outer, branch)) = scope.rsplit_once("/Branch_") else { return format!("{}.up", block(scope)) };
    match place_among_siblings(layers, i, scope) {
        None => format!("{}.branch_{branch}", block(outer)),
        Some(position) => format!("{}.branch_{branch}.{position}", block(outer)),
    }
}

/// Which of its branch's convolutions a layer is, unless it is the only one.
fn place_among_siblings(layers: &[ConvSpec], i: usize, scope: &str) -> Option<usize> {
    let is_sibling = |layer: &ConvSpec| layer.name.rsplit_once('/').is_some_and(|(other, _)| other == scope);
    let siblings: Vec<usize> = (0..layers.len()).filter(|&j| is_sibling(&layers[j])).collect();
    if siblings.len() == 1 { None } else { siblings.iter().position(|&j| j == i) }
}

#[cfg(test)]
mod tests {
    use super::super::layers;
    use super::*;

    #[test]
    fn scopes_in_the_other_namings() {
        let layers = layers();
        let find = |name: &str| layers.iter().position(|layer| layer.name == name).unwrap();
        for (name, [keras, torch, deepface]) in [
            ("Conv2d_4b_3x3", ["Conv2d_4b_3x3", "conv2d_4b", "conv2d_4b_3x3"]),
            (
                "Repeat/block35_1/Branch_0/Conv2d_1x1",
                ["Block35_1_Branch_0_Conv2d_1x1", "repeat_1.0.branch0", "block35.0.branch_0"],
            ),
            (
                "Repeat_1/block17_10/Branch_1/Conv2d_0c_7x1",
                ["Block17_10_Branch_1_Conv2d_0c_7x1", "repeat_2.9.branch1.2", "block17.9.branch_1.2"],
            ),
            ("Repeat_2/block8_5/Conv2d_1x1", ["Block8_5_Conv2d_1x1", "repeat_3.4.conv2d", "block8.4.up"]),
            (
                "Mixed_6a/Branch_0/Conv2d_1a_3x3",
                ["Mixed_6a_Branch_0_Conv2d_1a_3x3", "mixed_6a.branch0", "mixed_6a.branch_0"],
            ),
            (
                "Mixed_7a/Branch_2/Conv2d_1a_3x3",
                ["Mixed_7a_Branch_2_Conv2d_1a_3x3", "mixed_7a.branch2.2", "mixed_7a.branch_2.2"],
            ),
            ("Block8/Conv2d_1x1", ["Block8_6_Conv2d_1x1", "block8.conv2d", "block8.5.up"]),
            (
                "Block8/Branch_1/Conv2d_0a_1x1",
                ["Block8_6_Branch_1_Conv2d_0a_1x1", "block8.branch1.0", "block8.5.branch_1.0"],
            ),
        ] {
            assert_eq!(keras_scope(name), keras);
            assert_eq!(torch_scope(&layers, find(name)), torch);
            assert_eq!(deepface_scope(&layers, find(name)), deepface);
        }
        for (keras, expected) in [
            ("Block8_5_Branch_5_Conv2d_0a_1x1_BatchNorm", "Block8_5_Branch_1_Conv2d_0a_1x1_BatchNorm"),
            ("Block8_5_Branch_0_Conv2d_1x1", "Block8_5_Branch_0_Conv2d_1x1"),
            ("Block8_5_Branch_3_Conv2d_0a_1x1", "Block8_5_Branch_3_Conv2d_0a_1x1"),
            ("Block17_10_Branch_10_Conv2d_0b_1x7", "Block17_10_Branch_1_Conv2d_0b_1x7"),
            ("Block35_2_Branch_2_Conv2d_0a_1x1", "Block35_2_Branch_2_Conv2d_0a_1x1"),
        ] {
            assert_eq!(without_deepfaces_slip(keras), expected);
        }
    }
}
