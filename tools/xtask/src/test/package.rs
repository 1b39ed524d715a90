//! `cargo package`: all that the compiler reads is in it, and nothing of the workshop is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::times::Target;
use crate::shell;

/// What is for work on the crate, not for its users.
const WORKSHOP: [&str; 10] =
    [".ci/", ".cargo/", "benches/runs/", "bindings/", "demo/", "findings/", "finetune/", "target/", "tests/", "tools/"];
/// All that a weights folder is shipped with.
const WEIGHTS: &str = "weights/MANIFEST";
/// The registry takes 10 MB compressed; this is what that holds unpacked.
const MOST: u64 = 16_000_000;

pub fn check(target: &Target) -> Result<()> {
    let line = ["package", "--list", "--allow-dirty", "--package", "warpface"];
    let list = shell::output(&mut target.cargo(&line)).context("`cargo package --list` failed; run it to see why")?;
    let packed: BTreeSet<&str> = list.lines().collect();
    let read = read_by_compiler(target)?;
    let missing = missing(&packed, &read);
    ensure!(missing.is_empty(), "the library reads what the package lacks: {}", missing.join(", "));
    let foreign: Vec<&str> = packed.iter().copied().filter(|path| is_foreign(path)).collect();
    ensure!(foreign.is_empty(), "the package holds what is not for its users: {}", foreign.join(", "));
    let bytes: u64 = packed.iter().map(|path| shell::root().join(path).metadata().map_or(0, |m| m.len())).sum();
    ensure!(bytes <= MOST, "the package holds {bytes} bytes, more than {MOST}");
    eprintln!("  {} files, {:.1} MB; the library reads {} of them", packed.len(), bytes as f64 / 1e6, read.len());
    Ok(())
}

fn missing(packed: &BTreeSet<&str>, read: &BTreeSet<String>) -> Vec<String> {
    read.iter().filter(|path| !packed.contains(path.as_str())).cloned().collect()
}

fn is_foreign(path: &str) -> bool {
    WORKSHOP.iter().any(|folder| path.starts_with(folder)) || path.starts_with("weights/") && path != WEIGHTS
}

/// The files that the compiler read for the library, below the root: it notes down those of `include_str!`, too.
fn read_by_compiler(target: &Target) -> Result<BTreeSet<String>> {
    let mut check =
        target.cargo(&["check", "--package", "warpface", "--lib", "--message-format=json-render-diagnostics"]);
    let output = check.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "`cargo check` failed");
    let text = String::from_utf8_lossy(&output.stdout);
    let metadata = text.lines().find_map(artifact).context("cargo told of no library")?;
    // `deps/libwarpface-HASH.rmeta`, and beside it `deps/warpface-HASH.d`.
    let stem = metadata.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let notes = metadata.with_file_name(format!("{}.d", stem.trim_start_matches("lib")));
    let text = fs::read_to_string(&notes).with_context(|| format!("cannot read {}", notes.display()))?;
    let root = shell::root();
    // What the build script writes is made anew wherever the package is built.
    let is_made = |path: &String| path.starts_with("target/");
    let read: BTreeSet<String> =
        inputs(&text).iter().filter_map(|path| below(path, &root)).filter(|path| !is_made(path)).collect();
    ensure!(read.contains("src/lib.rs"), "{} names no src/lib.rs", notes.display());
    Ok(read)
}

/// The library's metadata in a line of cargo's messages.
fn artifact(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_library = message["target"]["name"] == "warpface" && message["target"]["kind"][0] == "lib";
    let files = message["filenames"].as_array().filter(|_| is_library)?;
    files.iter().filter_map(Value::as_str).find(|name| name.ends_with(".rmeta")).map(PathBuf::from)
}

/// What a makefile of the compiler's says that its output depends on.
fn inputs(text: &str) -> Vec<PathBuf> {
    let line = text.lines().find(|line| line.contains(".d: ") || line.contains(".rmeta: ")).unwrap_or_default();
    // A blank within a name is escaped.
    let names = line.split_once(": ").map_or("", |(_, names)| names).replace("\\ ", "\0");
    names.split_whitespace().map(|name| PathBuf::from(name.replace('\0', " "))).collect()
}

/// A path below the root, without `..`; `None` for one elsewhere.
fn below(path: &Path, root: &Path) -> Option<String> {
    let whole = fs::canonicalize(root.join(path)).ok()?;
    let inside = whole.strip_prefix(fs::canonicalize(root).ok()?).ok()?;
    Some(inside.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_foreign_is_told() {
        let packed = BTreeSet::from(["src/lib.rs", "tools/x", "weights/MANIFEST", "weights/big.h5"]);
        let read = BTreeSet::from(["src/lib.rs".to_owned(), "src/page.css".to_owned()]);
        assert_eq!(missing(&packed, &read), ["src/page.css"]);
        let foreign: Vec<_> = packed.iter().filter(|path| is_foreign(path)).collect();
        assert_eq!(foreign, [&"tools/x", &"weights/big.h5"]);
    }

    #[test]
    fn makefiles_are_read() {
        let text = "/t/deps/warpface-1.d: src/lib.rs src/a\\ b.rs src/x/../page.css\n\nsrc/lib.rs:\n";
        assert_eq!(inputs(text), ["src/lib.rs", "src/a b.rs", "src/x/../page.css"].map(PathBuf::from));
        let root = shell::root();
        assert_eq!(below(Path::new("src/eval/../lib.rs"), &root).as_deref(), Some("src/lib.rs"));
        assert_eq!(below(Path::new("/proc/version"), &root), None);
    }

    #[test]
    fn the_library_is_told_from_other_targets() {
        let line = |kind: &str| {
            format!(
                r#"{{"target":{{"name":"warpface","kind":["{kind}"]}},"filenames":["/t/deps/libwarpface-1.rmeta"]}}"#
            )
        };
        assert_eq!(artifact(&line("lib")), Some("/t/deps/libwarpface-1.rmeta".into()));
        assert_eq!(artifact(&line("bin")), None);
    }
}
