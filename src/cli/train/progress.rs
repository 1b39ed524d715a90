//! How training goes, as it goes: one line that is rewritten on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::fields::flag;
use crate::train::observe::Step;
use crate::train::{Event, Observer};

/// How often a step is told of where stderr is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Tells of a run on stderr.
pub struct Progress {
    sink: Sink,
}

enum Sink {
    Bar(ProgressBar),
    Lines { out: Box<dyn Write>, every: Duration, told: Option<Instant> },
}

impl Progress {
    /// On stderr, in the form that suits it.
    pub fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::lines(EVERY, Box::new(std::io::stderr()));
        }
        let style = ProgressStyle::with_template("{wide_bar} {percent}%\n{msg}");
        // It is drawn with the first step.
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress { sink: Sink::Bar(bar) }
    }

    /// In lines, to `out`.
    fn lines(every: Duration, out: Box<dyn Write>) -> Self {
        Progress { sink: Sink::Lines { out, every, told: None } }
    }

    /// Takes the line away.
    pub fn finish(self) {
        if let Sink::Bar(bar) = self.sink {
            bar.finish_and_clear();
        }
    }

    /// Tells something, above the line.
    fn say(&mut self, text: &str) {
        match &mut self.sink {
            Sink::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            // Nobody may be listening, and training goes on.
            Sink::Lines { out, .. } => drop(writeln!(out, "{text}")),
        }
    }

    fn step(&mut self, step: &Step, now: Instant) {
        match &mut self.sink {
            Sink::Bar(bar) => {
                bar.set_length(step.total);
                bar.set_position(step.done);
                bar.set_message(step.to_string());
            }
            Sink::Lines { out, every, told } => {
                let due = told.is_none_or(|told| now.saturating_duration_since(told) >= *every);
                if step.done == step.total || due {
                    *told = Some(now);
                    let _ = writeln!(out, "{step}");
                }
            }
        }
    }
}

impl Observer for Progress {
    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Step(step) => self.step(step, Instant::now()),
            other => {
                if let Some(message) = other.message() {
                    self.say(&message.with_names(flag));
                }
            }
        }
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
        Step {
            done: u64::from(40 + batch),
            total: 100,
            epoch: 2,
            epochs: 9,
            batch,
            epoch_size: 50,
            losses: &[("loss", 1.25)],
            learning_rate: 0.05,
            images_per_second: 180.0,
            seconds_left: 30.0,
        }
    }

    #[test]
    fn lines_come_now_and_then_and_call_fields_by_flags() {
        let page = Page::default();
        let mut progress = Progress::lines(Duration::from_secs(10), Box::new(page.clone()));
        let start = Instant::now();
        // Half a second a step: the 1st, 21st and 41st are told, and the very last.
        for i in 1..=60 {
            progress.step(&step(i), start + Duration::from_millis(500) * i);
        }
        progress.observe(&Event::Idle { step: 7, steps: 16 });
        progress.observe(&Event::Saved { step: 7, file: std::path::Path::new("x") });
        progress.finish();
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        for (line, words) in lines.iter().zip(["step 1/50", "step 21/50", "step 41/50", "step 60/50", "raise --alpha"])
        {
            assert!(line.contains(words), "{line}");
        }
    }
}
