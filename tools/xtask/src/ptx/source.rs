//! The kernels' sources: what their headers ask for, and what they include.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

/// The targets that there may be, in the order of what they demand.
const TARGETS: [&str; 3] = ["compute_75", "compute_80", "sm_90a"];

/// Every .cu and .cuh under kernels/, by its path there.
pub struct Sources(BTreeMap<String, String>);

/// A .cu file.
#[derive(Debug, PartialEq, Eq)]
pub struct KernelSource {
    /// Relative to kernels/, such as `cascade/pyramid.cu`.
    pub path: String,
    /// From the line `// Targets:`.
    pub targets: Vec<String>,
    /// From the lines `// Hot:`: the kernels that must not spill.
    pub hot: Vec<String>,
}

impl KernelSource {
    fn parse(path: &str, text: &str) -> Result<Self> {
        let words = |key: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix("// ")?.strip_prefix(key)?.strip_prefix(':'));
            lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
        };
        let source = KernelSource { path: path.to_owned(), targets: words("Targets"), hot: words("Hot") };
        ensure!(!source.targets.is_empty(), "{path} has no line `// Targets: compute_75`");
        if let Some(target) = source.targets.iter().find(|target| !TARGETS.contains(&target.as_str())) {
            return Err(anyhow!("{path}: the target `{target}` is none of {}", TARGETS.join(", ")));
        }
        Ok(source)
    }

    /// The path without its suffix.
    pub fn stem(&self) -> &str {
        self.path.trim_end_matches(".cu")
    }
}

impl Sources {
    pub fn read(folder: &Path) -> Result<Self> {
        let mut sources = BTreeMap::new();
        for (folder, prefix) in [(folder.to_owned(), ""), (folder.join("cascade"), "cascade/")] {
            let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.extension().is_some_and(|suffix| suffix == "cu" || suffix == "cuh") {
                    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    sources.insert(format!("{prefix}{name}"), text);
                }
            }
        }
        Ok(Sources(sources))
    }

    /// The .cu files, by their paths.
    pub fn kernels(&self) -> Result<Vec<KernelSource>> {
        let files = self.0.iter().filter(|(path, _)| path.ends_with(".cu"));
        files.map(|(path, text)| KernelSource::parse(path, text)).collect()
    }

    /// The .cuh files: paths and texts.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(path, _)| path.ends_with(".cuh")).map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub fn text(&self, path: &str) -> Result<&str> {
        self.0.get(path).map(String::as_str).ok_or_else(|| anyhow!("kernels/{path} is missing"))
    }

    /// A file and after it, by their paths, all headers that it includes, by itself or by others.
    pub fn closure(&self, path: &str) -> Result<Vec<&str>> {
        let (path, _) = self.0.get_key_value(path).ok_or_else(|| anyhow!("kernels/{path} is missing"))?;
        let mut found = BTreeSet::new();
        let mut open = vec![path.as_str()];
        while let Some(file) = open.pop() {
            for include in includes(&self.0[file]) {
                let (header, _) =
                    self.0.get_key_value(include).ok_or_else(|| anyhow!("{file}: kernels/{include} is missing"))?;
                if found.insert(header.as_str()) {
                    open.push(header);
                }
            }
        }
        Ok([path.as_str()].into_iter().chain(found).collect())
    }
}

/// What a file includes itself.
fn includes(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("#include \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_targets_and_hot_kernels() {
        let text = "// A kernel.\n// Targets: compute_75 sm_90a\n// Hot: a_f32 a_f16\n// Hot: b_f32\n\nint x;\n";
        let source = KernelSource::parse("cascade/a.cu", text).unwrap();
        assert_eq!(source.targets, ["compute_75", "sm_90a"]);
        assert_eq!(source.hot, ["a_f32", "a_f16", "b_f32"]);
        assert_eq!(source.stem(), "cascade/a");
        assert!(KernelSource::parse("a.cu", "// A kernel.\n").unwrap_err().to_string().contains("no line"));
        assert!(KernelSource::parse("a.cu", "// Targets: sm_99\n").unwrap_err().to_string().contains("`sm_99`"));
    }

    #[test]
    fn includes_are_followed_once() {
        let files = [
            ("a.cu", "#include \"z.cuh\"\n#include \"b.cuh\"\n"),
            ("b.cuh", "#pragma once\n#include \"z.cuh\"\n"),
            ("bad.cu", "#include \"gone.cuh\"\n"),
            ("c.cuh", ""),
            ("z.cuh", "#include \"b.cuh\"\n"),
        ];
        let sources = Sources(files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect());
        assert_eq!(sources.closure("a.cu").unwrap(), ["a.cu", "b.cuh", "z.cuh"]);
        assert_eq!(sources.headers().count(), 3);
        assert!(sources.closure("bad.cu").unwrap_err().to_string().contains("gone.cuh is missing"));
    }

    #[test]
    fn the_repositorys_own_sources() {
        let sources = Sources::read(&crate::shell::root().join("kernels")).unwrap();
        for source in sources.kernels().unwrap() {
            assert!(sources.closure(&source.path).unwrap().contains(&"common.cuh"), "{}", source.path);
        }
    }
}
