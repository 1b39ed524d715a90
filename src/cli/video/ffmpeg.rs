//! A video's frames, through a pipe from ffmpeg as PPM pictures.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::Result;

use super::source::Frame;
use crate::Error;
use crate::error::{Field, message};
use crate::image::{Limits, Rgb8};

/// Frames that wait while others are looked at.
const AHEAD: usize = 8;

/// How much of ffmpeg's messages is kept.
const MESSAGES: usize = 4096;

/// How many of its lines are told.
const LINES: usize = 3;

/// A running ffmpeg.
pub struct Ffmpeg {
    child: Child,
    messages: Option<JoinHandle<String>>,
    reader: Option<JoinHandle<usize>>,
    /// What the file's header says.
    pub told: Told,
}

/// What a file's header says of its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// How many there are.
    pub frames: Option<usize>,
    /// How many come in a second, on average.
    pub rate: Option<f64>,
    /// Whether `frames` is what ffmpeg should give. It is none where duration and rate only suggest it.
    is_count: bool,
    /// Whether fewer may be all that there are: MP4's edit lists hide some, and Matroska's rate may vary. ffmpeg itself tells
    /// where these are cut.
    may_be_fewer: bool,
}

impl Ffmpeg {
    /// Begins with a file; each `every`-th frame comes through the channel.
    pub fn open(path: &Path, program: &Path, every: usize) -> Result<(Self, Receiver<Frame>)> {
        let told = probe(path, program);
        let mut command = Command::new(program);
        command.args(["-v", "error", "-nostdin", "-i"]).arg(local(path));
        // Every frame once, as it lies in the file.
        command.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "ppm", "pipe:1"]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|e| missing(path, program, &e))?;
        let (send, frames_of) = sync_channel(AHEAD);
        let stdout = child.stdout.take();
        let name = path.to_owned();
        let reader = std::thread::spawn(move || match stdout {
            Some(stdout) => read_all(&name, BufReader::with_capacity(1 << 20, stdout), every, &send),
            None => 0,
        });
        let messages = child.stderr.take().map(|stderr| std::thread::spawn(move || last_of(stderr)));
        Ok((Ffmpeg { child, messages, reader: Some(reader), told }, frames_of))
    }

    /// Waits for its end: what went wrong, in its words. What only might be wrong is told.
    pub fn close(mut self, path: &Path) -> Option<String> {
        let read = self.reader.take().and_then(|reader| reader.join().ok()).unwrap_or(0);
        let missing = self.told.missing(read);
        if let Some((words, _)) = missing.as_ref().filter(|_| read > 0) {
            eprintln!("warning: {}: {words}", path.display());
        }
        let status = self.child.wait();
        let messages = self.messages.take().and_then(|messages| messages.join().ok()).unwrap_or_default();
        match (in_short(&messages), status) {
            (said, _) if !said.is_empty() => Some(said),
            (_, Ok(status)) if status.success() => match missing {
                _ if read == 0 => Some("no frame came of it".to_owned()),
                Some((words, true)) => Some(words),
                _ if is_cut_gif(path) => Some("the end of a GIF is missing".to_owned()),
                _ => None,
            },
            (_, Ok(status)) => Some(format!("ffmpeg ended with {status}")),
            (_, Err(e)) => Some(e.to_string()),
        }
    }
}

impl Told {
    /// What is to be said where fewer frames came, and whether the file must be cut.
    fn missing(&self, came: usize) -> Option<(String, bool)> {
        let told = self.frames?;
        let missing = told.saturating_sub(came);
        let much = missing > 2 && missing as f64 > 0.05 * told as f64;
        let about = if self.is_count { "" } else { "about " };
        let words = format!("its header speaks of {about}{told} frames, and {came} came");
        (much || self.is_count && missing > 1).then_some((words, much && !self.may_be_fewer))
    }
}

/// Whether it is a GIF without its last byte: ffmpeg takes what is there for all. Zeros that fill a file up are no part of it.
fn is_cut_gif(path: &Path) -> bool {
    let ends = || -> io::Result<([u8; 4], Vec<u8>)> {
        let mut file = std::fs::File::open(path)?;
        let (mut first, mut last) = ([0; 4], Vec::new());
        file.read_exact(&mut first)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MESSAGES as u64)))?;
        file.read_to_end(&mut last)?;
        Ok((first, last))
    };
    ends().is_ok_and(|(first, last)| first == *b"GIF8" && last.into_iter().rfind(|&byte| byte != 0) != Some(0x3b))
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // An error of ours leaves nobody to read what it sends.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file's name as ffmpeg takes it: never for a flag, an address or a pattern.
fn local(path: &Path) -> std::ffi::OsString {
    let mut name = std::ffi::OsString::from("file:");
    name.push(path);
    name
}

