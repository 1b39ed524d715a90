//! `warpface classify test`.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::split::{self, SplitArgs};
use super::{ClassifierArgs, name_of};
use crate::cli::context::Globals;
use crate::cli::faces::{Faces, FacesArgs};
use crate::cli::{Outcome, output};
use crate::vectors::classify::{Prediction, Trained};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: warpface classify test lfw/ -c people.safetensors\n\nPhotographs that the classifier was trained on are left out: those whose embeddings are equal to the bit, and of the folder that was parted in training all that were drawn. `accuracy` is the share of faces of known people whose likeliest person is right, as in the original, whatever `unknown` says."
)]
pub struct Args {
    #[command(flatten)]
    faces: FacesArgs,
    #[command(flatten)]
    classifier: ClassifierArgs,
    #[command(flatten)]
    split: SplitArgs,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    image: String,
    person: &'a str,
    /// The likeliest person, or `unknown`.
    name: &'a str,
    /// The likeliest person.
    likeliest: &'a str,
    probability: f64,
    distance: f64,
    /// Whether the likeliest person is right; none of people who are not known.
    right: Option<bool>,
}

/// How the faces were named.
#[derive(Default)]
struct Score<'a> {
    /// Faces of known people.
    known: usize,
    right: usize,
    /// Those that were told to be unknown.
    refused: usize,
    strangers: usize,
    /// Those of strangers who were taken for somebody.
    accepted: usize,
    /// Faces that were trained on, and are left out.
    trained_on: usize,
    /// Who was taken for whom, and how often.
    confused: BTreeMap<(&'a str, &'a str), usize>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let trained = self.classifier.open()?;
        let globals = &self.classifier.globals_for(&self.faces, globals, trained.origin.as_ref())?;
        let device = globals.open_device()?;
        let faces = self.faces.embed(globals, &device, "classify")?;
        self.classifier.require(faces.origin.as_ref(), faces.embeddings.dim(), &trained)?;
        let (rows, trained_on) = self.rows(&trained, &faces)?;
        let found = trained.classifier.predict(&device, &split::rows(&faces, &rows))?;
        let mut out = output::stdout();
        let mut score = Score { trained_on, ..Score::default() };
        for (&row, found) in rows.iter().zip(&found) {
            let line = score.add(&trained, &faces, row, found);
            if globals.json {
                output::json_line(&mut out, &line)?;
            } else {
                let mark = if line.right == Some(false) { "  wrong" } else { "" };
                writeln!(out, "{}  {}: {:.3}{mark}", line.image, line.name, line.probability)?;
            }
        }
        let done = if score.known == 0 { 0 } else { faces.len() + faces.without_face.len() };
        if done == 0 {
            eprintln!("no face of anybody whom the classifier knows: there is no accuracy");
            if globals.json {
                self.tell(globals, &trained, &score, &mut out)?;
            }
            output::list_failures(0, &faces.failures);
            return Ok(Outcome::Nothing);
        }
        self.tell(globals, &trained, &score, &mut out)?;
        Ok(output::list_failures(done, &faces.failures))
    }

    /// The faces to test with, and how many were left out because they were trained on: an accuracy on them says nothing.
    fn rows(&self, trained: &Trained, faces: &Faces) -> Result<(Vec<usize>, usize)> {
        let (chosen, is_same) = self.chosen(trained, faces)?;
        let known = trained.classifier.known();
        let trained_on = known.holds(&faces.embeddings, &faces.labels)?;
        let (old, new): (Vec<usize>, Vec<usize>) = chosen.iter().copied().partition(|&row| trained_on[row]);
        let nothing_new = !new.iter().any(|&row| known.people().contains(&faces.labels[row]));
        if (is_same && old.is_empty()) || (!old.is_empty() && nothing_new) {
            eprintln!("warning: these are the photographs that it was trained on: the accuracy says nothing of others");
            return Ok((chosen, 0));
        }
        match old.len() {
            0 => {}
            1 => eprintln!("1 photograph was trained on, and is left out"),
            many => eprintln!("{many} photographs were trained on, and are left out"),
        }
        Ok((new, old.len()))
    }

    /// The faces that are asked for; and whether the names of the photographs are those of all that were trained on.
    fn chosen(&self, trained: &Trained, faces: &Faces) -> Result<(Vec<usize>, bool)> {
        if self.split.is_given() {
            let parts = self.split.parts(&faces.labels)?;
            split::tell(&parts);
            return Ok((if self.split.split().is_some() { parts.test } else { parts.train }, false));
        }
        let same = trained.photographs.as_ref().is_some_and(|hash| *hash == split::fingerprint(faces));
        match trained.split.filter(|_| same) {
            Some(split) => {
                let parts = split.parts(&faces.labels)?;
                let (test, train) = (output::count(parts.test.len(), "face"), split.train_images);
                eprintln!("{test}: those that were not trained on, {train} of each person (seed {})", split.seed);
                Ok((parts.test, false))
            }
            None => Ok(((0..faces.len()).collect(), same)),
        }
    }

    fn tell(&self, globals: &Globals, trained: &Trained, score: &Score, out: &mut impl Write) -> Result<()> {
        let accuracy = (score.known > 0).then(|| score.right as f64 / score.known as f64);
        if globals.json {
            let confusions: Vec<_> = score
                .confusions()
                .map(|((person, name), count)| json!({ "person": person, "taken_for": name, "count": count }))
                .collect();
            let summary = json!({
                "accuracy": accuracy, "faces": score.known, "right": score.right, "refused": score.refused,
                "trained_on": score.trained_on, "strangers": score.strangers, "strangers_accepted": score.accepted, "confusions": confusions,
                "people": trained.classifier.known().people().len(), "method": trained.classifier.method(),
                "unknown_threshold": trained.classifier.unknown().threshold,
                "classifier": output::path(&self.classifier.classifier),
            });
            return output::json_line(out, &summary);
        }
        for ((person, name), count) in score.confusions() {
            writeln!(out, "{person} taken for {name}: {}", output::count(count, "time"))?;
        }
        let known = output::count(score.known, "face");
        writeln!(out, "taken for unknown: {} of {known} of known people", score.refused)?;
        if score.strangers > 0 {
            let strangers = output::count(score.strangers, "face");
            writeln!(out, "taken for somebody: {} of {strangers} of people it does not know", score.accepted)?;
        }
        if let Some(accuracy) = accuracy {
            writeln!(out, "accuracy {accuracy:.4} ({} of {})", score.right, score.known)?;
        }
        Ok(out.flush()?)
    }
}

