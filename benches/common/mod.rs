//! What the benches share: devices, criterion's settings, and the table at the end, each row beside the roofline.

// Each bench is a crate of its own and uses its share of this.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use warpface::Precision;
use warpface::backend::{Module, Roofline};
use warpface::{Device, DeviceKind, Graph, Plan, Result};

/// One sample of a case that the device measures ends after this much time, whatever the device counted of it.
const SAMPLE: Duration = Duration::from_millis(100);

/// A bench on one device.
pub struct Bench {
    criterion: Criterion,
    group: &'static str,
    device: Device,
    precision: Precision,
    /// `None` when the cases are only tried out, not measured.
    roofline: Option<Roofline>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    seconds: f64,
    work: Option<Work>,
}

/// What a case does at least.
#[derive(Clone, Copy)]
pub struct Work {
    flops: u64,
    bytes: u64,
    /// How long that takes at the roofline.
    seconds: f64,
}

/// Runs the cases on every device at hand, in every precision that it has. `WARPFACE_BENCH_DEVICE` and
/// `WARPFACE_BENCH_PRECISION` name some of them, separated by commas.
pub fn main(group: &'static str, cases: fn(&mut Bench)) {
    let devices = listed("WARPFACE_BENCH_DEVICE", &[DeviceKind::Cpu, DeviceKind::Wgpu, DeviceKind::Cuda]);
    let precisions = listed("WARPFACE_BENCH_PRECISION", &Precision::ALL);
    for kind in devices {
        let device = match Device::open(kind, 0) {
            Ok(device) => device,
            Err(error) => {
                eprintln!("SKIPPED: {error}");
                continue;
            }
        };
        for &precision in &precisions {
            // That the others have f32 alone is no news.
            if device.info().kind != "cuda" && precision != Precision::F32 {
                continue;
            }
            if let Err(error) = device.backend().check(precision) {
                eprintln!("SKIPPED: {group} in {precision}: {error}");
                continue;
            }
            let mut bench = Bench::new(group, device.clone(), precision);
            cases(&mut bench);
            bench.finish();
        }
    }
    Criterion::default().configure_from_args().final_summary();
}

/// What an environment variable lists, or all.
fn listed<T: FromStr<Err = warpface::Error> + Clone>(variable: &str, all: &[T]) -> Vec<T> {
    match std::env::var(variable) {
        Ok(list) => {
            list.split(',').map(|name| name.trim().parse().unwrap_or_else(|e| panic!("{variable}: {e}"))).collect()
        }
        Err(_) => all.to_vec(),
    }
}

impl Bench {
    fn new(group: &'static str, device: Device, precision: Precision) -> Bench {
        // As criterion has it: whatever is not `cargo bench` tries every case once.
        let has = |flag: &str| std::env::args().any(|arg| arg == flag);
        let measuring = has("--bench") && !has("--test") && !has("--list");
        let roofline = measuring.then(|| Roofline::measure(&device, precision).expect("the device was opened"));
        let criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(800))
            .without_plots()
            .configure_from_args();
        Bench { criterion, group, device, precision, roofline, rows: Vec::new() }
    }

    /// The device.
    pub fn device(&self) -> Device {
        self.device.clone()
    }

    /// In which arithmetic the cases run.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Loads a graph in the bench's precision.
    pub fn load(&self, graph: Arc<Graph>) -> Result<Arc<dyn Module>> {
        self.device.backend().load_in(graph, self.precision)
    }

    /// Whether the device is a GPU's API on the processor: sizes shrink there, or nobody would wait for the end.
    pub fn is_slow(&self) -> bool {
        self.device.info().is_software()
    }

    /// Images of a batch.
    pub fn batch(&self) -> usize {
        if self.is_slow() { 2 } else { self.device.backend().batch() }
    }

    /// What a plan does.
    pub fn work(&self, plan: &Plan) -> Work {
        let bytes = plan.steps.iter().map(|step| self.precision.stored(step.min_values())).sum();
        let seconds = self.roofline.map_or(0.0, |roofline| roofline.plan_seconds(plan));
        Work { flops: plan.flops(), bytes, seconds }
    }

    /// So many operations and bytes.
    pub fn least(&self, flops: u64, bytes: u64) -> Work {
        Work { flops, bytes, seconds: self.roofline.map_or(0.0, |roofline| roofline.seconds(flops, bytes)) }
    }

    /// A case whose `run` says how long it took; the median counts. The time is divided by `items`.
    pub fn case(&mut self, name: &str, items: usize, work: Option<Work>, mut run: impl FnMut() -> Duration) {
        let mut times = Vec::new();
        let id = BenchmarkId::new(format!("{} {}", self.device.info().kind, self.precision), name);
        self.criterion.benchmark_group(self.group).bench_function(id, |bencher| {
            bencher.iter_custom(|wanted| {
                let (start, mut total, mut ran) = (Instant::now(), Duration::ZERO, 0);
                // A device's clock does not see what the host does between runs: what is left is extrapolated.
                while ran < wanted && (ran == 0 || start.elapsed() < SAMPLE) {
                    let time = run();
                    times.push(time.as_secs_f64());
                    total += time;
                    ran += 1;
                }
                total.mul_f64(wanted as f64 / ran as f64)
            });
        });
        if self.roofline.is_some() && !times.is_empty() {
            times.sort_by(f64::total_cmp);
            let seconds = times[times.len() / 2] / items as f64;
            self.rows.push(Row { name: name.to_owned(), seconds, work });
        }
    }

    /// Says why a case is left out.
    pub fn skip(&self, name: &str, why: impl std::fmt::Display) {
        eprintln!("SKIPPED: {} {name} on {} in {}: {why}", self.group, self.device, self.precision);
    }

    fn finish(self) {
        let Some(roofline) = self.roofline.filter(|_| !self.rows.is_empty()) else { return };
        let table = table(self.group, &self.device, &roofline, &self.rows);
        println!("{table}");
        // `cargo xtask bench-run` keeps the tables, and the rows that they are made of.
        append("WARPFACE_BENCH_RUN", &format!("\n{table}"));
        append("WARPFACE_BENCH_ROWS", &raw_rows(self.group, &self.device, &roofline, &self.rows));
    }
}

