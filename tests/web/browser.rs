//! Running pages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common;

/// What a page needs, all of it there.
pub struct Browser {
    root: PathBuf,
    chromium: PathBuf,
    playwright: PathBuf,
    /// Files of the test at hand, served under `/t/`.
    pub folder: tempfile::TempDir,
}

impl Browser {
    /// Finds everything, or skips loudly.
    pub fn find() -> Option<Browser> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let playwright = root.join("target/web/node_modules/playwright-core/index.js");
        let built = ["pkg/warpface_web_bg.wasm", "cases/pkg/warpface_web_cases_bg.wasm"];
        let missing = built.into_iter().map(|file| root.join("bindings/web").join(file)).chain([playwright.clone()]);
        if let Some(missing) = missing.into_iter().find(|file| !file.exists()) {
            let why = format!("{} is not there; `cargo xtask test` makes it, where it can", missing.display());
            common::skip("web", why);
            return None;
        }
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let find = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
        let (Some(chromium), Some(_)) = (names.into_iter().find_map(find), find("node")) else {
            common::skip("web", "Chromium or Node.js is not installed");
            return None;
        };
        Some(Browser { root, chromium, playwright, folder: tempfile::tempdir().unwrap() })
    }

    /// Opens a page and runs the default export of one of the modules beside this file, with `given`. The task's other fields
    /// are those of `browser.mjs`.
    pub fn run(&self, module: &str, given: Value, more: Value) -> Page {
        let mut task = json!({
            "serve": {
                "/warpface/": self.root.join("bindings/web"), "/tests/": self.root.join("tests/web"),
                "/t/": self.folder.path(),
            },
            "run": format!("/tests/{module}.mjs"), "given": given,
        });
        merge(&mut task, more);
        let file = self.folder.path().join("task.json");
        std::fs::write(&file, task.to_string()).unwrap();
        let script = self.root.join("tests/web/browser.mjs");
        let mut node = Command::new("node");
        node.arg(script).args([&self.playwright, &self.chromium, &file]).stdin(Stdio::null());
        let output = node.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{module}: {said}");
        let mut told: Value = serde_json::from_slice(&output.stdout).unwrap();
        Page { result: told["result"].take(), requests: told["requests"].take(), said }
    }

    /// A file that the page can fetch; its URL.
    pub fn serve(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
        format!("/t/{name}")
    }

    /// Serves a folder besides.
    pub fn with_weights(folder: &Path) -> Value {
        json!({ "serve": { "/weights/": folder } })
    }
}

/// What a page gave, how often each path was asked for, and what the browser said.
pub struct Page {
    pub result: Value,
    pub requests: Value,
    pub said: String,
}

fn merge(to: &mut Value, from: Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(to.entry(key).or_insert(Value::Null), value));
        }
        (to, from) => *to = from,
    }
}