impl<'a> Score<'a> {
    /// Counts a face, and says what is printed of it.
    fn add(&mut self, trained: &'a Trained, faces: &'a Faces, row: usize, found: &Prediction) -> Line<'a> {
        let classifier = &trained.classifier;
        let (people, person) = (classifier.known().people(), faces.labels[row].as_str());
        let likeliest = people[found.person()].as_str();
        let right = people.iter().any(|known| known == person).then_some(likeliest == person);
        match right {
            None => {
                self.strangers += 1;
                self.accepted += usize::from(found.is_known);
            }
            Some(right) => {
                self.known += 1;
                self.right += usize::from(right);
                self.refused += usize::from(!found.is_known);
                if !right {
                    *self.confused.entry((person, likeliest)).or_default() += 1;
                }
            }
        }
        Line {
            image: output::path(&faces.images[row]),
            person,
            name: name_of(classifier, found),
            likeliest,
            probability: found.probabilities[found.person()],
            distance: found.distance,
            right,
        }
    }

    /// Who was taken for whom, the most frequent first.
    fn confusions(&self) -> impl Iterator<Item = ((&'a str, &'a str), usize)> {
        let mut all: Vec<_> = self.confused.iter().map(|(&who, &count)| (who, count)).collect();
        all.sort_by_key(|&(who, count)| (std::cmp::Reverse(count), who));
        all.into_iter()
    }
}
