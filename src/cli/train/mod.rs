//! `warpface train`: a network from photographs, as `train_softmax.py` and `train_tripletloss.py` make one.

mod begin;
mod flags;
mod interrupt;
mod progress;
mod run;
mod settings;
mod softmax;
mod triplet;

use anyhow::Result;
use clap::Subcommand;

use super::Outcome;
use super::context::Globals;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Train a classifier of the people, with center loss if asked for; the layer before it are the embeddings.
    Softmax(Box<softmax::Args>),
    /// Train by distances between photographs of the same and of other people.
    Triplet(Box<triplet::Args>),
}

impl Args {
    /// Runs it; `given` are the flags that stood on the command line, by their names in code.
    pub fn run(&self, globals: &Globals, given: &[String]) -> Result<Outcome> {
        match &self.kind {
            Kind::Softmax(args) => args.run(globals, given),
            Kind::Triplet(args) => args.run(globals, given),
        }
    }
}
