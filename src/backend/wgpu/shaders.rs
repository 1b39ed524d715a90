//! The texts of the shaders.
//!
//! WGSL knows no headers: a line `#include "NAME"` stands for `shaders/shared/NAME.wgsl`, in which `STEM` is the stem of
//! the shader that includes it.

// `SHADERS` and `SHARED`, of the files in shaders/.
include!(concat!(env!("OUT_DIR"), "/shaders.rs"));

/// A text of a table.
fn text(table: &[(&str, &'static str)], name: &str) -> &'static str {
    let found = table.iter().find(|(of, _)| *of == name);
    found.unwrap_or_else(|| unreachable!("no shader `{name}`")).1
}

/// The text with what it includes, and what that includes.
fn expand(stem: &str, text: &str) -> String {
    let mut whole = String::with_capacity(2 * text.len());
    for line in text.lines() {
        match line.strip_prefix("#include \"").and_then(|rest| rest.strip_suffix('"')) {
            Some(name) => whole += &expand(stem, &self::text(SHARED, name).replace("STEM", stem)),
            None => whole.extend([line, "\n"]),
        }
    }
    whole
}

/// The text of a shader, as the device gets it.
///
/// # Panics
/// If there is no shader of this stem.
pub fn source(stem: &str) -> String {
    expand(stem, text(SHADERS, stem))
}
