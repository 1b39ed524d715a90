//! Modules import one another in one direction, and the library leaves what is the program's to the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where an item at the crate's root comes from.
const AT_ROOT: [(&str, &str); 13] = [
    ("Detector", "face"),
    ("Device", "backend"),
    ("DeviceKind", "backend"),
    ("Embedder", "face"),
    ("Error", "error"),
    ("ErrorKind", "error"),
    ("Graph", "graph"),
    ("Plan", "graph"),
    ("Precision", "precision"),
    ("Result", "error"),
    ("Shape", "shape"),
    ("Tensor", "tensor"),
    ("align", "face"),
];

/// Every source file, without its tests and comments, by its path under `src`.
fn sources() -> BTreeMap<PathBuf, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut open) = (BTreeMap::new(), vec![src.clone()]);
    while let Some(folder) = open.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|suffix| suffix == "rs") && path.file_stem().unwrap() != "tests" {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
                let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                found.insert(path.strip_prefix(&src).unwrap().to_owned(), lines.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    found
}

/// The top-level module that a file belongs to.
fn module_of(path: &Path) -> String {
    path.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The first names after `crate::`, those in braces among them.
fn names(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => drop(names.insert(word(rest))),
            Some(group) => {
                let (mut depth, mut start) = (1, true);
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 1 => start = true,
                        c if start && !c.is_whitespace() => {
                            names.insert(word(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
    }
    names
}

#[test]
fn modules_import_in_one_direction() {
    let sources = sources();
    let modules: BTreeSet<String> = sources.keys().map(|path| module_of(path)).collect();
    let at_root: BTreeMap<&str, &str> = AT_ROOT.into_iter().collect();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, code) in &sources {
        let module = module_of(path);
        // Every module has errors, whose messages know fields and shapes; `lib` and `main` put the crate together.
        if ["error", "lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let of =
            names(code).into_iter().map(|name| at_root.get(name.as_str()).map_or(name.clone(), |&of| of.to_owned()));
        let of = of.filter(|name| modules.contains(name) && *name != module && name != "error");
        let of: BTreeSet<String> = of.collect();
        imports.entry(module).or_default().extend(of);
    }
    assert!(imports["cli"].contains("face") && imports["graph"].contains("ops"), "nothing was read: {imports:?}");
    // What imports nothing that is left goes, until nothing goes.
    while let Some(leaf) = imports.iter().find(|(_, of)| of.iter().all(|name| !imports.contains_key(name))) {
        let leaf = leaf.0.clone();
        imports.remove(&leaf);
    }
    assert!(imports.is_empty(), "these modules import each other in a circle: {imports:?}");
}

#[test]
fn only_the_command_prints_and_ends_the_process() {
    for (path, code) in sources().iter().filter(|(path, _)| !["cli", "main"].contains(&module_of(path).as_str())) {
        for word in ["println!", "eprintln!", "print!", "process::exit", "ctrlc::", "clap::", "indicatif::"] {
            assert!(!code.contains(word), "{}: {word}", path.display());
        }
    }
}
