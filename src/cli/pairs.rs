//! `warpface pairs`: a pairs file for a folder that has none.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::context::{Globals, create_folder};
use super::{Outcome, Usage, output};
use crate::error::{Field, message};
use crate::train::pairs::{RandomPairs, SameRatio};
use crate::{Error, eval, files};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  warpface pairs crops/ -o pairs.txt --count 6000 --same-ratio 1:2 --folds 10 --balanced\n  \
                        warpface lfw crops/ --aligned --pairs pairs.txt"
)]
pub struct Args {
    /// Folder of people, a folder for each
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The pairs file, in the form that `lfw --pairs` reads
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Draws the pairs: the same photographs and seed give the same file
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// How many pairs
    #[arg(long, default_value_t = 6000, value_name = "N")]
    count: usize,
    /// Pairs of one person to pairs of different people
    #[arg(long, default_value_t = SameRatio::default(), value_name = "SAME:DIFFERENT")]
    same_ratio: SameRatio,
    /// Folds, each with its share of both kinds
    #[arg(long, default_value_t = 10, value_name = "N")]
    folds: usize,
    /// Let every person come equally often; without it every possible pair is equally likely, so that people with many
    /// photographs come more often
    #[arg(long)]
    balanced: bool,
    /// Replace a file that is there with other pairs
    #[arg(long)]
    overwrite: bool,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let (people, left_out) = eval::list_people(&self.dir)?;
        let asked = RandomPairs { count: self.count, ratio: self.same_ratio };
        let (same, different) = asked.counts();
        if same == 0 || different == 0 {
            let problem = format!("{} pairs by {} leave none of one kind: ask for more", self.count, self.same_ratio);
            return Err(Error::invalid(Field("count"), problem).into());
        }
        if self.folds == 0 || self.folds > self.count {
            let problem = format!("--folds: {} pairs cannot be split into {} folds", self.count, self.folds);
            return Err(Usage(problem).into());
        }
        let draw = if self.balanced { eval::generate_balanced } else { eval::generate_counts };
        let (possible_same, possible_different) = eval::possible_pairs(&people);
        if same as u64 > possible_same || different as u64 > possible_different {
            let possible = format!("{possible_same} pairs of one person and {possible_different} of two");
            let problem = message![
                format!("makes {possible}, and {same} and {different} are asked for: give fewer by "),
                Field("count"),
                " or other shares by ",
                Field("same_ratio")
            ];
            return Err(Error::data(&self.dir, problem).into());
        }
        let pairs = draw(self.seed, &people, self.folds, same, different)?;
        let text = pairs.to_text()?;
        let old = std::fs::read(&self.output).ok();
        if old.is_some_and(|old| old != text.as_bytes()) && !self.overwrite {
            let problem = message!["is there already, with other pairs; replace it by ", Field("overwrite")];
            return Err(Error::data(&self.output, problem).into());
        }
        if let Some(parent) = self.output.parent() {
            create_folder(parent)?;
        }
        files::write(&self.output, text)?;
        let mut out = output::stdout();
        if globals.json {
            let line = json!({
                "pairs": pairs.pairs.len(), "same": same, "different": different, "folds": self.folds, "seed": self.seed,
                "people": people.len(), "balanced": self.balanced, "output": output::path(&self.output),
            });
            output::json_line(&mut out, &line)?;
        } else {
            let (all, file) = (output::count(pairs.pairs.len(), "pair"), self.output.display());
            let folds = output::count(self.folds, "fold");
            writeln!(out, "{all} in {file}: {same} of one person, {different} of two, in {folds}")?;
            out.flush()?;
        }
        Ok(output::list_failures(pairs.pairs.len(), &left_out))
    }
}
