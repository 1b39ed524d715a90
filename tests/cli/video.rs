//! Faces through frames and videos.

use std::process::Command;

use super::*;

/// Frames in which somebody crosses the picture, and somebody else is there from the fourth to the seventh and again from
/// the tenth; with the number of frames in which each face is. Numbers have no zeros before them.
const FRAMES: usize = 12;

fn frames() -> Option<TempDir> {
    let people = warpface::image::people(common::shared("lfw_color")?).unwrap().people;
    let photo = |person: usize| warpface::image::decode(&people[person].photos[0]).unwrap();
    let (ann, bob) = (photo(0), photo(2));
    let folder = tempfile::tempdir().unwrap();
    for frame in 0..FRAMES {
        let mut picture = Rgb8::new(560, 270, [70, 90, 70].repeat(560 * 270));
        paste(&mut picture, &ann, 2 + 3 * frame, 10);
        if (3..7).contains(&frame) || frame >= 9 {
            paste(&mut picture, &bob, 300 - 2 * frame, 15);
        }
        save(&folder.path().join(format!("frame{}.png", frame + 1)), &picture);
    }
    Some(folder)
}

fn paste(onto: &mut Rgb8, picture: &Rgb8, x: usize, y: usize) {
    for row in 0..picture.height() {
        let at = ((y + row) * onto.width() + x) * 3;
        onto.data_mut()[at..][..3 * picture.width()].copy_from_slice(picture.row(row));
    }
}

/// What is said of frames, and of tracks, and the summary.
fn parts(lines: Vec<Value>) -> (Vec<Value>, Vec<Value>, Value) {
    let mut lines = lines;
    let summary = lines.pop().unwrap();
    let (frames, tracks) = lines.into_iter().partition(|line| line["frame"].is_number());
    (frames, tracks, summary)
}

