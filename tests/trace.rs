//! `warpface bench --trace`: a file that trace viewers open, with every kind of work on a track of its own.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Noise, files};
use serde_json::Value;
use warpface::image::{Rgb8, save_png};

/// The device's track: its spans nest.
const DEVICE: &str = "device (profiled run)";

fn warpface(device: &str, weights: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_warpface"))
        .args(args)
        .args(["--device", device, "--weights", weights.to_str().unwrap()])
        .output()
        .unwrap()
}

/// Spans of each track, by its name: `(name, start, end)` in microseconds, in the file's order.
type Tracks = BTreeMap<String, Vec<(String, f64, f64)>>;

/// Reads a trace, and checks that the spans of a track lie side by side or in each other.
fn read(path: &Path) -> Tracks {
    let trace: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let named = events.iter().filter(|event| event["ph"] == "M" && event["name"] == "thread_name");
    let names: BTreeMap<u64, &str> =
        named.map(|event| (event["tid"].as_u64().unwrap(), event["args"]["name"].as_str().unwrap())).collect();
    let mut tracks = Tracks::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let number = |key: &str| event[key].as_f64().unwrap_or_else(|| panic!("no {key} in {event}"));
        let (start, length) = (number("ts"), number("dur"));
        assert!(start >= 0.0 && length >= 0.0 && event["pid"].is_u64(), "{event}");
        let span = (event["name"].as_str().unwrap().to_owned(), start, start + length);
        tracks.entry(names[&event["tid"].as_u64().unwrap()].to_owned()).or_default().push(span);
    }
    for (track, spans) in &tracks {
        for (i, (a, start, end)) in spans.iter().enumerate() {
            for (b, from, to) in &spans[i + 1..] {
                // Microseconds as f64: a thousandth of one is rounding.
                let apart = *end <= from + 1e-3 || *to <= start + 1e-3;
                let within = start <= &(from + 1e-3) && to <= &(end + 1e-3);
                assert!(apart || within, "{track}: {a} {start}..{end} and {b} {from}..{to}");
            }
        }
    }
    tracks
}

fn names<'a>(tracks: &'a Tracks, track: &str) -> Vec<&'a str> {
    let spans = tracks.get(track).unwrap_or_else(|| panic!("no track `{track}` among {:?}", tracks.keys()));
    spans.iter().map(|(name, ..)| name.as_str()).collect()
}

fn on_every_device(check: impl Fn(&str)) {
    common::devices::each(|device| check(device.info().kind));
}

#[test]
fn layers_and_detection() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let pixels = Noise::new(1).bytes(&[60, 70, 3]);
    for name in ["a.png", "b.png"] {
        let picture = Rgb8::new(70, 60, pixels.data().iter().map(|&x| x as u8).collect());
        save_png(folder.path().join(name), &picture).unwrap();
    }
    let photographs = folder.path().to_str().unwrap();
    on_every_device(|device| {
        let path = folder.path().join(format!("{device}.json"));
        let file = path.to_str().unwrap();
        let done = warpface(device, &weights, &["bench", "onet", "--batch", "2", "--runs", "1", "--trace", file]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let tracks = read(&path);
        let steps = names(&tracks, DEVICE);
        assert!(steps[0].starts_with("Onet") && steps.contains(&"conv1") && steps.contains(&"conv4"), "{steps:?}");
        let spans = &tracks[DEVICE];
        let total: f64 = spans[1..].iter().map(|(_, start, end)| end - start).sum();
        let (_, start, end) = spans[0];
        assert!(total > 0.0 && (total - (end - start)).abs() < 0.1, "steps fill their run: {total} of {}", end - start);
        for track in ["upload", "run (host: upload, kernels, download)", "download"] {
            assert_eq!(names(&tracks, track).len(), 1, "{track}");
        }

        let args = ["bench", "detect", photographs, "--seconds", "0", "--trace", file];
        let done = warpface(device, &weights, &args);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let tracks = read(&path);
        assert_eq!(names(&tracks, "decode"), ["a.png", "b.png"]);
        let steps = names(&tracks, DEVICE);
        for network in ["P-Net", "R-Net", "O-Net"] {
            assert_eq!(steps.iter().filter(|name| name.starts_with(network)).count(), 1, "{network}");
        }
        assert!(names(&tracks, "run (host: upload, kernels, download)")[0].contains("2 photographs"));
        assert_eq!((names(&tracks, "upload").len(), names(&tracks, "download").len()), (3, 3));
    });
}

#[test]
fn embedding() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    let pixels = Noise::new(1).bytes(&[160, 160, 3]);
    let crop = folder.path().join("a.png");
    save_png(&crop, &Rgb8::new(160, 160, pixels.data().iter().map(|&x| x as u8).collect())).unwrap();
    let (path, model) = (folder.path().join("trace.json"), weights.join("graph_final.pb"));
    let [path_text, model, crop] = [&path, &model, &crop].map(|path| path.to_str().unwrap());
    let args = ["bench", "embed", crop, "--batch", "1", "--seconds", "0", "--model", model, "--trace", path_text];
    let done = warpface("cpu", &weights, &args);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let tracks = read(&path);
    assert_eq!(names(&tracks, "decode"), ["a.png"]);
    assert!(names(&tracks, DEVICE).len() > 132, "a span for every convolution");
}

#[test]
fn a_file_that_cannot_be_written_is_said_at_once() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let done = warpface("cpu", &weights, &["bench", "pnet", "--trace", "/nowhere/at/all.json"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere/at/all.json: cannot create"), "{said}");
    assert!(done.stdout.is_empty(), "nothing is measured first");
}
