//! `warpface classify train`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use super::split::{self, SplitArgs};
use crate::cli::context::{Globals, check_file, create_folder, progress};
use crate::cli::faces::{Faces, FacesArgs};
use crate::cli::{Outcome, output};
use crate::vectors::classify::{Classifier, KnownFaces, Method, Options, Parts, SvmOptions, Trained};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: warpface classify train lfw/ -o people.safetensors --min-images-per-class 20 --train-images-per-class 10"
)]
pub struct Args {
    #[command(flatten)]
    faces: FacesArgs,
    /// The classifier's file, which is written
    #[arg(short = 'o', short_alias = 'c', long, visible_alias = "output", value_name = "FILE")]
    classifier: PathBuf,
    /// svm: a linear support vector machine for each two people, with Platt's probabilities; knn: the nearest faces vote,
    /// each with one over its distance
    #[arg(long, default_value_t = Method::Svm, value_name = "svm|knn")]
    method: Method,
    /// How many of the nearest faces vote (knn)
    #[arg(long, visible_alias = "k", default_value_t = 3, value_name = "N")]
    neighbours: usize,
    /// What a face on the wrong side of the margin costs (svm)
    #[arg(long, default_value_t = 1.0, value_name = "C")]
    penalty: f64,
    /// The share of faces of people held out that may be taken for somebody; each person in turn is held out, and the
    /// threshold of `unknown` follows
    #[arg(long, default_value_t = 0.01, value_name = "RATE")]
    false_accept_rate: f64,
    #[command(flatten)]
    split: SplitArgs,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let start = Instant::now();
        check_file(&self.classifier, "classifier")?;
        let device = globals.open_device()?;
        let faces = self.faces.embed(globals, &device, "classify")?;
        if faces.is_empty() {
            output::list_failures(0, &faces.failures);
            eprintln!("no face was found: nothing is trained");
            return Ok(Outcome::Nothing);
        }
        let parts = self.split.parts(&faces.labels)?;
        split::tell(&parts);
        let names: Vec<String> = parts.train.iter().map(|&i| faces.labels[i].clone()).collect();
        let known = KnownFaces::new(&split::rows(&faces, &parts.train), &names)?;
        warn_of_equals(&known, &faces, &parts);
        let svm = SvmOptions { penalty: self.penalty, seed: self.split.seed, ..SvmOptions::default() };
        let options = Options::default()
            .method(self.method)
            .neighbours(self.neighbours)
            .svm(svm)
            .false_accept_rate(self.false_accept_rate);
        let people = known.people().len();
        let bar = progress(people * (people - 1) / 2, "train");
        let classifier = Classifier::train_told(&device, known, &options, &|_, _| bar.inc(1))?;
        bar.finish_and_clear();
        let photographs = Some(split::fingerprint(&faces));
        let trained = Trained { classifier, origin: faces.origin.clone(), split: self.split.split(), photographs };
        if let Some(folder) = self.classifier.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_folder(folder)?;
        }
        trained.save(&self.classifier)?;
        self.tell(globals, &trained, &parts, start)?;
        Ok(output::list_failures(faces.len() + faces.without_face.len(), &faces.failures))
    }

    fn tell(&self, globals: &Globals, trained: &Trained, parts: &Parts, start: Instant) -> Result<()> {
        let (known, unknown) = (trained.classifier.known(), trained.classifier.unknown());
        let (people, faces) = (known.people().len(), known.faces().len());
        let mut out = output::stdout();
        if globals.json {
            let summary = json!({
                "classifier": output::path(&self.classifier), "method": self.method, "people": people, "faces": faces,
                "dim": known.faces().dim(), "left_out": parts.left_out.len(), "to_test_with": parts.test.len(), "unknown": unknown,
                "split": trained.split, "model": trained.origin, "seconds": start.elapsed().as_secs_f64(),
            });
            return output::json_line(&mut out, &summary);
        }
        let (of, from) = (output::count(people, "name"), output::count(faces, "face"));
        writeln!(out, "{}: {} of {of} from {from}", self.classifier.display(), self.method)?;
        writeln!(
            out,
            "unknown beyond {:.4} (squared distance to a person's centre): {} of {} of people held out taken for somebody",
            unknown.threshold,
            unknown.accepted,
            output::count(unknown.held_out, "face"),
        )?;
        if let Some(refused) = unknown.refused {
            writeln!(out, "known faces taken for unknown, each left out of its centre: {:.2} %", 100.0 * refused)?;
        }
        Ok(out.flush()?)
    }
}

/// Tells of the same face under two names.
fn warn_of_equals(known: &KnownFaces, faces: &Faces, parts: &Parts) {
    // The order in which a classifier has them.
    let mut order = parts.train.clone();
    order.sort_by_key(|&i| (&faces.labels[i], i));
    let equal = known.equal_rows();
    if let Some(&(a, b)) = equal.first() {
        let (count, a, b) = (output::count(equal.len(), "face"), &faces.images[order[a]], &faces.images[order[b]]);
        eprintln!("warning: {count} under two names, as {} and {}: equal embeddings", a.display(), b.display());
    }
}
