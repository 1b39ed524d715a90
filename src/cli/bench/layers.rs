//! A model's layers, slowest first, each against the device's roofline.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::trace::TraceArgs;
use crate::Error;
use crate::backend::{Precision, Roofline, values};
use crate::cli::context::Globals;
use crate::cli::plan::Network;
use crate::cli::{Outcome, output};
use crate::error::Field;

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
        let input = self.network.input(self.batch, self.size)?;
        let graph = self.network.graph(globals)?;
        let device = globals.open_device()?;
        let trace = self.trace.open()?;
        // Detection's networks never run in another.
        let precision = if self.network == Network::Facenet { globals.precision } else { Precision::F32 };
        let executable = device.backend().load_in(graph.clone(), precision)?.plan(std::slice::from_ref(&input))?;
        let roofline = Roofline::measure(&device, precision)?;
        let pixels = values(input.elements());
        executable.run(&[&pixels])?;
        let runs: Vec<Vec<Duration>> =
            (0..self.runs).map(|_| executable.profile(&[&pixels])).collect::<Result<_, _>>()?;
        let plan = executable.plan();
        let mut rows: Vec<(usize, f64)> = (0..plan.steps.len())
            .map(|i| {
                let mut times: Vec<f64> = runs.iter().map(|run| run[i].as_secs_f64()).collect();
                times.sort_by(f64::total_cmp);
                (i, times[times.len() / 2])
            })
            .collect();
        rows.sort_by(|a, b| b.1.total_cmp(&a.1));
        let total: f64 = rows.iter().map(|(_, time)| time).sum();
        let name = |i: usize| &plan.graph.nodes()[plan.steps[i].node.index()].name;
        let rates = |i: usize, time: f64| {
            let step = &plan.steps[i];
            let percent = 100.0 * roofline.step_seconds(step) / time;
            (step.flops as f64 / time / 1e9, roofline.step_bytes(step) as f64 / time / 1e9, percent)
        };
        if let Some(mut trace) = trace {
            trace.plan(&device, &format!("{:?}", self.network), graph, precision, &input)?;
            trace.finish()?;
        }
        let reached = 100.0 * roofline.plan_seconds(plan) / total;
        let mut out = output::stdout();
        if globals.json {
            let layers: Vec<_> = rows
                .iter()
                .map(|&(i, time)| {
                    let (gflops, gbs, roof) = rates(i, time);
                    let step = &plan.steps[i];
                    json!({ "node": name(i), "op": step.op.stem(), "output": step.output.shape.dims(), "ms": time * 1e3, "gflops": gflops, "gb_s": gbs, "roofline_percent": roof })
                })
                .collect();
            let line = json!({
                "device": device.info(), "precision": precision, "input": input.dims(), "ms": total * 1e3,
                "images_per_second": self.batch as f64 / total, "gflops": plan.flops() as f64 / total / 1e9,
                "roofline_percent": reached, "roofline": { "gflops": roofline.gflops, "gb_s": roofline.gb_s },
                "layers": layers,
            });
            output::json_line(&mut out, &line)?;
            return Ok(Outcome::Done);
        }
        writeln!(
            out,
            "{:<46} {:<12} {:>18} {:>9} {:>6} {:>9} {:>8} {:>7}",
            "node", "op", "output", "ms", "%", "GFLOP/s", "GB/s", "% roof"
        )?;
        for &(i, time) in &rows {
            let step = &plan.steps[i];
            let (gflops, gbs, roof) = rates(i, time);
            let (shape, share) = (step.output.shape.to_string(), 100.0 * time / total);
            let (ms, stem) = (time * 1e3, step.op.stem());
            writeln!(
                out,
                "{:<46} {stem:<12} {shape:>18} {ms:>9.4} {share:>6.2} {gflops:>9.1} {gbs:>8.1} {roof:>7.1}",
                name(i)
            )?;
        }
        let rate = self.batch as f64 / total;
        let gflops = plan.flops() as f64 / total / 1e9;
        writeln!(
            out,
            "\n{input}: {:.3} ms, {rate:.1} images/s, {gflops:.1} GFLOP/s, {:.1} % of the roofline (median of {} runs)",
            total * 1e3,
            reached,
            self.runs
        )?;
        writeln!(
            out,
            "roofline: {:.1} GFLOP/s by matrix product in {precision}, {:.1} GB/s by copying",
            roofline.gflops, roofline.gb_s
        )?;
        writeln!(out, "clock: {}", device.backend().clock())?;
        out.flush()?;
        Ok(Outcome::Done)
    }
}
