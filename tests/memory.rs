//! Memory is bounded by the chunk and the plan, not by how many photographs there are.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Noise, files};
use warpface::image::{Rgb8, save_png};

/// The most memory that the command ever had resident, in KiB.
fn peak(args: &[&str]) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_warpface"))
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn many_photographs_take_the_memory_of_few() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let pixels = Noise::new(1).bytes(&[150, 150, 3]);
    let first = folder.path().join("first.png");
    save_png(&first, &Rgb8::new(150, 150, pixels.data().iter().map(|&x| x as u8).collect())).unwrap();
    // 200 are three chunks; 2,000 would be 135 MB of pixels.
    let measure = |count: usize| {
        let photos = folder.path().join(count.to_string());
        fs::create_dir(&photos).unwrap();
        (0..count).for_each(|i| fs::hard_link(&first, photos.join(format!("{i}.png"))).unwrap());
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        peak(&["detect", "--device", "cpu", "--threads", "2", "--weights", &text(&weights), &text(&photos)])
    };
    let (few, many) = (measure(200), measure(2_000));
    eprintln!("peak: {few} KiB for 200 photographs, {many} KiB for 2,000");
    assert!(few > 0 && many < few + few / 4 + 8_192, "{few} KiB for 200 photographs, {many} KiB for 2,000");
}

/// The filters are held once, as the device has them: no copy of the file, and none on the way. Those of minimal filtering have
/// more values than the file.
#[test]
fn a_model_is_held_once() {
    let models = ["facenet_keras.h5", "graph_final.pb"];
    let Some(weights) = common::weights(&models) else { return };
    let folder = tempfile::tempdir().unwrap();
    let pixels = Noise::new(2).bytes(&[160, 160, 3]);
    let crop = folder.path().join("crop.png");
    save_png(&crop, &Rgb8::new(160, 160, pixels.data().iter().map(|&x| x as u8).collect())).unwrap();
    for name in models {
        let model = weights.join(name);
        let file = fs::metadata(&model).unwrap().len() >> 10;
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let crop = text(&crop);
        let peak = peak(&[
            "compare",
            "--aligned",
            "--conv",
            "direct",
            "--device",
            "cpu",
            "--threads",
            "2",
            "--model",
            &text(&model),
            &crop,
            &crop,
        ]);
        eprintln!("peak: {peak} KiB with {name} of {file} KiB");
        assert!(peak > file && peak < file + (48 << 10), "{peak} KiB with {name} of {file} KiB");
    }
}
