//! `kernels/ptx/MANIFEST`: what each PTX file was made of. Its form is told in its head.

use std::fmt::Write;

use anyhow::{Result, anyhow};
use sha2::{Digest, Sha256};

use super::source::{KernelSource, Sources};
use crate::weights::hex;

const HEAD: &str = "\
# What each file of this folder was made of; written by `cargo xtask ptx`.
#
# The form: blocks of `key = value` lines, one block a file, divided by empty lines; `#` begins a comment line. The keys:
#
#   file           the PTX
#   target         compute_75 | compute_80 | sm_90a: what a device must have, at the least
#   isa            the version of PTX's language, which a driver must know
#   sources        the kernel's source and, by their paths, all headers that it includes; in kernels/
#   source_sha256  of these files, one after the other
#   flags          the compiler's
#   sha256         of the PTX
";

/// One PTX file.
pub struct Entry {
    file: String,
    target: String,
    isa: String,
    sources: String,
    source_sha256: String,
    flags: String,
    sha256: String,
}

impl Entry {
    pub fn new(
        file: &str,
        source: &KernelSource,
        sources: &Sources,
        target: &str,
        flags: &[&str],
        ptx: &str,
    ) -> Result<Self> {
        let paths = sources.closure(&source.path)?;
        let mut hash = Sha256::new();
        for path in &paths {
            hash.update(sources.text(path)?);
        }
        Ok(Entry {
            file: file.to_owned(),
            target: target.to_owned(),
            isa: isa(ptx).ok_or_else(|| anyhow!("{file} has no .version"))?.to_owned(),
            sources: paths.join(" "),
            source_sha256: hex(hash),
            flags: flags.join(" "),
            sha256: hex(Sha256::new_with_prefix(ptx)),
        })
    }
}

pub fn text(entries: &[Entry]) -> String {
    let mut text = HEAD.to_owned();
    for Entry { file, target, isa, sources, source_sha256, flags, sha256 } in entries {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\nfile = {file}\ntarget = {target}\nisa = {isa}\nsources = {sources}\nsource_sha256 = {source_sha256}\n\
             flags = {flags}\nsha256 = {sha256}\n"
        );
    }
    text
}

/// The version of the language that a file is written in.
fn isa(ptx: &str) -> Option<&str> {
    ptx.lines().find_map(|line| line.strip_prefix(".version ")).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_block() {
        let entry = Entry {
            file: "a.compute_75.ptx".into(),
            target: "compute_75".into(),
            isa: isa("//\n.version 8.4\n.target sm_75\n").unwrap().into(),
            sources: "a.cu b.cuh".into(),
            source_sha256: "0a".into(),
            flags: "--std=c++17".into(),
            sha256: "0b".into(),
        };
        let text = text(&[entry]);
        let block = "\n\nfile = a.compute_75.ptx\ntarget = compute_75\nisa = 8.4\nsources = a.cu b.cuh\n\
                     source_sha256 = 0a\nflags = --std=c++17\nsha256 = 0b\n";
        assert!(text.starts_with('#') && text.ends_with(block), "{text}");
        assert_eq!(isa("none"), None);
    }
}
