//! A model's layers, slowest first, each against the device's roofline.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::trace::TraceArgs;
use crate::Precision;
use crate::backend::{Device, Executable, Roofline};
use crate::cli::context::Globals;
use crate::cli::plan::{Network, Opened};
use crate::cli::{Outcome, output};
use crate::error::Field;
use crate::{Error, Plan, Tensor};

#[derive(Debug, clap::Args)]
// The default name is the parent's, too.
#[group(id = "layers")]
pub struct Args {
    /// Which network
    #[arg(value_enum, default_value_t = Network::Facenet)]
    network: Network,
    /// Images at once
    #[arg(long, default_value_t = 16, value_name = "N")]
    batch: usize,
    /// Side of the input in pixels [default: what the network takes; 150 for P-Net, which takes any]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Runs; each layer's median counts
    #[arg(long, default_value_t = 10, value_name = "N")]
    runs: usize,
    #[command(flatten)]
    trace: TraceArgs,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        if self.runs == 0 {
            return Err(Error::invalid(Field("runs"), "must be at least 1").into());
        }
        let Opened { graph, input, .. } = self.network.open(globals, self.batch, self.size)?;
        let device = globals.open_device()?;
        let trace = self.trace.open()?;
        // Detection's networks never run in another.
        let precision = if self.network.is_embedding() { globals.precision } else { Precision::F32 };
        let executable = device.backend().load_in(graph.clone(), precision)?.plan(std::slice::from_ref(&input))?;
        let roofline = Roofline::measure(&device, precision)?;
        let rows = self.measure(&*executable)?;
        if let Some(mut trace) = trace {
            trace.plan(&device, &format!("{:?}", self.network), graph, precision, &input)?;
            trace.finish()?;
        }
        let measured =
            Measured { plan: executable.plan(), precision, batch: self.batch, runs: self.runs, roofline, rows };
        let mut out = output::stdout();
        match globals.json {
            true => output::json_line(&mut out, &measured.json(&device))?,
            false => measured.print(&mut out, &device)?,
        }
        Ok(Outcome::Done)
    }

    /// Each step's number and median seconds, slowest first.
    fn measure(&self, executable: &dyn Executable) -> Result<Vec<(usize, f64)>> {
        let plan = executable.plan();
        let pixels = Tensor::filler(plan.inputs[0].shape.clone()).into_data();
        executable.run(&[&pixels])?;
        let runs: Vec<Vec<Duration>> =
            (0..self.runs).map(|_| executable.profile(&[&pixels])).collect::<Result<_, _>>()?;
        let median = |i: usize| {
            let mut times: Vec<f64> = runs.iter().map(|run| run[i].as_secs_f64()).collect();
            times.sort_by(f64::total_cmp);
            (i, times[times.len() / 2])
        };
        let mut rows: Vec<(usize, f64)> = (0..plan.steps.len()).map(median).collect();
        rows.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(rows)
    }
}

/// What was measured of a plan.
struct Measured<'a> {
    plan: &'a Plan,
    precision: Precision,
    batch: usize,
    runs: usize,
    roofline: Roofline,
    /// Each step's number and median seconds, slowest first.
    rows: Vec<(usize, f64)>,
}

impl Measured<'_> {
    /// Seconds of all steps.
    fn total(&self) -> f64 {
        self.rows.iter().map(|(_, time)| time).sum()
    }

    /// What part of the roofline all steps reach, in percent.
    fn reached(&self) -> f64 {
        100.0 * self.roofline.plan_seconds(self.plan) / self.total()
    }

    fn name(&self, i: usize) -> &str {
        &self.plan.graph.nodes()[self.plan.steps[i].node.index()].name
    }

    /// GFLOP/s, GB/s and percent of the roofline of a step that took `time`.
    fn rates(&self, i: usize, time: f64) -> (f64, f64, f64) {
        let step = &self.plan.steps[i];
        let percent = 100.0 * self.roofline.step_seconds(step) / time;
        (step.flops as f64 / time / 1e9, self.roofline.step_bytes(step) as f64 / time / 1e9, percent)
    }

    fn json(&self, device: &Device) -> Value {
        let layer = |&(i, time): &(usize, f64)| {
            let (gflops, gbs, roof) = self.rates(i, time);
            let step = &self.plan.steps[i];
            json!({
                "node": self.name(i), "op": step.op.stem(), "output": step.output.shape.dims(), "ms": time * 1e3,
                "gflops": gflops, "gb_s": gbs, "roofline_percent": roof,
            })
        };
        let (total, roofline) = (self.total(), &self.roofline);
        json!({
            "device": device.info(), "precision": self.precision, "input": self.plan.inputs[0].shape.dims(),
            "ms": total * 1e3, "images_per_second": self.batch as f64 / total,
            "gflops": self.plan.flops() as f64 / total / 1e9, "roofline_percent": self.reached(),
            "roofline": { "gflops": roofline.gflops, "gb_s": roofline.gb_s },
            "layers": self.rows.iter().map(layer).collect::<Vec<_>>(),
        })
    }

    fn print(&self, out: &mut impl Write, device: &Device) -> std::io::Result<()> {
        writeln!(
            out,
            "{:<46} {:<12} {:>18} {:>9} {:>6} {:>9} {:>8} {:>7}",
            "node", "op", "output", "ms", "%", "GFLOP/s", "GB/s", "% roof"
        )?;
        let total = self.total();
        for &(i, time) in &self.rows {
            let step = &self.plan.steps[i];
            let (gflops, gbs, roof) = self.rates(i, time);
            let (shape, share) = (step.output.shape.to_string(), 100.0 * time / total);
            let (ms, stem, name) = (time * 1e3, step.op.stem(), self.name(i));
            writeln!(
                out,
                "{name:<46} {stem:<12} {shape:>18} {ms:>9.4} {share:>6.2} {gflops:>9.1} {gbs:>8.1} {roof:>7.1}"
            )?;
        }
        let rate = self.batch as f64 / total;
        let gflops = self.plan.flops() as f64 / total / 1e9;
        writeln!(
            out,
            "\n{}: {:.3} ms, {rate:.1} images/s, {gflops:.1} GFLOP/s, {:.1} % of the roofline (median of {} runs)",
            self.plan.inputs[0].shape,
            total * 1e3,
            self.reached(),
            self.runs
        )?;
        writeln!(
            out,
            "roofline: {:.1} GFLOP/s by matrix product in {}, {:.1} GB/s by copying",
            self.roofline.gflops, self.precision, self.roofline.gb_s
        )?;
        writeln!(out, "clock: {}", device.backend().clock())?;
        out.flush()
    }
}
