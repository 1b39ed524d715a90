//! `warpface classify`: `classifier.py` and `predict.py`.

mod predict;
mod split;
mod test;
mod train;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use super::context::Globals;
use super::faces::FacesArgs;
use super::{Outcome, output};
use crate::Error;
use crate::error::{Field, message};
use crate::vectors::Origin;
use crate::vectors::classify::{Classifier, Prediction, Trained};
use crate::weights::sha256;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train on a folder of people, and write the classifier.
    Train(Box<train::Args>),
    /// Tell how many faces of a folder of people are named right, and who is taken for whom.
    Test(Box<test::Args>),
    /// Name every face of photographs.
    Predict(Box<predict::Args>),
}

impl Command {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        match self {
            Command::Train(args) => args.run(globals),
            Command::Test(args) => args.run(globals),
            Command::Predict(args) => args.run(globals),
        }
    }
}

/// Which classifier, as flags.
#[derive(Debug, clap::Args)]
struct ClassifierArgs {
    /// The classifier, as `classify train` wrote it
    #[arg(short, long, value_name = "FILE")]
    classifier: PathBuf,
    /// A face farther than this from the centre of each person's faces (squared Euclidean) is `unknown` [default: as the
    /// classifier was calibrated on people held out]
    #[arg(long, value_name = "DISTANCE")]
    unknown_threshold: Option<f64>,
}

impl ClassifierArgs {
    /// The classifier, with the threshold that is asked for.
    fn open(&self) -> Result<Trained> {
        let trained = Trained::load(&self.classifier)?;
        Ok(match self.unknown_threshold {
            None => trained,
            Some(asked) => Trained { classifier: trained.classifier.with_threshold(asked)?, ..trained },
        })
    }

    /// What the classifier is called in errors.
    fn name(&self) -> String {
        self.classifier.display().to_string()
    }

    /// The flags for embedding faces as the classifier's were: by its model, unless another is asked for, which is refused
    /// here and not after all photographs.
    fn globals(&self, globals: &Globals, origin: Option<&Origin>) -> Result<Globals> {
        let mut globals = globals.clone();
        let Some(origin) = origin else { return Ok(globals) };
        globals.standardize = globals.standardize.or(origin.standardize.parse().ok());
        match &globals.model {
            Some(model) => {
                let name = output::path(model.file_name().unwrap_or(model.as_os_str()));
                let asked = Origin { model: name, sha256: sha256::model(model)?, ..origin.clone() };
                asked.require(origin, &self.name())?;
            }
            None => {
                let model = globals.weights_file(&origin.model);
                if !model.exists() {
                    let problem = message![
                        format!(
                            "was trained with {}, which is not in {}: name it by ",
                            origin.model,
                            model.parent().unwrap_or(&model).display()
                        ),
                        Field("model"),
                    ];
                    return Err(Error::data(&self.classifier, problem).into());
                }
                globals.model = Some(model);
            }
        }
        Ok(globals)
    }

    /// [`globals`](Self::globals) for faces that may have been embedded before.
    fn globals_for(&self, faces: &FacesArgs, globals: &Globals, origin: Option<&Origin>) -> Result<Globals> {
        if faces.are_embedded() { Ok(globals.clone()) } else { self.globals(globals, origin) }
    }

    /// Refuses embeddings of another model, `dim` values each, and tells of what is unknown or different.
    fn require(&self, ours: Option<&Origin>, dim: usize, trained: &Trained) -> Result<()> {
        let expected = trained.classifier.known().faces().dim();
        if trained.origin.is_none() && dim != expected {
            let problem =
                format!("was trained on embeddings of {expected} values, and these have {dim}: of another model");
            return Err(Error::data(&self.classifier, problem).into());
        }
        match (ours, &trained.origin) {
            (Some(ours), Some(theirs)) => {
                ours.require(theirs, &self.name())?;
                if ours.align != theirs.align {
                    let name = self.name();
                    eprintln!("warning: {name}: its faces were cut out by {}, these by {}", theirs.align, ours.align);
                }
            }
            _ => eprintln!("warning: {}: nothing tells whether one model made both embeddings", self.name()),
        }
        Ok(())
    }
}

/// What a face is called that is nobody's who is known.
const UNKNOWN: &str = "unknown";

/// The name that a face is given.
fn name_of<'a>(classifier: &'a Classifier, prediction: &Prediction) -> &'a str {
    if prediction.is_known { &classifier.known().people()[prediction.person()] } else { UNKNOWN }
}
