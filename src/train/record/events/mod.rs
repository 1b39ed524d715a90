//! TensorBoard's event files: scalars and histograms by step.

mod message;
mod record;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::{Error, Result};
use message::{Event, Histogram, SessionLog, Summary, Value};

/// The event file of one run, or of what a resumed run adds.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Events {
    /// Begins a new event file in `dir`, which is made if it is not there. What earlier files in it say of `first_step`
    /// and later steps is void from now on: a resumed run writes those steps anew.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn create(dir: impl AsRef<Path>, first_step: u64) -> Result<Self> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
        // TensorBoard reads files in the order of their names: a later one must not have an earlier second.
        let mut newest = 0;
        for entry in fs::read_dir(dir).map_err(Error::io(dir, "list"))? {
            let name = entry.map_err(Error::io(dir, "list"))?.file_name();
            let seconds = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok());
            newest = newest.max(seconds.unwrap_or(0));
        }
        let seconds = (now() as u64).max(newest + 1);
        let path = dir.join(format!("{PREFIX}{seconds:010}.{}.{}", host(), std::process::id()));
        let file = File::create_new(&path).map_err(Error::io(&path, "create"))?;
        let mut events = Events { path, out: BufWriter::new(file) };
        events.write(Event { file_version: Some("brain.Event:2".into()), ..Event::at(now(), 0) })?;
        let session_log = Some(SessionLog { status: SessionLog::START });
        events.write(Event { session_log, ..Event::at(now(), first_step) })?;
        events.flush()?;
        Ok(events)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes named numbers of a step, and flushes: TensorBoard sees them at once. A `/` in a name makes a group.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f32)]) -> Result<()> {
        let value = |&(tag, x): &(&str, f32)| Value { tag: tag.to_owned(), simple_value: Some(x), ..Value::default() };
        self.summary(step, values.iter().map(value).collect())?;
        self.flush()
    }

    /// Writes how values are spread, in TensorBoard's buckets; those that are no finite numbers are left out.
    /// [`scalars`](Self::scalars) or [`flush`](Self::flush) shows it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn histogram(&mut self, step: u64, tag: &str, values: &[f32]) -> Result<()> {
        let histo = Some(Histogram::of(values));
        self.summary(step, vec![Value { tag: tag.to_owned(), histo, ..Value::default() }])
    }

    /// Hands to the system what was written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(Error::io(&self.path, "write"))
    }

    fn summary(&mut self, step: u64, value: Vec<Value>) -> Result<()> {
        self.write(Event { summary: Some(Summary { value }), ..Event::at(now(), step) })
    }

    fn write(&mut self, event: Event) -> Result<()> {
        record::write(&mut self.out, &event.encode_to_vec()).map_err(Error::io(&self.path, "write"))
    }
}

const PREFIX: &str = "events.out.tfevents.";

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// This machine's name as far as a file's name can hold it.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok());
    let mut name = name.unwrap_or_default();
    name.retain(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if name.is_empty() { "localhost".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(path: &Path) -> Vec<Event> {
        let records = record::read(&fs::read(path).unwrap()).unwrap();
        records.iter().map(|bytes| Event::decode(&bytes[..]).unwrap()).collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Events::create(dir.path().join("run"), 7).unwrap();
        writer.histogram(7, "weights", &[-1.0, 2.0, 2.0]).unwrap();
        writer.scalars(7, &[("loss/total", 0.5), ("learning_rate", 0.05)]).unwrap();
        // Flushed, with the writer still open.
        let read = events(writer.path());
        assert_eq!(read[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!((read[1].step, read[1].session_log.as_ref().unwrap().status), (7, 1));
        assert_eq!(read[2].summary.as_ref().unwrap().value[0].histo, Some(Histogram::of(&[-1.0, 2.0, 2.0])));
        let scalars: Vec<_> =
            read[3].summary.iter().flat_map(|s| &s.value).map(|v| (v.tag.as_str(), v.simple_value)).collect();
        assert_eq!((read[3].step, scalars), (7, vec![("loss/total", Some(0.5)), ("learning_rate", Some(0.05))]));
        assert!(read.len() == 4 && read[3].wall_time > 1.6e9);
    }

    #[test]
    fn a_resumed_run_adds_a_file_that_is_read_later() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..3).map(|i| Events::create(dir.path(), i).unwrap().path).collect();
        assert!(paths.is_sorted() && paths[0] < paths[1] && paths[1] < paths[2], "{paths:?}");
        let name = paths[0].file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("events.out.tfevents.") && name.split('.').count() == 6, "{name}");
    }
}
