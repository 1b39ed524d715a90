//! Each op has its shader, and each shader says what the Rust side believes of it. naga reads the shaders as the device
//! would.
#![cfg(feature = "wgpu")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage, TypeInner};
use warpface::backend::ParamsLayout;
use warpface::backend::wgpu::source;
use warpface::ops::Op;

/// The parameters of every kernel, the ops' and the cascade's, as the Rust side lays them.
fn layouts() -> Vec<ParamsLayout> {
    warpface::backend::params_layouts().into_iter().chain(warpface::face::params_layouts()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every shader by its stem, as the device gets it.
fn shaders() -> BTreeMap<String, String> {
    let list = |folder: &str| -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(root().join(folder)) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "wgsl")).collect()
    };
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let ops = list("shaders").into_iter().map(|path| stem(&path));
    let of_cascade = list("shaders/cascade").into_iter().map(|path| format!("cascade/{}", stem(&path)));
    ops.chain(of_cascade).map(|stem| (stem.clone(), source(&stem))).collect()
}

fn parse(stem: &str, source: &str) -> Module {
    let module = naga::front::wgsl::parse_str(source);
    let module = module.unwrap_or_else(|e| panic!("{stem}: {}", e.emit_to_string(source)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::default());
    if let Err(error) = validator.validate(&module) {
        panic!("{stem}: {}", error.emit_to_string(source));
    }
    module
}

/// `cargo fmt` does not see files that a macro makes modules of; `rustfmt FILES` formats them.
#[test]
fn files_that_the_list_of_ops_names_are_formatted() {
    let folders = ["src/ops", "src/backend/kernels", "tests/ops", "benches/ops"];
    let files = Op::STEMS.iter().flat_map(|stem| folders.map(|folder| root().join(folder).join(format!("{stem}.rs"))));
    match Command::new("rustfmt").arg("--check").args(files).current_dir(root()).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => eprintln!("SKIPPED: rustfmt: {error}"),
    }
}

#[test]
fn entry_points_carry_their_stem_and_fit_every_device() {
    for (stem, source) in shaders() {
        let module = parse(&stem, &source);
        assert!(!module.entry_points.is_empty(), "{stem}: no entry point");
        for entry in &module.entry_points {
            let name = stem.trim_start_matches("cascade/");
            assert!(entry.name.starts_with(name), "{stem}: entry point `{}` is of another stem", entry.name);
            assert_eq!(entry.stage, ShaderStage::Compute, "{stem}: {}", entry.name);
            // WebGPU promises 256 threads.
            let threads: u32 = entry.workgroup_size.iter().product();
            assert!(threads <= 256, "{stem}: {} has {threads} threads", entry.name);
        }
        let shared = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx())).sum();
        assert!(bytes <= 16384, "{stem}: {bytes} bytes of workgroup memory");
    }
}

/// WGSL has a variable without a value begin with zero each time that it is declared; in Chromium one in a loop keeps what the turn
/// before left.
#[test]
fn variables_in_functions_are_given_values() {
    for (stem, source) in shaders() {
        let local =
            source.lines().filter(|line| line.starts_with([' ', '\t']) && line.trim_start().starts_with("var "));
        let bare: Vec<&str> = local.filter(|line| !line.contains('=')).collect();
        assert!(bare.is_empty(), "{stem}: {bare:?}");
    }
}

#[test]
fn bindings_are_numbered_in_order_and_say_their_shapes() {
    for (stem, source) in shaders() {
        let module = parse(&stem, &source);
        let bound: Vec<_> = module.global_variables.iter().filter_map(|(_, v)| Some((v.binding?, v))).collect();
        // The parameters, and as many as browsers bind.
        assert!(bound.len() <= 11, "{stem}: too many bindings");
        for (i, (binding, variable)) in bound.into_iter().enumerate() {
            assert_eq!((binding.group, binding.binding), (0, i as u32), "{stem}: {:?}", variable.name);
            if i == 0 {
                assert_eq!(variable.space, AddressSpace::Uniform, "{stem}: binding 0 is the parameters'");
                continue;
            }
            let name = variable.name.as_deref().unwrap_or_default();
            let declared = source.find(&format!("@group(0) @binding({i})")).expect("found by naga");
            let before = source[..declared].lines().rev().take_while(|line| line.starts_with("//"));
            let says = before.collect::<Vec<_>>().join("\n");
            assert!(says.contains(&format!("// {name}: [")), "{stem}: no comment tells the shape of `{name}`");
        }
    }
}

#[test]
fn parameters_lie_as_rust_lays_them() {
    let layouts: BTreeMap<&str, _> = layouts().into_iter().map(|layout| (layout.stem, layout)).collect();
    let shaders = shaders();
    for stem in layouts.keys() {
        assert!(shaders.contains_key(*stem), "parameters of `{stem}`, which is no shader");
    }
    for (stem, source) in &shaders {
        let module = parse(stem, source);
        let layout = layouts.get(stem.as_str()).unwrap_or_else(|| panic!("{stem}: no parameters on the Rust side"));
        let uniform = module.global_variables.iter().find(|(_, v)| v.space == AddressSpace::Uniform);
        let (_, uniform) = uniform.unwrap_or_else(|| panic!("{stem}: no parameters"));
        let TypeInner::Struct { members, span } = &module.types[uniform.ty].inner else {
            panic!("{stem}: the parameters are no struct");
        };
        let fields: Vec<(&str, usize)> =
            members.iter().map(|m| (m.name.as_deref().unwrap_or_default(), m.offset as usize)).collect();
        assert_eq!(fields, layout.fields, "{stem}");
        assert_eq!(*span as usize, layout.size, "{stem}");
        // One slot of the uniform buffer.
        assert!(layout.size <= 256, "{stem}");
    }
}
