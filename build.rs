//! Tables of the texts that the library carries: whatever shader, text shared by shaders, or PTX lies in its folder.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=build.rs");
    let shaders = files("shaders", "wgsl")?.into_iter().chain(files("shaders/cascade", "wgsl")?);
    let shared = files("shaders/shared", "wgsl")?;
    let text = table("SHADERS", "Every shader by its stem.", shaders) + &table("SHARED", "What shaders share.", shared);
    fs::write(out.join("shaders.rs"), text)?;
    let ptx = files("kernels/ptx", "ptx")?.into_iter().chain(files("kernels/ptx/cascade", "ptx")?);
    fs::write(out.join("ptx.rs"), by_target(ptx))
}

/// The files of a folder with a suffix: names without it, behind `cascade/` in the cascade's folder, and paths.
fn files(folder: &str, suffix: &str) -> io::Result<BTreeMap<String, PathBuf>> {
    println!("cargo::rerun-if-changed={folder}");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let prefix = if folder.ends_with("cascade") { "cascade/" } else { "" };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(root.join(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|of| of == suffix) {
            files.insert(format!("{prefix}{}", path.file_stem().unwrap_or_default().display()), path);
        }
    }
    Ok(files)
}

/// A table of names and texts.
fn table(name: &str, doc: &str, files: impl IntoIterator<Item = (String, PathBuf)>) -> String {
    let lines = files.into_iter().map(|(stem, path)| format!("    ({stem:?}, {}),\n", include(&path)));
    format!("/// {doc}\nconst {name}: &[(&str, &str)] = &[\n{}];\n", lines.collect::<String>())
}

/// A table of the stems of `STEM.TARGET` and of each one's texts, a variant of `Target` with each; and the stems alone.
fn by_target(files: impl Iterator<Item = (String, PathBuf)>) -> String {
    let mut stems: BTreeMap<String, String> = BTreeMap::new();
    for (name, path) in files {
        let (stem, target) = name.rsplit_once('.').expect("kernels/ptx/ holds STEM.TARGET.ptx");
        // `sm_90a` to `Sm90a`.
        let variant = target[..1].to_uppercase() + &target[1..].replace('_', "");
        let texts = stems.entry(stem.to_owned()).or_default();
        write!(texts, "(Target::{variant}, {}), ", include(&path)).expect("memory suffices");
    }
    let mut text = "/// Every kernel file that is shipped.\npub const STEMS: &[&str] = &[\n".to_owned();
    text.extend(stems.keys().map(|stem| format!("    {stem:?},\n")));
    text += "];\n\n/// The PTX of each, the most general first.\nconst TEXTS: &[(&str, Texts)] = &[\n";
    text.extend(stems.iter().map(|(stem, texts)| format!("    ({stem:?}, &[{texts}]),\n")));
    text + "];\n"
}

fn include(path: &Path) -> String {
    format!("include_str!({:?})", path.display().to_string())
}
