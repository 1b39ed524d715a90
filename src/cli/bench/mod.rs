//! `warpface bench`: a model's layers, or the rate of a whole task on given photographs or vectors.

mod layers;
mod search;
mod throughput;
mod trace;
mod train;

use anyhow::Result;

use super::Outcome;
use super::context::Globals;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(flatten)]
    layers: layers::Args,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Photographs per second of detection; they are decoded first
    Detect(throughput::Detect),
    /// Faces per second of embedding; the photographs are crops already, and are decoded first
    Embed(throughput::Embed),
    /// Queries per second among many vectors
    Search(search::Args),
    /// Photographs per second of training
    Train(train::Args),
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        match &self.task {
            None => self.layers.run(globals),
            Some(Task::Detect(args)) => args.run(globals),
            Some(Task::Embed(args)) => args.run(globals),
            Some(Task::Search(args)) => args.run(globals),
            Some(Task::Train(args)) => args.run(globals),
        }
    }
}
