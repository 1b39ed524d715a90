//! README's lines for browsers, as they stand there.

use std::process::{Command, Stdio};

use serde_json::json;
use warpface::image::collect;

use crate::browser::Browser;
use crate::common::{shared, weights};
use crate::files::halves;

/// The first block of a language after a heading.
fn block(heading: &str, language: &str) -> String {
    let readme = include_str!("../../README.md");
    let (_, after) = readme.split_once(heading).unwrap_or_else(|| panic!("README has no `{heading}`"));
    let (_, code) = after.split_once(&format!("```{language}\n")).expect("a block");
    code.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn the_first_minute_works() {
    let files = ["det1.npy", "det2.npy", "det3.npy", "facenet_keras.h5"];
    let (Some(browser), Some(weights), Some(photos)) = (Browser::find(), weights(&files), shared("lfw_color")) else {
        return;
    };
    let lines = block("### In a browser", "js");
    assert!(lines.trim().lines().count() <= 5, "{lines}");
    let shell = block("### In a browser", "sh");
    let install = shell.lines().find_map(|line| line.strip_prefix("npm i ")).expect("how the package is installed");

    // Into a page's own folder.
    let site = browser.folder.path().join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("package.json"), "{}").unwrap();
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(install.split_whitespace().next().unwrap());
    let mut npm = Command::new("npm");
    npm.args(["install", "--install-links", "--no-audit", "--no-fund", "--offline"]).arg(package);
    let output = npm.current_dir(&site).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    halves(&weights.join("facenet_keras.h5"), &site.join("facenet.safetensors"));

    let all = collect(&[photos]).images;
    let of =
        |person: &str| all.iter().filter(|path| path.to_string_lossy().contains(person)).take(2).collect::<Vec<_>>();
    let pair = of("Ariel_Sharon");
    let images: String = pair
        .iter()
        .enumerate()
        .map(|(i, path)| format!("<img src=\"{}\">", browser.serve(&format!("{i}.jpg"), &std::fs::read(path).unwrap())))
        .collect();
    let map = json!({ "imports": { "warpface": "/node_modules/warpface/index.js" } });
    let page = format!(
        "<!doctype html><title>waiting</title><script type=\"importmap\">{map}</script>{images}\
         <script type=\"module\">{lines}</script>"
    );
    let serve = json!({ "/weights/": weights, "/": site });
    let page = browser.run("readme", json!(null), json!({ "page": page, "serve": serve }));
    let title = page.result.as_str().unwrap();
    assert!(title.starts_with("one person, "), "{title}\n{}", page.said);
}
