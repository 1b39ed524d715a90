//! A Keras model's configuration: Keras 2 leaves the names of layers out of a `.keras` archive's weights, and has them here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Parsed;

/// Models are nested a few deep.
const MAX_DEPTH: usize = 16;

/// The layers' names by the groups that their weights are in: `layers/conv2d_3` is the fourth convolution.
pub(super) fn layer_names(config: &[u8]) -> Parsed<BTreeMap<String, String>> {
    let config: Value =
        serde_json::from_slice(config).map_err(|e| format!("has a damaged config.json ({e}); fetch it again"))?;
    let mut names = BTreeMap::new();
    walk(&config["config"], "", MAX_DEPTH, &mut names);
    Ok(names)
}

fn walk(model: &Value, path: &str, depth: usize, names: &mut BTreeMap<String, String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for layer in model["layers"].as_array().into_iter().flatten() {
        let (Some(class), Some(name)) = (layer["class_name"].as_str(), layer["config"]["name"].as_str()) else {
            continue;
        };
        let class = snake_case(class);
        let count = counts.entry(class.clone()).or_default();
        let group = match *count {
            0 => format!("{path}layers/{class}"),
            n => format!("{path}layers/{class}_{n}"),
        };
        *count += 1;
        walk(&layer["config"], &format!("{group}/"), depth, names);
        names.insert(group, name.to_owned());
    }
}

/// As Keras's `to_snake_case`: `BatchNormalization` is `batch_normalization`, `Conv2D` is `conv2d`.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut out = String::new();
    for (i, &c) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|at| letters[at]);
        let begins = c.is_uppercase() && letters.get(i + 1).is_some_and(|next| next.is_lowercase());
        let follows = c.is_uppercase() && before.is_some_and(char::is_lowercase);
        if before.is_some() && (begins || follows) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_counted_by_class() {
        for (class, snake) in [
            ("Conv2D", "conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("Dense", "dense"),
            ("PReLU", "p_re_lu"),
        ] {
            assert_eq!(snake_case(class), snake);
        }
        let conv = |name: &str| format!(r#"{{"class_name":"Conv2D","config":{{"name":"{name}"}}}}"#);
        let inner = format!(r#"{{"class_name":"Functional","config":{{"name":"inner","layers":[{}]}}}}"#, conv("deep"));
        let config = format!(r#"{{"config":{{"layers":[{},{inner},{}]}}}}"#, conv("first"), conv("second"));
        let names = layer_names(config.as_bytes()).unwrap();
        let expected = [
            ("layers/conv2d", "first"),
            ("layers/conv2d_1", "second"),
            ("layers/functional", "inner"),
            ("layers/functional/layers/conv2d", "deep"),
        ];
        assert_eq!(names, expected.map(|(group, name)| (group.to_owned(), name.to_owned())).into());
        assert!(layer_names(b"{").unwrap_err().contains("config.json"));
        assert!(layer_names(b"[1]").unwrap().is_empty());
    }
}
