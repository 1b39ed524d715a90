//! How many queries are answered per second, in one process and after warm-up.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::Error;
use crate::backend::Roofline;
use crate::cli::context::Globals;
use crate::cli::search::Base;
use crate::cli::{Outcome, output};
use crate::error::Field;
use crate::vectors::search::Table;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is searched: an index, or an .npy or Parquet file of vectors, or a folder that `embed` wrote
    #[arg(value_name = "INDEX")]
    index: PathBuf,
    /// An .npy of the queries
    #[arg(value_name = "QUERIES")]
    queries: PathBuf,
    /// Queries at once, from the first on
    #[arg(long, default_value_t = 1, value_name = "N")]
    count: usize,
    /// How many of the nearest
    #[arg(short, long, default_value_t = 10, value_name = "N")]
    k: usize,
    /// Passes go on this long; there is at least one
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    seconds: f64,
    /// Also measure a large copy, which reads half of what it moves
    #[arg(long)]
    copy: bool,
    /// Write what is found, a line a query: ROW:DISTANCE, nearest first
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        if self.k == 0 || self.count == 0 {
            let field = Field(if self.k == 0 { "k" } else { "count" });
            return Err(Error::invalid(field, "must be at least 1").into());
        }
        let base = Base::open(&self.index, globals)?;
        let queries = Table::npy(&self.queries)?;
        let device = globals.open_device()?;
        let queries = queries.rows(0..queries.len().min(self.count));
        if queries.is_empty() || queries.dim() != base.dim() {
            let (dim, have) = (base.dim(), queries.dim());
            return Err(Error::data(&self.queries, format!("needs queries of {dim} values, and has {have}")).into());
        }
        let near = base.neighbours(&device)?;
        let found = near.nearest(&queries, self.k)?;
        if let Some(path) = &self.save {
            let line = |hits: &Vec<crate::vectors::search::Hit>| {
                hits.iter().map(|hit| format!("{}:{}", hit.row, hit.distance)).collect::<Vec<_>>().join(" ") + "\n"
            };
            crate::files::write(path, found.iter().map(line).collect::<String>())?;
        }
        let mut passes = Vec::new();
        let start = Instant::now();
        while passes.is_empty() || start.elapsed().as_secs_f64() < self.seconds {
            let pass = Instant::now();
            std::hint::black_box(near.nearest(&queries, self.k)?);
            passes.push(pass.elapsed());
        }
        passes.sort_unstable();
        let pass = passes[passes.len() / 2].as_secs_f64();
        let peak = peak_memory();
        let copied = self.copy.then(|| Roofline::measure(&device, globals.precision)).transpose()?;
        let line = json!({
            "task": "search", "rows": near.len(), "dim": base.dim(), "queries": queries.len(), "k": self.k,
            "pass_seconds": pass, "fastest_seconds": passes[0].as_secs_f64(), "queries_per_second": queries.len() as f64 / pass,
            "peak_memory": peak, "copy_gb_s": copied.map(|copied| copied.gb_s), "device": device.info().kind,
        });
        let mut out = output::stdout();
        if globals.json {
            output::json_line(&mut out, &line)?;
        } else {
            let pass = Duration::from_secs_f64(pass);
            writeln!(out, "{} in {pass:.2?}", output::count(queries.len(), "vector"))?;
            out.flush()?;
        }
        Ok(Outcome::Done)
    }
}

/// Bytes of memory that the process had at most, mapped files included, where Linux tells it.
fn peak_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