#[test]
fn faces_are_followed_through_a_folder_of_frames() {
    let (Some(weights), Some(folder)) = (common::weights(&files::ALL), frames()) else { return };
    let out = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| with(&weights, &[&["video", text(folder.path()), "--json"][..], more].concat());
    let (frames, tracks, summary) = parts(run(&["-o", text(out.path())]).expect(DONE).json());
    assert_eq!((frames.len(), tracks.len(), &summary["frames"]), (FRAMES, 2, &FRAMES.into()));
    for (i, line) in frames.iter().enumerate() {
        assert!(line["image"].as_str().unwrap().ends_with(&format!("frame{}.png", i + 1)), "{line}");
        let tracks: Vec<&Value> = line["faces"].as_array().unwrap().iter().map(|face| &face["track"]).collect();
        assert_eq!(tracks.len(), if (3..7).contains(&i) || i >= 9 { 2 } else { 1 }, "{line}");
        assert!(tracks.contains(&&0.into()));
    }
    let of = |key: &str| tracks.iter().map(|track| track[key].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((of("first"), of("last"), of("faces")), (vec![0, 3], vec![11, 11], vec![12, 7]));

    // The folder is one that `embed` might have written, a row a track.
    let crop = warpface::image::decode(tracks[1]["crop"].as_str().unwrap()).unwrap();
    assert_eq!((crop.width(), crop.height()), (160, 160));
    let written: Value = serde_json::from_slice(&fs::read(out.path().join("tracks.json")).unwrap()).unwrap();
    assert_eq!(written, Value::Array(tracks.clone()));
    let copy = tempfile::tempdir().unwrap();
    let embed = ["embed", text(out.path()), "-o", text(copy.path()), "--json"];
    let line = with(&weights, &embed).expect(DONE).json().remove(0);
    assert_eq!((&line["embedded"], &line["labels"]), (&2.into(), &2.into()));
    let read = |folder: &Path| fs::read(folder.join("embeddings.npy")).unwrap();
    assert!(read(copy.path()) == read(out.path()));
    let paths = fs::read_to_string(copy.path().join("paths.txt")).unwrap();
    assert!(paths.lines().all(|path| Path::new(path).is_file()), "{paths}");

    // Of every third frame, in the same folder: what an earlier run had more goes.
    fs::copy(out.path().join("crops/track_0001.png"), out.path().join("crops/track_0009.png")).unwrap();
    fs::write(out.path().join("crops/mine.png"), "mine").unwrap();
    let (frames, _, _) = parts(run(&["-o", text(out.path()), "--every", "3"]).expect(DONE).json());
    assert_eq!(frames.iter().map(|line| line["frame"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 3, 6, 9]);
    let mut names: Vec<_> = fs::read_dir(out.path().join("crops")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["mine.png", "track_0000.png", "track_0001.png"]);
    // Who was gone begins anew where no gap is allowed.
    assert_eq!(parts(run(&["--gap", "0"]).expect(DONE).json()).1.len(), 3);

    // A frame that cannot be read is named, and the others are followed.
    fs::write(folder.path().join("frame5.png"), "no picture").unwrap();
    let bad = run(&[]).expect(PARTLY);
    bad.says(&["frame5.png"]);
    assert_eq!(parts(bad.json()).1.len(), 2);
    for (flag, value) in [("--every", "0"), ("--overlap", "2"), ("--distance", "NaN"), ("--rejoin-distance", "inf")] {
        run(&[flag, value]).expect(USAGE).says(&[flag]);
    }
    // A place that cannot be written is told before any frame is looked at, and nothing is left of trying.
    let file = out.path().join("file");
    fs::write(&file, "in the way").unwrap();
    for place in [file.clone(), file.join("below")] {
        let run = run(&["-o", text(&place)]).expect(NOTHING);
        run.says(&["cannot create", "file"]);
        assert_eq!(run.out, "");
    }
    let nothing = tempfile::tempdir().unwrap();
    with(&weights, &["video", text(nothing.path())]).expect(NOTHING).says(&["no photographs are in this folder"]);
    with(&weights, &["video", text(&nothing.path().join("v.mp4"))]).expect(NOTHING).says(&["v.mp4", "cannot read"]);
    assert!(warpface(&["video", "--help"]).expect(DONE).out.contains("Example:"));
}

/// A video of the frames.
fn encode(folder: &Path, codec: &[&str], video: &Path) -> bool {
    let args = ["-v", "error", "-nostdin", "-framerate", "10", "-i"];
    let input = folder.join("frame%d.png");
    match Command::new("ffmpeg").args(args).arg(&input).args(codec).arg(video).status() {
        Ok(status) => status.success(),
        Err(error) => {
            common::skip("ffmpeg", error);
            false
        }
    }
}

#[test]
fn a_video_is_read_through_ffmpeg_also_where_it_is_cut() {
    let (Some(weights), Some(folder)) = (common::weights(&files::ALL), frames()) else { return };
    let videos = tempfile::tempdir().unwrap();
    // A name that could be taken for a flag or an address.
    let whole = videos.path().join("-http:x.mkv");
    fs::write(&whole, "no video").unwrap();
    let run = |path: &Path, more: &[&str]| with(&weights, &[&["video", "--json", text(path)][..], more].concat());
    let missing = run(&whole, &["--ffmpeg", "/nonexistent/ffmpeg"]).expect(NOTHING);
    missing.says(&["-http:x.mkv", "/nonexistent/ffmpeg", "--ffmpeg", "folder of frames"]);
    fs::remove_file(&whole).unwrap();
    // Without loss.
    if !encode(folder.path(), &["-c:v", "ffv1", "-g", "1", "-pix_fmt", "bgr0"], &whole) {
        return;
    }
    // The same pixels, and so the same boxes and tracks.
    let without_names = |(frames, mut tracks, _): (Vec<Value>, Vec<Value>, Value)| {
        tracks.iter_mut().for_each(|track| track["crop"] = Value::Null);
        (frames.into_iter().map(|line| line["faces"].clone()).collect::<Vec<_>>(), tracks)
    };
    let of_folder = without_names(parts(run(folder.path(), &[]).expect(DONE).json()));
    let of_video = parts(run(&whole, &[]).expect(DONE).json());
    assert_eq!(of_video.0[3]["time"], 0.3);
    assert_eq!(without_names(of_video), of_folder);
    let fewer = parts(run(&whole, &["--every", "5"]).expect(DONE).json()).0;
    assert_eq!(fewer.iter().map(|line| line["frame"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 5, 10]);

    // What was there before the cut is kept, and the cut is named.
    let bytes = fs::read(&whole).unwrap();
    let cut = videos.path().join("cut.mkv");
    fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).unwrap();
    let out = videos.path().join("out");
    let run_of_cut = run(&cut, &["-o", text(&out)]).expect(PARTLY);
    run_of_cut.says(&["cut.mkv", "ends before its end"]);
    let (frames, tracks, summary) = parts(run_of_cut.json());
    assert!((4..FRAMES).contains(&frames.len()), "{summary}");
    assert_eq!((&summary["failed"], tracks.len()), (&1.into(), 2));
    assert_eq!(frames[0]["faces"], of_folder.0[0]);
    assert!(out.join("embeddings.npy").is_file() && out.join("crops/track_0001.png").is_file());

    let text_file = videos.path().join("v.mp4");
    fs::write(&text_file, "no video").unwrap();
    let run = run(&text_file, &["-o", text(&videos.path().join("none"))]).expect(NOTHING);
    run.says(&["v.mp4", "is no video that ffmpeg knows", "Invalid data"]);
    assert!(!videos.path().join("none").exists());
}

/// The first `frames` of an FLV file, cut between two of them.
fn flv_start(bytes: &[u8], frames: usize) -> &[u8] {
    const VIDEO: u8 = 9;
    let (mut at, mut seen) = (13, 0);
    while seen < frames {
        seen += usize::from(bytes[at] == VIDEO);
        at += 15 + u32::from_be_bytes([0, bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
    }
    &bytes[..at]
}

#[test]
fn cuts_that_ffmpeg_does_not_tell_are_told() {
    let (Some(weights), Some(folder)) = (common::weights(&files::ALL), frames()) else { return };
    let videos = tempfile::tempdir().unwrap();
    let at = |name: &str| videos.path().join(name);
    let run = |name: &str| with(&weights, &["video", "--json", "--every", "6", text(&at(name))]);
    if !encode(folder.path(), &[], &at("whole.gif")) || !encode(folder.path(), &[], &at("whole.flv")) {
        return;
    }
    for whole in ["whole.gif", "whole.flv"] {
        assert!(!run(whole).expect(DONE).err.contains("warning: whole"), "{whole}");
    }
    let gif = fs::read(at("whole.gif")).unwrap();
    fs::write(at("cut.gif"), &gif[..gif.len() * 6 / 10]).unwrap();
    run("cut.gif").expect(PARTLY).says(&["cut.gif", "ends before its end"]);
    fs::write(at("last.gif"), &gif[..gif.len() - 1]).unwrap();
    run("last.gif").expect(PARTLY).says(&["last.gif", "the end of a GIF is missing"]);
    let flv = fs::read(at("whole.flv")).unwrap();
    fs::write(at("cut.flv"), flv_start(&flv, 6)).unwrap();
    let cut = run("cut.flv").expect(PARTLY);
    cut.says(&["warning: ", "cut.flv", "about 12 frames, and 6 came", "ends before its end"]);
    assert_eq!(cut.json().pop().unwrap()["frames"], 1);
    // A video in which there is no frame.
    fs::write(at("none.flv"), flv_start(&flv, 0)).unwrap();
    run("none.flv").expect(NOTHING).says(&["none.flv", "is no video that ffmpeg knows"]);
}
