//! The browser decodes pictures itself: how far its pixels are from libjpeg's.

use serde_json::json;
use warpface::image::{collect, decode};

use crate::browser::Browser;
use crate::common::shared;

#[test]
fn photographs_have_libjpeg_s_pixels() {
    let (Some(browser), Some(color), Some(grey)) = (Browser::find(), shared("lfw_color"), shared("lfw")) else {
        return;
    };
    let (color, grey) = (collect(&[color]).images, collect(&[grey]).images);
    let paths: Vec<_> = color.iter().chain(grey.iter().step_by(500).take(3)).collect();
    assert!(color.len() >= 50 && paths.len() == color.len() + 3);
    let mut sizes = Vec::new();
    let photo = |(i, path): (usize, &&std::path::PathBuf)| {
        let rgb = decode(path).unwrap();
        sizes.push([rgb.width(), rgb.height()]);
        let file = browser.serve(&format!("{i}.jpg"), &std::fs::read(path).unwrap());
        json!({ "file": file, "rgb": browser.serve(&format!("{i}.rgb"), rgb.data()) })
    };
    let photos: Vec<_> = paths.iter().enumerate().map(photo).collect();
    let page = browser.run("decode", json!({ "photos": photos }), json!({}));
    let results = page.result.as_array().unwrap();
    assert_eq!(results.len(), paths.len());
    let mut counts = [0u64; 256];
    for (result, size) in results.iter().zip(sizes) {
        assert_eq!([&result["width"], &result["height"]], [&json!(size[0]), &json!(size[1])]);
        let apart = result["apart"].as_array().unwrap();
        apart.iter().zip(&mut counts).for_each(|(more, count)| *count += more.as_u64().unwrap());
    }
    let (all, differ) = (counts.iter().sum::<u64>(), counts[1..].iter().sum::<u64>());
    let most = counts.iter().rposition(|&count| count > 0).unwrap();
    eprintln!("{differ} of {all} samples differ, by {most} at most");
    assert!(all > 9_000_000);
    assert_eq!((differ, most), (0, 0));
}
