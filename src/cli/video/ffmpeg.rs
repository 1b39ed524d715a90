//! A video's frames, through a pipe from ffmpeg as PPM pictures.

use std::io::{self, BufRead, BufReader, Read};
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
    /// How many frames the file says it has.
    pub frames: Option<usize>,
    /// Frames in a second, on average.
    pub rate: Option<f64>,
}

impl Ffmpeg {
    /// Begins with a file; each `every`-th frame comes through the channel.
    pub fn open(path: &Path, program: &Path, every: usize) -> Result<(Self, Receiver<Frame>)> {
        let (frames, rate) = probe(path, program);
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
        Ok((Ffmpeg { child, messages, reader: Some(reader), frames, rate }, frames_of))
    }

    /// Waits for its end: what went wrong, in its words. What only might be wrong is told.
    pub fn close(mut self, path: &Path) -> Option<String> {
        let read = self.reader.take().and_then(|reader| reader.join().ok()).unwrap_or(0);
        if let Some(frames) = self.frames.filter(|&frames| frames > read + 1) {
            eprintln!("warning: {}: its header speaks of {frames} frames, and {read} came", path.display());
        }
        let status = self.child.wait();
        let messages = self.messages.take().and_then(|messages| messages.join().ok()).unwrap_or_default();
        match (in_short(&messages), status) {
            (said, _) if !said.is_empty() => Some(said),
            (_, Ok(status)) if status.success() => None,
            (_, Ok(status)) => Some(format!("ffmpeg ended with {status}")),
            (_, Err(e)) => Some(e.to_string()),
        }
    }
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

/// What ffprobe, beside ffmpeg, says of number and rate of frames; nothing where it is missing or does not know.
fn probe(path: &Path, ffmpeg: &Path) -> (Option<usize>, Option<f64>) {
    let mut command = Command::new(ffmpeg.with_file_name("ffprobe"));
    command.args(["-v", "quiet", "-select_streams", "v:0", "-show_entries", "stream=avg_frame_rate,nb_frames"]);
    command.args(["-of", "json", "-i"]).arg(local(path)).stdin(Stdio::null());
    let told =
        command.output().ok().and_then(|output| serde_json::from_slice::<serde_json::Value>(&output.stdout).ok());
    let Some(stream) = told.as_ref().and_then(|told| told["streams"].get(0)) else { return (None, None) };
    let text = |key: &str| stream[key].as_str();
    let rate = text("avg_frame_rate").and_then(|rate| rate.split_once('/'));
    let rate = rate.and_then(|(a, b)| Some((a.parse::<f64>().ok()?, b.parse::<f64>().ok()?)));
    let rate = rate.map(|(frames, seconds)| frames / seconds).filter(|rate| rate.is_finite() && *rate > 0.0);
    (text("nb_frames").and_then(|frames| frames.parse().ok()), rate)
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
