//! What is read: pictures of every kind, none, and what is no picture.

use super::*;

#[test]
fn pictures_of_every_kind() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let good = [
        ("jpeg_cmyk.jpg", 17, 9),
        ("jpeg_grey.jpg", 35, 21),
        ("jpeg_1x1.jpg", 1, 1),
        ("jpeg_named.png", 37, 29),
        ("jpeg_exif6.jpg", 11, 19),
        ("png_grey16.png", 13, 9),
        ("png_rgb16.png", 10, 7),
        ("png_grey_alpha.png", 15, 11),
        ("png_palette.png", 37, 29),
        ("png_rgba.png", 15, 11),
        ("gif_animated.gif", 18, 14),
    ];
    for (name, ..) in good {
        fs::copy(decode(name), folder.path().join(name)).unwrap();
    }
    flat(&folder.path().join("z_wide.png"), 20_000, 10);
    flat(&folder.path().join("z_tall.png"), 12, 4_000);
    let jpeg = warpface::image::encode_jpeg(&noise(200, 150, 1), 90).unwrap();
    let bad = ["cut.jpg", "text.jpg", "empty.png", "half.png", "gone.jpg"];
    fs::write(folder.path().join("cut.jpg"), &jpeg[..jpeg.len() / 2]).unwrap();
    fs::write(folder.path().join("text.jpg"), "This is no photograph.\n").unwrap();
    fs::write(folder.path().join("empty.png"), "").unwrap();
    let png = warpface::image::encode_png(&noise(64, 64, 2)).unwrap();
    fs::write(folder.path().join("half.png"), &png[..png.len() / 2]).unwrap();
    std::os::unix::fs::symlink("nowhere.jpg", folder.path().join("gone.jpg")).unwrap();

    let run = with(&weights, &["detect", "--json", text(folder.path())]).expect(PARTLY);
    let lines = run.json();
    assert_eq!(lines.len(), good.len() + 2, "{}", run.out);
    for (name, width, height) in good.into_iter().chain([("z_wide.png", 20_000, 10), ("z_tall.png", 12, 4_000)]) {
        let path = folder.path().join(name);
        let line = lines.iter().find(|line| line["image"] == text(&path)).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!((&line["width"], &line["height"]), (&Value::from(width), &Value::from(height)), "{name}");
        assert_eq!(line["faces"], Value::Array(vec![]), "{name}");
    }
    run.says(&bad);
    run.says(&["5 inputs failed"]);
    let named = run.err.lines().filter(|line| good.iter().any(|(name, ..)| line.contains(name))).count();
    assert_eq!(named, 0, "good pictures are complained about:\n{}", run.err);

    // One alone, without JSON: a picture without a face is a result.
    with(&weights, &["detect", "--thresholds", "0.6,0.7,0.7", text(&decode("png_palette.png"))]).expect(DONE);
}

#[test]
fn fifty_megapixels() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.png");
    flat(&path, 8_192, 6_400);
    let run = with(&weights, &["detect", "--json", "--min-size", "400", text(&path)]).expect(DONE);
    let line = &run.json()[0];
    assert_eq!((&line["width"], &line["height"]), (&Value::from(8_192), &Value::from(6_400)));
}

#[test]
fn nothing_to_read() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = with(&weights, &["detect", "--json", text(folder.path())]).expect(NOTHING);
    run.says(&[text(folder.path()), "no photographs"]);
    assert_eq!(run.out, "");
    let absent = folder.path().join("absent.jpg");
    let run = with(&weights, &["detect", "--json", text(&absent), text(&decode("png_rgb.png"))]).expect(PARTLY);
    run.says(&["absent.jpg"]);
    assert_eq!(run.json().len(), 1, "the other one is done");
}

#[test]
fn unreadable_files() {
    use std::os::unix::fs::PermissionsExt;
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locked.png");
    save(&path, &noise(20, 20, 1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        return common::skip("unreadable files", "this user reads every file");
    }
    with(&weights, &["detect", text(folder.path())]).expect(NOTHING).says(&["locked.png"]);
}
