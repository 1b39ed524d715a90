//! Who is trained on, and who is not.

use std::path::Path;
use std::sync::Arc;

use super::settings::{Settings, Task, Triplet};
use crate::error::{Field, message};
use crate::train::dataset::{Dataset, class_centres, distances_to_centres};
use crate::train::inference::Inference;
use crate::train::observe::{Event, Observer};
use crate::train::sampler::PeopleSampler;
use crate::weights::network::Unfolded;
use crate::{Error, Result, weights};

/// The people of a folder, shared out.
pub(super) struct People {
    /// Who is trained on.
    pub train: Dataset,
    /// Photographs of the same people that a classifier is validated on.
    pub validation: Option<Dataset>,
    /// People whose pairs are measured.
    pub held_out: Option<Dataset>,
}

impl People {
    /// Opens a folder of people and shares them out as the settings say.
    pub fn open(
        dir: &Path,
        settings: &Settings,
        task: &Task,
        inference: &Inference,
        pretrained: Option<&Unfolded>,
        observer: &mut dyn Observer,
    ) -> Result<People> {
        let (train, held_out) = hold_out(Dataset::open(dir)?, settings)?;
        let mut train = filter(train, settings, inference, pretrained, observer)?;
        if let Task::Triplet(Triplet { people_per_batch, images_per_person, fill, .. }) = *task {
            train.require_images(2, "`train triplet`")?;
            // Asked for in vain is told before anything is planned.
            let shared = Arc::new(train.clone());
            PeopleSampler::new(settings.seed, shared, people_per_batch, images_per_person, fill)?;
        }
        let mut validation = None;
        if let Some((ratio, least)) = task.validation() {
            let (kept, held) = train.split_images(settings.seed, ratio, least)?;
            (train, validation) = (kept, Some(held));
        }
        if matches!(task, Task::Softmax(_)) && train.classes() < 2 {
            return Err(Error::data(dir, "a classifier needs two people at least"));
        }
        Ok(People { train, validation, held_out })
    }
}

fn hold_out(all: Dataset, settings: &Settings) -> Result<(Dataset, Option<Dataset>)> {
    let held_out = settings.hold_out_people;
    if held_out == 0 {
        return Ok((all, None));
    }
    if held_out >= all.classes() {
        let problem = format!("{} people are there; somebody must be trained on", all.classes());
        return Err(Error::invalid(Field("hold_out_people"), problem));
    }
    let (kept, others) = all.split_people(settings.seed, all.classes() - held_out)?;
    Ok((kept, Some(others)))
}

/// Only the photographs near their class's centre, where that is asked for, and only people who have enough.
fn filter(
    all: Dataset,
    settings: &Settings,
    inference: &Inference,
    pretrained: Option<&Unfolded>,
    observer: &mut dyn Observer,
) -> Result<Dataset> {
    let least = settings.filter_min_images;
    let Some(percentile) = settings.filter else {
        return if least > 0 { all.at_least(least) } else { Ok(all) };
    };
    let read;
    let network = match (&settings.filter_model, pretrained) {
        (Some(file), _) => {
            read = read_model(file, observer)?;
            &read
        }
        (None, Some(pretrained)) => pretrained,
        (None, None) => {
            let (filter, pretrained) = (Field("filter_model"), Field("pretrained_model"));
            let problem = message!["by which embeddings? give ", filter, " or ", pretrained];
            return Err(Error::invalid(Field("filter"), problem));
        }
    };
    let shared = Arc::new(all);
    let plain = Inference { flipped: false, ..*inference };
    let found = plain.embed(network.clone(), &shared)?;
    let labels = shared.labels();
    let centres = class_centres(&found.rows, found.dim, &labels, shared.classes());
    let mut distances = distances_to_centres(&found.rows, found.dim, &labels, &centres);
    // What cannot be decoded is as far as can be.
    let most = distances.iter().copied().fold(0.0, f32::max);
    found.bad.iter().for_each(|&image| distances[image] = most);
    shared.filter(&distances, percentile, least)
}

/// A network's weights, batch norms apart.
pub(super) fn read_model(file: &Path, observer: &mut dyn Observer) -> Result<Unfolded> {
    weights::verify(file, true)?;
    let read = weights::network::unfolded(&weights::load(file)?)?;
    observer.observe(&Event::Pretrained { file, dim: read.embedding_size() });
    Ok(read)
}
