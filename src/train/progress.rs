//! How training goes, as it goes: one line that is rewritten on a terminal, a line now and then elsewhere.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// What is told of a step.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// The last epoch.
    pub epochs: u32,
    /// The batch within the epoch, counted from 1.
    pub batch: u32,
    /// Batches in an epoch.
    pub epoch_size: u32,
    /// The parts of the loss, the whole first.
    pub losses: &'a [(&'a str, f32)],
    /// The learning rate.
    pub learning_rate: f32,
    /// How many images it was trained on.
    pub images: usize,
}

/// Tells of each step on stderr.
pub struct Progress {
    sink: Sink,
    /// Steps in all, and how many are done.
    total: u64,
    done: u64,
    /// When the last step ended.
    last: Instant,
    /// When the first step began, and how many were done before.
    first: Option<(Instant, u64)>,
    /// Smoothed seconds of an image: one step in ten counts.
    image_seconds: Option<f64>,
}

enum Sink {
    Bar(ProgressBar),
    Lines { out: Box<dyn Write + Send>, every: Duration, told: Option<Instant> },
}

impl Progress {
    /// For `total` steps, of which `done` were done before. Where stderr is no terminal, a line comes every `every`.
    pub fn new(total: u64, done: u64, every: Duration) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::lines(total, done, every, Box::new(std::io::stderr()));
        }
        let style = ProgressStyle::with_template("{wide_bar} {percent}%\n{msg}");
        let bar = ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::with(Sink::Bar(bar), total, done)
    }

    /// The same, in lines, to `out`.
    pub fn lines(total: u64, done: u64, every: Duration, out: Box<dyn Write + Send>) -> Self {
        Self::with(Sink::Lines { out, every, told: None }, total, done)
    }

    fn with(sink: Sink, total: u64, done: u64) -> Self {
        Progress { sink, total, done, last: Instant::now(), first: None, image_seconds: None }
    }

    /// A step has ended.
    pub fn step(&mut self, step: &Step) {
        self.step_at(step, Instant::now());
    }

    /// Time that passed since the last step was not training's (an evaluation, a checkpoint), and does not count as a
    /// step's. It does for the time that is left.
    pub fn pause(&mut self) {
        self.last = Instant::now();
    }

    /// Images trained on in a second, as of late.
    pub fn images_per_second(&self) -> Option<f64> {
        self.image_seconds.filter(|&seconds| seconds > 0.0).map(|seconds| 1.0 / seconds)
    }

    /// Tells something else, above the line.
    pub fn say(&mut self, text: &str) {
        match &mut self.sink {
            Sink::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            // Nobody may be listening, and training goes on.
            Sink::Lines { out, .. } => drop(writeln!(out, "{text}")),
        }
    }

    /// Takes the line away.
    pub fn finish(self) {
        if let Sink::Bar(bar) = self.sink {
            bar.finish_and_clear();
        }
    }

    fn step_at(&mut self, step: &Step, now: Instant) {
        let seconds = now.saturating_duration_since(self.last).as_secs_f64();
        let new = seconds / step.images.max(1) as f64;
        self.image_seconds = Some(self.image_seconds.map_or(new, |old| 0.9 * old + 0.1 * new));
        let (first, before) = *self.first.get_or_insert((self.last, self.done));
        (self.last, self.done) = (now, self.done + 1);
        // All that happened since the first step will go on happening: evaluations, checkpoints, the search for triplets.
        let each = now.saturating_duration_since(first).as_secs_f64() / (self.done - before) as f64;
        let left = self.total.saturating_sub(self.done) as f64 * each;
        let text = line(step, self.images_per_second(), left);
        match &mut self.sink {
            Sink::Bar(bar) => {
                bar.set_position(self.done);
                bar.set_message(text);
            }
            Sink::Lines { out, every, told } => {
                if self.done == self.total || told.is_none_or(|told| now.saturating_duration_since(told) >= *every) {
                    *told = Some(now);
                    let _ = writeln!(out, "{text}");
                }
            }
        }
    }
}

fn line(step: &Step, images_per_second: Option<f64>, left: f64) -> String {
    let Step { epoch, epochs, batch, epoch_size, .. } = step;
    let mut line = format!("epoch {epoch}/{epochs} step {batch}/{epoch_size}");
    // Writing to a String cannot fail.
    for (name, value) in step.losses {
        let _ = write!(line, " · {name} {value:.4}");
    }
    let _ = write!(line, " · rate {}", step.learning_rate);
    if let Some(rate) = images_per_second {
        let _ = write!(line, " · {} images/s", if rate < 10.0 { format!("{rate:.2}") } else { format!("{rate:.0}") });
    }
    let _ = write!(line, " · {} left", duration(left));
    line
}

/// Seconds as `3d 04h`, `2h 05m`, `4m 09s` or `12s`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if days > 0 => format!("{days}d {:02}h", hours % 24),
        () if hours > 0 => format!("{hours}h {:02}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {:02}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn step(batch: u32) -> Step<'static> {
        let losses = &[("loss", 1.25), ("center", 0.5)];
        Step { epoch: 2, epochs: 9, batch, epoch_size: 50, losses, learning_rate: 0.05, images: 90 }
    }

    #[test]
    fn a_line_tells_all_and_lines_come_now_and_then() {
        let page = Page::default();
        let mut progress = Progress::lines(100, 40, Duration::from_secs(10), Box::new(page.clone()));
        let start = progress.last;
        // Half a second a step: the 1st, 21st and 41st are told, and the very last.
        for i in 1..=60 {
            progress.step_at(&step(i), start + Duration::from_millis(500) * i);
        }
        progress.say("done");
        assert!((progress.images_per_second().unwrap() - 180.0).abs() < 1e-6);
        progress.finish();
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let first = "epoch 2/9 step 1/50 · loss 1.2500 · center 0.5000 · rate 0.05 · 180 images/s · 30s left";
        assert_eq!((lines.len(), lines[0], lines[4]), (5, first, "done"));
        assert!(lines[1].contains("step 21/50") && lines[1].ends_with("20s left"), "{}", lines[1]);
        assert!(lines[3].contains("step 60/50") && lines[3].ends_with("0s left"), "{}", lines[3]);
    }

    #[test]
    fn what_is_no_step_takes_time_as_well() {
        let page = Page::default();
        let mut progress = Progress::lines(10, 0, Duration::ZERO, Box::new(page.clone()));
        let start = progress.last;
        progress.step_at(&step(1), start + Duration::from_secs(1));
        progress.last = start + Duration::from_secs(3);
        progress.step_at(&step(2), start + Duration::from_secs(4));
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(text.lines().nth(1).unwrap().ends_with("90 images/s · 16s left"), "{text}");
    }

    #[test]
    fn durations_have_two_parts() {
        let texts = [11.6, 60.0, 3599.0, 7500.0, 90000.0].map(duration);
        assert_eq!(texts, ["12s", "1m 00s", "59m 59s", "2h 05m", "1d 01h"]);
    }
}