fn missing(path: &Path, program: &Path, error: &io::Error) -> Error {
    let problem = message![
        format!(
            "a video is read through ffmpeg, and `{}` cannot be run: {error}; install ffmpeg, name it by ",
            program.display()
        ),
        Field("ffmpeg"),
        ", or give a folder of frames",
    ];
    Error::data(path, problem)
}

/// Reads pictures until the end, or until nobody listens; returns how many.
fn read_all(path: &Path, mut from: impl BufRead, every: usize, to: &SyncSender<Frame>) -> usize {
    let mut number = 0;
    loop {
        let frame = match picture(&mut from) {
            Ok(Some(picture)) => Ok(picture),
            Ok(None) => return number,
            Err(e) => Err(Error::data(path, format!("frame {number} is cut: {e}"))),
        };
        let is_last = frame.is_err();
        let is_wanted = is_last || number.is_multiple_of(every);
        let nobody_listens = is_wanted && to.send((number, frame)).is_err();
        if is_last || nobody_listens {
            return number;
        }
        number += 1;
    }
}

/// One PPM picture as ffmpeg writes it (`P6`, extents, 255, then the pixels); none at the end.
fn picture(from: &mut impl BufRead) -> io::Result<Option<Rgb8>> {
    let wrong = |problem: &str| io::Error::new(io::ErrorKind::InvalidData, problem.to_owned());
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let words = [(); 4].map(|()| word(from));
    let [kind, width, height, most] = words;
    if (kind?.as_str(), most?.as_str()) != ("P6", "255") {
        return Err(wrong("it is no PPM picture of 8 bits"));
    }
    let extent = |word: io::Result<String>| word?.parse::<usize>().map_err(|_| wrong("its extents are no numbers"));
    let (width, height) = (extent(width)?, extent(height)?);
    let pixels =
        width.checked_mul(height).filter(|&pixels| pixels > 0 && pixels as u64 <= Limits::default().max_pixels);
    let pixels = pixels.ok_or_else(|| wrong(&format!("it has {width} x {height} pixels")))?;
    let mut data = vec![0; 3 * pixels];
    from.read_exact(&mut data)?;
    Ok(Some(Rgb8::new(width, height, data)))
}

/// A word, and the white byte after it.
fn word(from: &mut impl BufRead) -> io::Result<String> {
    let mut word = String::new();
    loop {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        match byte[0] {
            white if white.is_ascii_whitespace() => return Ok(word),
            _ if word.len() > 20 => return Err(io::ErrorKind::InvalidData.into()),
            byte => word.push(byte.into()),
        }
    }
}

