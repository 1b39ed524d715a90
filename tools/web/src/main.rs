//! `web MODULE.wasm FOLDER`: writes the module and its JavaScript, as browsers and bundlers import it, to a folder. What
//! `wasm-bindgen --target web` does, by its own library: the version is that of the macros, by one Cargo.lock.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, folder] = args.as_slice() else { bail!("usage: web MODULE.wasm FOLDER") };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).web(true)?.typescript(true).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(folder).with_context(|| format!("{} is no module of wasm-bindgen's", module.display()))
}