/// Appends to the file that an environment variable names, if it does.
fn append(variable: &str, text: &str) {
    let Some(path) = std::env::var_os(variable) else { return };
    let file = File::options().append(true).create(true).open(&path);
    if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
        eprintln!("{}: {error}", Path::new(&path).display());
    }
}

/// A line of CSV for each row: bench, device, precision, case, seconds, operations, bytes, seconds at the roofline.
fn raw_rows(group: &str, device: &Device, roofline: &Roofline, rows: &[Row]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let (kind, precision) = (device.info().kind, roofline.precision);
    let mut text = String::new();
    for Row { name, seconds, work } in rows {
        let _ = write!(text, "{group},{kind},{precision},{},{seconds:e}", quoted(name));
        let _ = match work {
            Some(Work { flops, bytes, seconds }) => writeln!(text, ",{flops},{bytes},{seconds:e}"),
            None => writeln!(text, ",,,"),
        };
    }
    text
}

fn table(group: &str, device: &Device, roofline: &Roofline, rows: &[Row]) -> String {
    let mut text = format!(
        "## {group} on {device}, {}\n\nRoofline: {:.1} GFLOP/s by matrix product, {:.1} GB/s by copying.\n\n",
        roofline.precision, roofline.gflops, roofline.gb_s
    );
    let wide = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(4);
    let line = |text: &mut String, cells: [&str; 5]| {
        let [name, time, gflops, gb_s, percent] = cells;
        let _ = writeln!(text, "| {name:<wide$} | {time:>10} | {gflops:>9} | {gb_s:>8} | {percent:>10} |");
    };
    line(&mut text, ["case", "time", "GFLOP/s", "GB/s", "% roofline"]);
    let _ = writeln!(
        text,
        "|{}|{}:|{}:|{}:|{}:|",
        "-".repeat(wide + 2),
        "-".repeat(11),
        "-".repeat(10),
        "-".repeat(9),
        "-".repeat(11)
    );
    for row in rows {
        let cell = |value: fn(&Work) -> f64, digits: usize| {
            row.work.map_or("-".to_owned(), |work| format!("{:.digits$}", value(&work) / row.seconds))
        };
        let (gflops, gb_s) = (cell(|work| work.flops as f64 / 1e9, 1), cell(|work| work.bytes as f64 / 1e9, 1));
        line(&mut text, [&row.name, &time(row.seconds), &gflops, &gb_s, &cell(|work| 100.0 * work.seconds, 1)]);
    }
    let _ = match group {
        "ops" => writeln!(text, "\nTimed by {}.", device.backend().clock()),
        _ => writeln!(text, "\nTimed by the host's clock, inputs copied in and outputs out."),
    };
    text
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.3} s"),
        s if s >= 1e-3 => format!("{:.3} ms", s * 1e3),
        s => format!("{:.2} us", s * 1e6),
    }
}

/// The folder of weights (`WARPFACE_WEIGHTS`, else the repository's) and the embedding model in it (or
/// `WARPFACE_MODEL`), if it was filled.
pub fn weights() -> Option<(PathBuf, PathBuf)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    let folder = std::env::var_os("WARPFACE_WEIGHTS").map_or(here, PathBuf::from);
    let model = std::env::var_os("WARPFACE_MODEL").map_or_else(|| folder.join("graph_final.pb"), PathBuf::from);
    let mut files =
        ["det1.npy", "det2.npy", "det3.npy"].map(|name| folder.join(name)).into_iter().chain([model.clone()]);
    match files.find(|file| !file.is_file()) {
        None => Some((folder, model)),
        Some(missing) => {
            eprintln!("SKIPPED: {} is not there; `cargo xtask weights` fetches it", missing.display());
            None
        }
    }
}

/// How long a call takes.
pub fn clock<T>(run: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(run());
    start.elapsed()
}