/// The last of what is said.
fn last_of(mut from: ChildStderr) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; MESSAGES]);
    while let Ok(n) = from.read(&mut piece) {
        if n == 0 {
            break;
        }
        kept.extend_from_slice(&piece[..n]);
        let over = kept.len().saturating_sub(MESSAGES);
        kept.drain(..over);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The last lines, each once, without the addresses of ffmpeg's objects.
fn in_short(messages: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in messages.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = match (line.find(" @ 0x"), line.find(']')) {
            (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to..]),
            _ => line.to_owned(),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.split_off(lines.len().saturating_sub(LINES)).join("; ")
}

/// What ffprobe, beside ffmpeg, says of a file; nothing where it is missing or does not know.
fn probe(path: &Path, ffmpeg: &Path) -> Told {
    let mut command = Command::new(ffmpeg.with_file_name("ffprobe"));
    let entries = "stream=avg_frame_rate,nb_frames,duration:format=duration,format_name,nb_streams";
    command.args(["-v", "quiet", "-select_streams", "v:0", "-show_entries", entries]);
    command.args(["-of", "json", "-i"]).arg(local(path)).stdin(Stdio::null());
    let told = command.output().ok().and_then(|output| serde_json::from_slice(&output.stdout).ok());
    told.map_or_else(Told::default, |told| facts(&told))
}

/// What ffprobe's JSON says.
fn facts(told: &serde_json::Value) -> Told {
    let (stream, format) = (&told["streams"][0], &told["format"]);
    let text = |key: &str| stream[key].as_str();
    let rate = text("avg_frame_rate").and_then(|rate| rate.split_once('/'));
    let rate = rate.and_then(|(a, b)| Some((a.parse::<f64>().ok()?, b.parse::<f64>().ok()?)));
    let rate = rate.map(|(frames, seconds)| frames / seconds).filter(|rate| rate.is_finite() && *rate > 0.0);
    let count = text("nb_frames").and_then(|frames| frames.parse().ok());
    let is_one_of =
        |names: &[&str]| format["format_name"].as_str().is_some_and(|name| name.split(',').any(|x| names.contains(&x)));
    // The whole file's duration may be another stream's, where there is another; FLV has no other.
    let whole = || format["duration"].as_str().filter(|_| format["nb_streams"] == 1 || is_one_of(&["flv"]));
    let seconds = text("duration").or_else(whole).and_then(|seconds| seconds.parse::<f64>().ok());
    let suggested = seconds.zip(rate).map(|(seconds, rate)| (seconds * rate).round());
    let suggested = suggested.filter(|frames| frames.is_finite() && *frames >= 0.0).map(|frames| frames as usize);
    let may_be_fewer = is_one_of(&["mp4", "matroska"]);
    Told { frames: count.or(suggested), rate, is_count: count.is_some(), may_be_fewer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_in_short() {
        let said = "[h264 @ 0x55] bad\n\n[h264 @ 0x77] bad\n[mov @ 0x1] one\nfile:x: two\n three ] @ 0x\n";
        assert_eq!(in_short(said), "[mov] one; file:x: two; three ] @ 0x");
        assert_eq!(in_short("[h264 @ 0x55] bad\n[h264 @ 0x77] bad\n"), "[h264] bad");
        assert_eq!(in_short(" \n"), "");
    }

    #[test]
    fn frames_that_are_missing_are_told_from_rounding() {
        let told = |stream: serde_json::Value, format: serde_json::Value| {
            facts(&serde_json::json!({ "streams": [stream], "format": format }))
        };
        let flv = serde_json::json!({ "duration": "10.0", "format_name": "flv", "nb_streams": 1 });
        let counted = serde_json::json!({ "avg_frame_rate": "10/1", "nb_frames": "100" });
        let rated = serde_json::json!({ "avg_frame_rate": "10/1" });
        let cut = |told: Told, came| told.missing(came).map(|(_, is_cut)| is_cut);
        let by_duration = told(rated.clone(), flv.clone());
        assert_eq!((by_duration.frames, by_duration.rate), (Some(100), Some(10.0)));
        assert_eq!(
            [60, 94, 95, 98, 100, 120].map(|came| cut(by_duration, came)),
            [Some(true), Some(true), None, None, None, None]
        );
        let by_count = told(counted.clone(), flv);
        assert_eq!([60, 96, 99, 100].map(|came| cut(by_count, came)), [Some(true), Some(false), None, None]);
        // An MP4 may have frames before its edit list's beginning.
        let mp4 = serde_json::json!({ "duration": "10.0", "format_name": "mov,mp4,m4a", "nb_streams": 1 });
        assert_eq!(cut(told(counted, mp4), 60), Some(false));
        // The sound may last longer.
        let two = serde_json::json!({ "duration": "10.0", "format_name": "asf", "nb_streams": 2 });
        assert_eq!(told(rated, two).frames, None);
        assert_eq!(facts(&serde_json::Value::Null), Told::default());
    }

    #[test]
    fn pictures_follow_one_another_and_a_cut_is_no_end() {
        let bytes = b"P6\n2 1\n255\nabcdefP6\n1 1\n255\nghiP6\n1 1\n255\nj";
        let mut from = &bytes[..];
        let read = picture(&mut from).unwrap().unwrap();
        assert_eq!((read.width(), read.height(), read.data()), (2, 1, &b"abcdef"[..]));
        assert_eq!(picture(&mut from).unwrap().unwrap().data(), b"ghi");
        assert!(picture(&mut from).is_err());
        assert!(picture(&mut &b""[..]).unwrap().is_none());
        for bad in [&b"P5\n1 1\n255\na"[..], b"P6\n0 1\n255\n", b"P6\n99999999 99999999\n255\n", b"P6\n1", b"GIF89a"] {
            assert!(picture(&mut &bad[..]).is_err());
        }
        let (send, receive) = sync_channel(9);
        assert_eq!(read_all(Path::new("v.mkv"), &bytes[..], 2, &send), 2);
        let got: Vec<Frame> = receive.try_iter().collect();
        assert_eq!(got.iter().map(|frame| (frame.0, frame.1.is_ok())).collect::<Vec<_>>(), [(0, true), (2, false)]);
        assert!(got[1].1.as_ref().unwrap_err().to_string().contains("v.mkv: frame 2 is cut"));
    }
}
