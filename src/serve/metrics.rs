//! What is counted, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets of times, in seconds.
const SECONDS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Upper bounds of the buckets of batches.
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// A histogram: how many values lie under each bound, their sum, their number.
#[derive(Clone, Default)]
struct Histogram {
    under: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Histogram {
    fn add(&mut self, bounds: &[f64], value: f64) {
        self.under.resize(bounds.len(), 0);
        self.under.iter_mut().zip(bounds).filter(|(_, bound)| value <= **bound).for_each(|(under, _)| *under += 1);
        self.sum += value;
        self.count += 1;
    }

    fn write(&self, out: &mut String, name: &str, label: &str, bounds: &[f64]) {
        for (under, bound) in self.under.iter().zip(bounds) {
            let _ = writeln!(out, "{name}_bucket{{{label},le=\"{bound}\"}} {under}");
        }
        let _ = writeln!(out, "{name}_bucket{{{label},le=\"+Inf\"}} {}", self.count);
        let _ = writeln!(out, "{name}_sum{{{label}}} {}", self.sum);
        let _ = writeln!(out, "{name}_count{{{label}}} {}", self.count);
    }
}

#[derive(Default)]
struct Counted {
    /// By path's pattern and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    /// By path's pattern.
    seconds: BTreeMap<&'static str, Histogram>,
    /// By kind of work.
    batches: BTreeMap<&'static str, Histogram>,
    /// By kind of work.
    busy: BTreeMap<&'static str, f64>,
}

/// What a server counts.
#[derive(Default)]
pub struct Metrics {
    counted: Mutex<Counted>,
    /// Bytes of bodies.
    pub bytes: AtomicU64,
    /// Connections that were taken.
    pub connections: AtomicU64,
    /// Connections that were closed to make room.
    pub evicted: AtomicU64,
    /// Microseconds that one crop, photograph or search took last.
    each: AtomicU64,
}

/// What is true at the moment of asking.
pub struct Gauges {
    pub ready: bool,
    pub queue: usize,
    pub open: usize,
}

impl Metrics {
    /// A request was answered.
    pub fn answered(&self, path: &'static str, status: u16, took: Duration) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.requests.entry((path, status)).or_default() += 1;
        counted.seconds.entry(path).or_default().add(&SECONDS, took.as_secs_f64());
    }

    /// The device worked on `n` together.
    pub fn ran(&self, kind: &'static str, n: usize, took: Duration) {
        self.each.store(took.as_micros() as u64 / n.max(1) as u64, Ordering::Relaxed);
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.batches.entry(kind).or_default().add(&SIZES, n as f64);
        *counted.busy.entry(kind).or_default() += took.as_secs_f64();
    }

    /// In how many seconds `waiting` of them may be done: from 1 to 60.
    pub fn seconds_for(&self, waiting: usize) -> u64 {
        (self.each.load(Ordering::Relaxed).saturating_mul(waiting as u64) / 1_000_000).clamp(1, 60)
    }

    /// The text.
    pub fn text(&self, gauges: &Gauges) -> String {
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        let simple = [
            ("warpface_ready", "gauge", "Whether requests are answered.", f64::from(u8::from(gauges.ready))),
            (
                "warpface_queue",
                "gauge",
                "Crops, photographs and searches that wait for the device.",
                gauges.queue as f64,
            ),
            ("warpface_connections", "gauge", "Open connections.", gauges.open as f64),
            ("warpface_connections_total", "counter", "Connections taken.", self.read(&self.connections)),
            (
                "warpface_connections_evicted_total",
                "counter",
                "Connections closed to make room.",
                self.read(&self.evicted),
            ),
            ("warpface_request_bytes_total", "counter", "Bytes of bodies.", self.read(&self.bytes)),
        ];
        for (name, kind, help, value) in simple {
            head(&mut out, name, kind, help);
            let _ = writeln!(out, "{name} {value}");
        }
        if let Some(bytes) = resident() {
            head(&mut out, "process_resident_memory_bytes", "gauge", "Resident memory.");
            let _ = writeln!(out, "process_resident_memory_bytes {bytes}");
        }
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        head(&mut out, "warpface_requests_total", "counter", "Requests answered, by path and status.");
        for ((path, status), n) in &counted.requests {
            let _ = writeln!(out, "warpface_requests_total{{path=\"{path}\",status=\"{status}\"}} {n}");
        }
        head(&mut out, "warpface_request_seconds", "histogram", "From a request's head to its answer.");
        for (path, histogram) in &counted.seconds {
            histogram.write(&mut out, "warpface_request_seconds", &format!("path=\"{path}\""), &SECONDS);
        }
        head(&mut out, "warpface_batch_size", "histogram", "How many ran together on the device.");
        for (kind, histogram) in &counted.batches {
            histogram.write(&mut out, "warpface_batch_size", &format!("work=\"{kind}\""), &SIZES);
        }
        head(&mut out, "warpface_device_busy_seconds_total", "counter", "Time that the device worked.");
        for (kind, seconds) in &counted.busy {
            let _ = writeln!(out, "warpface_device_busy_seconds_total{{work=\"{kind}\"}} {seconds}");
        }
        out
    }

    fn read(&self, counter: &AtomicU64) -> f64 {
        counter.load(Ordering::Relaxed) as f64
    }
}

/// This process's resident memory in bytes, where the system tells (Linux).
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.answered("/v1/faces", 200, Duration::from_millis(30));
        metrics.answered("/v1/faces", 415, Duration::from_millis(1));
        metrics.ran("embed", 16, Duration::from_millis(80));
        let text = metrics.text(&Gauges { ready: true, queue: 3, open: 2 });
        for line in [
            "warpface_ready 1",
            "warpface_queue 3",
            "warpface_requests_total{path=\"/v1/faces\",status=\"415\"} 1",
            "warpface_request_seconds_bucket{path=\"/v1/faces\",le=\"0.02\"} 1",
            "warpface_request_seconds_bucket{path=\"/v1/faces\",le=\"+Inf\"} 2",
            "warpface_batch_size_bucket{work=\"embed\",le=\"8\"} 0",
            "warpface_batch_size_bucket{work=\"embed\",le=\"16\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert_eq!((metrics.seconds_for(0), metrics.seconds_for(400), metrics.seconds_for(1 << 40)), (1, 2, 60));
    }
}
