//! Weights files that are short, wrong or not there are errors that name them, and not kept; what is whole is fetched once.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::browser::Browser;
use crate::common::weights;

/// Converts a model as README says.
pub fn halves(model: &Path, to: &Path) {
    let mut convert = Command::new(env!("CARGO_BIN_EXE_warpface"));
    convert.args(["convert", "--precision", "f16"]).arg(model).arg("-o").arg(to);
    let output = convert.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_not_kept() {
    let files = ["det1.npy", "det2.npy", "det3.npy", "facenet_keras.h5"];
    let (Some(browser), Some(weights)) = (Browser::find(), weights(&files)) else { return };
    let whole = browser.folder.path().join("whole.safetensors");
    halves(&weights.join("facenet_keras.h5"), &whole);
    let bytes = std::fs::read(&whole).unwrap();
    let mut with_nan = bytes.clone();
    let middle = bytes.len() / 4 * 2;
    with_nan[middle..middle + 2].copy_from_slice(&half::f16::NAN.to_le_bytes());
    let det1 = std::fs::read(weights.join("det1.npy")).unwrap();

    let url = |name: &str, bytes: &[u8]| json!({ "embedder": browser.serve(name, bytes) });
    let tries = json!({
        "short": url("short.safetensors", &bytes[..bytes.len() / 2]),
        "nan": url("nan.safetensors", &with_nan),
        "text": url("text.safetensors", b"not weights"),
        "empty": url("empty.safetensors", b""),
        "page": { "embedder": browser.serve("page.html", b"<!doctype html><p>Not found") },
        "absent": { "embedder": "/t/absent.safetensors" },
        "detector": { "embedder": "/weights/det1.npy" },
        "short detector": { "detector": [browser.serve("det1.npy", &det1[..det1.len() - 40]), "/weights/det2.npy", "/weights/det3.npy"] },
        "two": { "detector": ["/weights/det1.npy", "/weights/det2.npy"] },
        "size": { "detector": "/weights/", "minSize": 3 },
        "nothing": {},
    });
    let twice = json!({ "detector": "/weights/" });
    let page = browser.run("files", json!({ "tries": tries, "twice": twice }), Browser::with_weights(&weights));

    let said = |name: &str| page.result["said"][name].as_str().unwrap().to_owned();
    for (name, words) in [
        ("short", &["short.safetensors", "short"][..]),
        ("nan", &["nan.safetensors", "NaN"]),
        ("text", &["text.safetensors"]),
        ("empty", &["empty.safetensors"]),
        ("page", &["page.html", "web page"]),
        ("absent", &["absent.safetensors", "404"]),
        ("detector", &["det1.npy"]),
        ("short detector", &["/t/det1.npy"]),
        ("two", &["three files"]),
        ("size", &["min_size"]),
        ("nothing", &["detector", "embedder"]),
    ] {
        let said = said(name);
        assert!(words.iter().all(|word| said.contains(word)), "{name}: {said}");
    }
    assert_eq!(page.result["afterErrors"], json!([]), "what did not load is kept");
    let det = ["/weights/det1.npy", "/weights/det2.npy", "/weights/det3.npy"];
    assert_eq!(page.result["afterLoads"], json!(det));
    // Once for each failed try that asked for it, once for all that followed.
    assert_eq!(page.requests["/weights/det3.npy"], 3, "{}", page.requests);
    for (name, words) in
        [("nothing", "a picture is"), ("text", "a picture is"), ("short", "10 bytes"), ("broken", "cannot be decoded")]
    {
        let said = page.result["pictures"][name].as_str().unwrap();
        assert!(said.contains(words), "{name}: {said}");
    }
    assert_eq!([&page.result["none"], &page.result["wide"]], [&json!([]), &json!([])]);
    assert!(page.result["missing"].as_str().unwrap().contains("embedder"), "{}", page.result["missing"]);
}
