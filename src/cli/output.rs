//! Stdout, written so that a reader who leaves early ends us quietly.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::Path;

use serde::Serialize;

/// A locked, buffered stdout.
pub fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// A path as JSON has it: text, with what is not UTF-8 replaced.
pub fn path(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

/// Text for people, with control characters as escapes such as `\n`: a name is no more than one line, and does nothing to a
/// terminal.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// Writes one JSON value as a line, and flushes it: a reader of the output sees it at once.
pub fn json_line(to: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *to, value).map_err(io::Error::from)?;
    to.write_all(b"\n")?;
    Ok(to.flush()?)
}

/// Whether an error is only that stdout's reader left.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// Lists inputs that failed, on stderr, beside `done` that went well.
pub fn list_failures(done: usize, failures: &[crate::Error]) -> super::Outcome {
    if !failures.is_empty() {
        eprintln!("{} failed:", count(failures.len(), "input"));
        failures.iter().for_each(|failure| eprintln!("  {}", super::fields::words(failure)));
    }
    super::Outcome::of(done, failures.len())
}

/// `1 face`, `2 faces`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A figure of five digits, or `n/a` where it is not defined.
pub fn figure(x: f64) -> String {
    if x.is_nan() { "n/a".to_owned() } else { format!("{x:.5}") }
}
