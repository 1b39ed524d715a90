//! `warpface plan`.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use super::context::Globals;
use super::{Outcome, output};
use crate::error::Field;
use crate::models::{Mtcnn, inception_resnet_v1};
use crate::{Error, Graph, Plan, Shape};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which network
    #[arg(value_enum, default_value_t = Network::Facenet)]
    network: Network,
    /// Images at once
    #[arg(long, default_value_t = 1, value_name = "N")]
    batch: usize,
    /// Side of the input in pixels [default: what the network takes; 150 for P-Net, which takes any]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
}

/// A network, by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// MTCNN's proposal network
    Pnet,
    /// MTCNN's refinement network
    Rnet,
    /// MTCNN's output network
    Onet,
    /// The embedding model, Inception-ResNet-v1
    Facenet,
}

impl Network {
    /// The network's graph, with its weights.
    pub fn graph(self, globals: &Globals) -> Result<Arc<Graph>> {
        if self == Network::Facenet {
            let (path, weights) = globals.read_model()?;
            eprintln!("model: {}", path.display());
            return Ok(Arc::new(inception_resnet_v1(&weights)?));
        }
        let networks = Mtcnn::load(&globals.weights, globals.allow_modified_weights)?;
        Ok(match self {
            Network::Pnet => networks.pnet,
            Network::Rnet => networks.rnet,
            Network::Onet | Network::Facenet => networks.onet,
        })
    }

    /// The input for a batch; `size` overrides the network's own.
    pub fn input(self, globals: &Globals, batch: usize, size: Option<usize>) -> Result<Shape> {
        for (name, value) in [("batch", batch), ("size", size.unwrap_or(1))] {
            if value == 0 {
                return Err(Error::invalid(Field(name), "must be at least 1").into());
            }
        }
        let side = size.unwrap_or(match self {
            Network::Pnet => 150,
            Network::Rnet => 24,
            Network::Onet => 48,
            Network::Facenet => globals.model_size()?,
        });
        Ok([batch, side, side, 3].into())
    }
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let input = self.network.input(globals, self.batch, self.size)?;
        let plan = Plan::new(self.network.graph(globals)?, std::slice::from_ref(&input))?;
        let mut out = output::stdout();
        let stored = |values: usize| globals.precision.stored(values);
        let name = |step: &crate::graph::Step| plan.graph.nodes()[step.node.index()].name.clone();
        if globals.json {
            let steps: Vec<_> = plan
                .steps
                .iter()
                .map(|step| {
                    let inputs: Vec<_> = step.inputs.iter().map(|view| view.shape.dims()).collect();
                    json!({
                        "node": name(step), "op": step.op.stem(), "inputs": inputs, "output": step.output.shape.dims(),
                        "flops": step.flops, "min_bytes": stored(step.min_values()),
                    })
                })
                .collect();
            let line = json!({
                "input": input.dims(), "precision": globals.precision, "steps": steps, "flops": plan.flops(),
                "parameters": plan.graph.parameters(), "param_bytes": stored(plan.graph.parameters()),
                "arena_bytes": stored(plan.arena),
            });
            output::json_line(&mut out, &line)?;
            return Ok(Outcome::Done);
        }
        writeln!(out, "{:<52} {:<12} {:>20} {:>10}", "node", "op", "output", "MFLOP")?;
        for step in &plan.steps {
            let shape = step.output.shape.to_string();
            writeln!(out, "{:<52} {:<12} {shape:>20} {:>10.2}", name(step), step.op.stem(), step.flops as f64 / 1e6)?;
        }
        let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
        writeln!(out, "\ninput        {input}")?;
        writeln!(out, "precision    {}", globals.precision)?;
        writeln!(out, "operations   {:.3} GFLOP", plan.flops() as f64 / 1e9)?;
        writeln!(out, "parameters   {} in {:.1} MiB", plan.graph.parameters(), mib(stored(plan.graph.parameters())))?;
        writeln!(out, "activations  {:.1} MiB", mib(stored(plan.arena)))?;
        out.flush()?;
        Ok(Outcome::Done)
    }
}
