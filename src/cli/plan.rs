//! `warpface plan`.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use anyhow::Result;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::json;

use super::context::Globals;
use super::{Outcome, output};
use crate::error::Field;
use crate::models::seeded_network;
use crate::networks::{ModelDef, NetworkSpec, Parameters};
use crate::{Error, Graph, Plan, Shape};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: warpface plan deepface --batch 32")]
pub struct Args {
    /// Which network: MTCNN's three, the embedding model's file, or a definition, for which no weights are needed
    #[arg(value_enum, default_value_t = Network::Facenet)]
    network: Network,
    /// Images at once
    #[arg(long, default_value_t = 1, value_name = "N")]
    batch: usize,
    /// Side of the input in pixels [default: what the network takes; 150 for P-Net, which takes any]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Count the parameters with a classifier of so many people, too [default: DeepFace's 4030 of its paper]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
}

/// A network, by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// MTCNN's proposal network.
    Pnet,
    /// MTCNN's refinement network.
    Rnet,
    /// MTCNN's output network.
    Onet,
    /// The embedding model's file.
    Facenet,
    /// A definition.
    Defined(ModelDef),
}

impl ValueEnum for Network {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<Network>> = LazyLock::new(|| {
            let named = [Network::Pnet, Network::Rnet, Network::Onet, Network::Facenet];
            named.into_iter().chain(ModelDef::ALL.map(Network::Defined)).collect()
        });
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Network::Pnet => ("pnet", "MTCNN's proposal network"),
            Network::Rnet => ("rnet", "MTCNN's refinement network"),
            Network::Onet => ("onet", "MTCNN's output network"),
            Network::Facenet => ("facenet", "The embedding model of --model"),
            Network::Defined(def) => (def.name(), def.title()),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// A network's graph, with what it is planned for.
pub struct Opened {
    /// With its weights; those of a definition are drawn.
    pub graph: Arc<Graph>,
    /// A batch.
    pub input: Shape,
    /// Which embedding network it is.
    pub network: Option<NetworkSpec>,
}

impl Network {
    /// Whether it makes embeddings, in whatever precision; detection's networks never run in another than f32.
    pub fn is_embedding(self) -> bool {
        matches!(self, Network::Facenet | Network::Defined(_))
    }

    /// The network for a batch; `size` overrides its own side.
    pub fn open(self, globals: &Globals, batch: usize, size: Option<usize>) -> Result<Opened> {
        for (name, value) in [("batch", batch), ("size", size.unwrap_or(1))] {
            if value == 0 {
                return Err(Error::invalid(Field(name), "must be at least 1").into());
            }
        }
        let (graph, side, network) = match self {
            Network::Facenet | Network::Defined(_) => {
                let (graph, network) = self.embedding(globals, size)?;
                (Arc::new(graph), network.side, Some(network))
            }
            Network::Pnet => (globals.read_detector()?.pnet, 150, None),
            Network::Rnet => (globals.read_detector()?.rnet, 24, None),
            Network::Onet => (globals.read_detector()?.onet, 48, None),
        };
        let side = size.unwrap_or(side);
        Ok(Opened { graph, input: [batch, side, side, 3].into(), network })
    }

    fn embedding(self, globals: &Globals, size: Option<usize>) -> Result<(Graph, NetworkSpec)> {
        match self {
            Network::Defined(def) if globals.model.is_none() => {
                let network = NetworkSpec::new(def).side(size.unwrap_or(def.crop()));
                network.check_size(Field("size"))?;
                Ok((seeded_network(network, 0)?, network))
            }
            _ => {
                let (path, graph, network) = globals.read_model(size)?;
                if let Network::Defined(def) = self
                    && def != network.def
                {
                    let problem = format!("{} is of {}", path.display(), network.def);
                    return Err(Error::invalid(Field("model"), problem).into());
                }
                eprintln!("model: {}", path.display());
                Ok((graph, network))
            }
        }
    }
}

/// The people that DeepFace's classifier tells apart in its paper.
const DEEPFACE_PEOPLE: usize = 4030;

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let Opened { graph, input, network } = self.network.open(globals, self.batch, self.size)?;
        let plan = Plan::new(graph, std::slice::from_ref(&input))?;
        let counted = network.map(|network| self.count(&network)).transpose()?;
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
                "definition": counted.as_ref().map(Counted::json),
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
        if let Some(counted) = counted {
            counted.print(&mut out)?;
        }
        out.flush()?;
        Ok(Outcome::Done)
    }

    /// The definition's parameters, without a classifier and with one.
    fn count(&self, network: &NetworkSpec) -> Result<Counted> {
        let usual = (network.def == ModelDef::DeepFace).then_some(DEEPFACE_PEOPLE);
        let count = |classes| network.parameters(classes, network.def.has_gamma());
        let classified = match self.classes.or(usual) {
            Some(classes) => Some((classes, count(Some(classes))?.trained)),
            None => None,
        };
        let Parameters { trained, statistics } = count(None)?;
        Ok(Counted { network: *network, trained, statistics, classified })
    }
}

/// How many parameters a definition has.
struct Counted {
    network: NetworkSpec,
    trained: usize,
    statistics: usize,
    /// People that a classifier tells apart, and the parameters with it.
    classified: Option<(usize, usize)>,
}

impl Counted {
    fn json(&self) -> serde_json::Value {
        json!({
            "network": self.network.def, "trained": self.trained, "statistics": self.statistics,
            "classes": self.classified.map(|(classes, _)| classes),
            "trained_with_classifier": self.classified.map(|(_, trained)| trained),
        })
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Counted { network, trained, statistics, classified } = self;
        let (name, last) = (network.def, network.def.last_layer());
        writeln!(
            out,
            "definition   {name}: {trained} trained parameters up to {last}, {statistics} statistics of batch norms"
        )?;
        match classified {
            Some((classes, trained)) => writeln!(out, "             {trained} with a classifier of {classes} people"),
            None => Ok(()),
        }
    }
}
