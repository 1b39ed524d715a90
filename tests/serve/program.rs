//! The program: what it says when it starts, the bits of the other commands, and being killed.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{b64, form, get, post, send};
use crate::common::command::{DONE, USAGE, text, warpface, with};
use crate::common::{self, files};
use crate::predict::rows;
use crate::served::{Program, wait_until_ready};

#[test]
fn bits_are_those_of_the_command() {
    let (Some(server), Some(photographs)) = (Program::start(&[]), files::photographs(3, 7)) else { return };
    let weights = common::weights(&files::ALL).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = weights.join("graph_final.pb");
    let model = ["--model", text(&model)];
    let bytes: Vec<Vec<u8>> = photographs.iter().map(|path| std::fs::read(path).unwrap()).collect();
    // Photographs as crops: the middle of each is taken.
    let paths: Vec<&str> = photographs.iter().map(|path| text(path)).collect();
    let out = folder.path().join("out");
    let args = [&["embed", "--aligned", "-o", text(&out)], &paths[..], &model].concat();
    with(&weights, &args).expect(DONE);
    let npy = std::fs::read(out.join("embeddings.npy")).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    let expected: Vec<f32> = npy[header..].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let instances: Vec<_> = bytes.iter().map(|bytes| b64(bytes)).collect();
    let body = json!({ "instances": instances }).to_string();
    let answer = post(server.address, "/v1/models/facenet:predict", body).expect(200);
    assert_eq!(rows(&answer["predictions"]).concat(), expected);
    // Comparing, with the model's own threshold.
    let args = [&["compare", "--json"], &paths[..2], &model].concat();
    let expected = with(&weights, &args).expect(DONE).json().swap_remove(0);
    let (kind, body) = form(&[("a", &bytes[0]), ("b", &bytes[1])]);
    let answer = send(server.address, "POST", "/v1/compare", &[("Content-Type", &kind)], &body).expect(200);
    for key in ["threshold", "threshold_origin", "metric"] {
        assert_eq!(answer[key], expected[key], "{key}");
    }
    assert_eq!(
        (&answer["distance"], &answer["same"]),
        (&expected["pairs"][0]["distance"], &expected["pairs"][0]["same"])
    );
    let found = with(&weights, &["detect", "--json", paths[2]]).expect(DONE).json().swap_remove(0);
    let answer = post(server.address, "/v1/faces", &bytes[2]).expect(200);
    assert_eq!(answer["faces"], found["faces"]);
    let missing = post(server.address, "/v1/search", &bytes[2]).refused(404, &["nothing is searched here", "--index"]);
    assert!(missing["limit"].is_null());
}

#[test]
fn what_makes_no_sense_is_refused_before_it_listens() {
    let says = |args: &[&str], words: &[&str]| {
        let globals = ["serve", "--device", "cpu", "--listen", "127.0.0.1:0"];
        warpface(&[&globals[..], args].concat()).expect(USAGE).says(words);
    };
    says(&["--max-queue", "0"], &["--max-queue: 0 serves nobody"]);
    says(&["--cors", "*"], &["--cors: `*` is no origin"]);
    says(&["--max-buffered", "10"], &["--max-buffered: is below --max-bytes"]);
    says(&["--deadline=-1"], &["--deadline: -1 is no length of time"]);
    let open = warpface(&["serve", "--listen", "0.0.0.0:0"]).expect(USAGE);
    open.says(&["--listen: 0.0.0.0:0 is reached from other machines", "--token-file", "--insecure"]);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "short").unwrap();
    let short = warpface(&["serve", "--listen", "127.0.0.1:0", "--token-file", text(&token)]).expect(USAGE);
    short.says(&["--token-file: a token has 16"]);
    assert!(!short.err.contains("short"), "{}", short.err);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    warpface(&["serve", "--listen", &listen]).expect(USAGE).says(&["--listen: cannot listen at", "in use"]);
}

#[cfg(unix)]
#[test]
fn a_killed_server_serves_again_within_a_second() {
    let Some(server) = Program::start(&[]) else { return };
    let (weights, address) = (common::weights(&files::ALL).unwrap(), server.address);
    let idle = crate::client::connect(address);
    server.signal("-KILL");
    drop(server);
    let start = Instant::now();
    let again = Program::launch(&weights, &[], &address.to_string());
    wait_until_ready(again.address);
    let crop = warpface::image::encode_png(&warpface::image::Rgb8::black(160, 160)).unwrap();
    let body = json!({ "instances": [b64(&crop)] }).to_string();
    post(address, "/v1/models/facenet:predict", body).expect(200);
    let took = start.elapsed();
    eprintln!("served again after {took:?}");
    // A debug build on a busy machine; `cargo xtask load` holds the release build to a second.
    assert!(took < Duration::from_secs(8), "{took:?}");
    drop(idle);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_order() {
    let Some(mut server) = Program::start(&[]) else { return };
    assert_eq!(get(server.address, "/v2/health/live").status, 200);
    server.signal("-TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(DONE));
}

/// The first block of shell lines below a heading of the README.
fn readme(heading: &str) -> Vec<String> {
    let readme = include_str!("../../README.md");
    let below = readme.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let block = below.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    block.lines().map(str::to_owned).collect()
}

#[cfg(unix)]
#[test]
fn the_readmes_first_minute_works() {
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    let (Some(weights), Some(photographs)) = (common::weights(&files::ALL), files::photographs(1, 5)) else { return };
    let [serve, curl] = readme("Serve").try_into().expect("a server and a request");
    let address = "127.0.0.1:8501".parse().unwrap();
    if std::net::TcpListener::bind(address).is_err() {
        return common::skip("port 8501", "something else listens there");
    }
    if !Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return common::skip("curl", "it is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    symlink(&weights, folder.path().join("weights")).unwrap();
    std::fs::copy(&photographs[0], folder.path().join("photo.jpg")).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_warpface")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let shell = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec {line}")]).current_dir(folder.path()).env("PATH", &path);
        shell
    };
    let child = shell(&serve).spawn().unwrap();
    let server = Program { address, child };
    let start = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(start.elapsed() < Duration::from_secs(30), "it never listens");
        std::thread::sleep(Duration::from_millis(10));
    }
    wait_until_ready(address);
    let output = shell(&curl).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["faces"].as_array().is_some_and(|faces| !faces.is_empty()), "{told}");
    drop(server);
}
