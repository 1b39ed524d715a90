//! Toolchains that build for browsers.

use std::path::Path;
use std::process::Command;

use crate::shell;

/// A toolchain that builds for browsers.
pub enum Wasm {
    /// rustup's, with the target installed.
    Installed,
    /// Debian's, which builds the standard library itself.
    Debian,
}

impl Wasm {
    /// What to do where there is none.
    pub const MISSING: &str = "there is no toolchain for it (`rustup target add wasm32-unknown-unknown`, or on Debian \
                               `apt-get install rustc-web cargo-web rust-web-src lld`)";
    /// Debian's packages.
    pub const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];
    /// Rust's name of the target.
    pub const TARGET: &str = "wasm32-unknown-unknown";

    /// The one that is there.
    pub fn find() -> Option<Wasm> {
        let folder =
            shell::output(&mut shell::program("rustc", &["--print", "target-libdir", "--target", Wasm::TARGET]));
        if folder.is_some_and(|folder| Path::new(&folder).is_dir()) {
            return Some(Wasm::Installed);
        }
        // Where Debian's packages lie.
        let all = ["/usr/bin/rustc", "/usr/bin/cargo", "/usr/bin/wasm-ld"].iter().all(|path| Path::new(path).exists());
        let version = shell::output(&mut shell::program("/usr/bin/rustc", &["--version"]));
        (all && version.is_some()).then_some(Wasm::Debian)
    }

    /// Has a cargo build for the target.
    pub fn apply(&self, cargo: &mut Command) {
        cargo.args(["--target", Wasm::TARGET]);
        if let Wasm::Debian = self {
            let path = std::env::var("PATH").unwrap_or_default();
            cargo.env("PATH", format!("/usr/bin:{path}")).env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld").arg("-Zbuild-std=std,panic_abort");
        }
    }
}
