//! Each op has its CUDA kernels, each kernel says what the Rust side believes of it, and the shipped PTX is made of the
//! sources beside it.
#![cfg(feature = "cuda")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest, Sha256};
use warpface::backend::ParamsLayout;
use warpface::backend::cuda::STEMS;

fn kernels() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels")
}

fn read(path: &str) -> String {
    let path = kernels().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The blocks of the MANIFEST, by their keys.
fn manifest() -> Vec<BTreeMap<String, String>> {
    let text = read("ptx/MANIFEST");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let blocks = lines.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    let pair = |line: &&str| {
        let (key, value) = line.split_once(" = ").unwrap_or_else(|| panic!("MANIFEST: {line}"));
        (key.to_owned(), value.to_owned())
    };
    blocks.map(|block| block.iter().map(pair).collect()).collect()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parameters of every kernel, the ops' and the cascade's, as the Rust side lays them.
fn layouts() -> Vec<ParamsLayout> {
    warpface::backend::params_layouts().into_iter().chain(warpface::face::params_layouts()).collect()
}

#[test]
fn shipped_ptx_is_made_of_the_sources_beside_it() {
    let blocks = manifest();
    let files: BTreeSet<&str> = blocks.iter().map(|block| block["file"].as_str()).collect();
    for stem in STEMS {
        assert!(files.iter().any(|file| file.starts_with(&format!("{stem}."))), "{stem} is not in the MANIFEST");
    }
    for block in &blocks {
        let file = &block["file"];
        let sources: Vec<u8> = block["sources"].split(' ').flat_map(|path| read(path).into_bytes()).collect();
        assert_eq!(hash(&sources), block["source_sha256"], "{file} is stale; `cargo xtask ptx` makes it anew");
        assert_eq!(hash(read(&format!("ptx/{file}")).as_bytes()), block["sha256"], "{file} is not what was compiled");
    }
}

#[test]
fn the_simulator_knows_every_instruction_that_ships() {
    for block in manifest() {
        let file = &block["file"];
        let module = ptxsim::Module::parse(file, &read(&format!("ptx/{file}"))).unwrap_or_else(|e| panic!("{e}"));
        assert!(module.entries().count() > 0, "{file}");
    }
}

/// The fields of a kernel file's `Params`: all take four bytes.
fn fields(source: &str) -> Vec<String> {
    let start = source.find("struct Params {").expect("parameters");
    let body = &source[start..];
    let body = &body[..body.find("};").expect("an end")];
    let declared = body.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    declared
        .map(|line| {
            let (kind, name) = line.trim_end_matches(';').split_once(' ').unwrap_or_else(|| panic!("`{line}`"));
            assert!(["u32", "i32", "float"].contains(&kind), "`{line}`");
            name.to_owned()
        })
        .collect()
}

#[test]
fn parameters_lie_as_rust_lays_them() {
    for layout in layouts() {
        let made = manifest().into_iter().find(|block| block["file"].starts_with(&format!("{}.", layout.stem)));
        let sources = &made.unwrap_or_else(|| panic!("{} is not in the MANIFEST", layout.stem))["sources"];
        let fields = fields(&sources.split(' ').map(read).collect::<String>());
        let expected: Vec<&str> = layout.fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(fields, expected, "{}", layout.stem);
        assert_eq!(layout.size, 4 * fields.len(), "{}", layout.stem);
    }
}

#[test]
fn entry_points_carry_their_stem_and_the_size_of_their_parameters() {
    let sizes: BTreeMap<&str, usize> = layouts().into_iter().map(|layout| (layout.stem, layout.size)).collect();
    for block in manifest() {
        let file = &block["file"];
        let stem = file.strip_suffix(&format!(".{}.ptx", block["target"])).expect("named by its target");
        let name = stem.trim_start_matches("cascade/");
        let ptx = read(&format!("ptx/{file}"));
        for entry in ptx.split(".visible .entry ").skip(1) {
            let (entry, rest) = entry.split_once('(').expect("parameters");
            assert!(entry.trim_start_matches("sm90_").starts_with(name), "{file}: `{entry}` is of another stem");
            // Conversions have one parameter, which is no structure of the Rust side's.
            let Some(size) = sizes.get(stem) else { continue };
            let first = rest.lines().nth(1).expect("a first parameter").trim();
            let declared = format!("{entry}_param_0[{size}]");
            assert!(first.contains(&declared), "{file}: {first}, expected {declared}");
        }
    }
}

#[test]
fn every_pointer_says_its_shape() {
    for stem in STEMS {
        let source = read(&format!("{stem}.cu"));
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        for (i, line) in lines.iter().enumerate() {
            // A parameter on a line of its own: `const T *x,`.
            let declared = line.trim_end_matches([',', ')']);
            let Some((kind, name)) = declared.rsplit_once('*') else { continue };
            let name = name.trim_start_matches("__restrict__ ");
            let is_kind = kind.chars().all(|c| c.is_ascii_alphanumeric() || "_:< >".contains(c)) && !kind.is_empty();
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
            if !is_kind || !is_name || line.ends_with(';') {
                continue;
            }
            let before = lines[..i].iter().rev().take_while(|line| line.starts_with("//"));
            let says = before.into_iter().any(|line| line.contains(&format!("// {name}: [")));
            assert!(says, "{stem}.cu:{}: no comment tells the shape of `{name}`", i + 1);
        }
    }
}

#[test]
fn the_header_of_tiles_is_what_the_host_counts_on() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/tiles.cuh");
    let made = warpface::backend::tiles_header();
    if std::env::var_os("WARPFACE_WRITE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == made, "kernels/tiles.cuh is stale: `WARPFACE_WRITE=1 cargo test --test sync_cuda` writes it");
}
