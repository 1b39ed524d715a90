//! The page, in headless Chromium. It needs `chromium` and `node`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use warpface::serve::Token;

use crate::common::{self, files};
use crate::served::Small;

/// Whether the browser and what steers it are here, or a loud skip.
fn are_here() -> bool {
    let runs = |program: &str| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    let chromium = std::env::var("WARPFACE_CHROMIUM").unwrap_or("chromium".into());
    let missing = [chromium.as_str(), "node"].into_iter().find(|program| !runs(program));
    if let Some(missing) = missing {
        common::skip("page", format!("{missing} is not installed"));
    }
    missing.is_none()
}

/// Uses the page; what was seen.
fn used(server: &Small, token: Option<&str>) -> Option<Value> {
    let photographs = files::photographs(2, 5)?;
    // The pictures stay where they can be looked at.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(if token.is_some() { "page-token" } else { "page" });
    let _ = std::fs::remove_dir_all(&folder);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/serving/page.mjs");
    let mut command = Command::new("node");
    // On by default since node 22.
    command
        .arg("--experimental-websocket")
        .arg(script)
        .arg(format!("http://{}/", server.address))
        .args(&photographs)
        .arg(folder)
        .args(token);
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    Some(serde_json::from_str(out.lines().last().unwrap()).unwrap())
}

#[test]
fn two_photographs_are_compared_on_the_page() {
    if !are_here() {
        return;
    }
    let Some(server) = Small::start(|_| {}) else { return };
    let Some(seen) = used(&server, None) else { return };
    assert_eq!(seen["waiting"], "Waiting for two photographs.");
    assert_eq!(seen["one"], "Waiting for the other photograph.");
    assert_eq!(seen["reached"], json!(["First photograph", "Second photograph"]));
    let verdicts = ["The same person", "Different people"];
    assert!(verdicts.contains(&seen["answer"].as_str().unwrap()), "{seen}");
    assert!(seen["numbers"].as_str().unwrap().contains("threshold 1.0000"), "{seen}");
    assert!(seen["origin"].as_str().unwrap().contains("a test's"), "{seen}");
    for of in seen["faces"].as_array().unwrap() {
        assert!(of[0].as_u64().unwrap() >= 1 && of[1] == 5, "boxes and landmarks: {seen}");
    }
    assert_eq!(
        (&seen["none"], &seen["all"], &seen["again"]),
        (&json!(verdicts[1]), &json!(verdicts[0]), &seen["answer"])
    );
    assert!(seen["cosine"].as_str().unwrap().contains("threshold 0.4000"), "{seen}");
    assert!(seen["wrong"].as_str().unwrap().contains("not an image"), "{seen}");
    assert!(
        seen["fits"].as_array().unwrap().iter().all(|fits| *fits == true),
        "something reaches over the side: {seen}"
    );
    for none in ["unnamed", "complaints", "foreign"] {
        assert_eq!(seen[none], json!([]), "{none}");
    }
}

#[test]
fn the_page_asks_for_the_token() {
    if !are_here() {
        return;
    }
    let token = "0123456789abcdef";
    let Some(server) = Small::start(|options| options.token = Some(Token::new(token).unwrap())) else { return };
    let Some(seen) = used(&server, Some(token)) else { return };
    assert!(seen["numbers"].as_str().unwrap().contains("distance"), "{seen}");
    assert_eq!((&seen["complaints"], &seen["foreign"]), (&json!([]), &json!([])));
}
