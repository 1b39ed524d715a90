//! Which images a batch has: functions of the seed and the batch's number, so that training resumes at any step.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::random::{Stream, purpose};
use crate::train::dataset::Dataset;
use crate::{Error, Result};

/// One image of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Item {
    /// The image's number in its [`Dataset`].
    pub image: usize,
    /// With [`position`](Self::position), what the image's random crop, flip and turn depend on.
    pub epoch: u32,
    /// The image's place within the epoch.
    pub position: u32,
}

/// The original's index queue of softmax training: the whole training set shuffled, and shuffled anew when used up,
/// in the middle of a batch if need be.
#[derive(Clone, Debug)]
pub struct Shuffled {
    seed: u64,
    images: usize,
    batch_size: usize,
    epoch_size: u32,
}

impl Shuffled {
    /// Batches of `batch_size` of `images` images, `epoch_size` batches an epoch.
    ///
    /// # Errors
    /// A number that is 0.
    pub fn new(seed: u64, images: usize, batch_size: usize, epoch_size: u32) -> Result<Self> {
        let named = [("images", images), ("batch size", batch_size), ("epoch size", epoch_size as usize)];
        if let Some((name, _)) = named.iter().find(|(_, value)| *value == 0) {
            return Err(Error::invalid(format!("{name} 0"), "it must be at least 1"));
        }
        Ok(Shuffled { seed, images, batch_size, epoch_size })
    }

    /// All batches from step `step` of the whole training on, without end.
    pub fn batches(&self, step: u64) -> impl Iterator<Item = Vec<Item>> + Send + use<> {
        let sampler = self.clone();
        // A round's order is made once, not for each of its batches.
        let (mut round, mut order) = (None, Vec::new());
        (step..).map(move |step| {
            let (epoch, first) = (step / u64::from(sampler.epoch_size), step % u64::from(sampler.epoch_size));
            let item = |i: usize| {
                let place = step * sampler.batch_size as u64 + i as u64;
                let wanted = place / sampler.images as u64;
                if round != Some(wanted) {
                    order = (0..sampler.images).collect();
                    Stream::new(sampler.seed, purpose::ORDER, wanted).shuffle(&mut order);
                    round = Some(wanted);
                }
                let position = (first as usize * sampler.batch_size + i) as u32;
                Item { image: order[(place % sampler.images as u64) as usize], epoch: epoch as u32, position }
            };
            (0..sampler.batch_size).map(item).collect()
        })
    }
}

/// Every image once, in the dataset's order, the last batch smaller: for validation, and for embedding them all.
pub fn in_order(images: usize, batch_size: usize) -> impl Iterator<Item = Vec<Item>> + Send {
    let item = |image| Item { image, epoch: 0, position: image as u32 };
    let size = batch_size.max(1);
    (0..images).step_by(size).map(move |start| (start..images.min(start + size)).map(item).collect())
}

/// How many images each person of a batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// `sample_people` of the original: people give as many images as they have, up to the number wanted, and more
    /// people join until the batch is full. The last one gives only what is missing.
    Original,
    /// Exactly as many people and images of each as asked for; people with fewer images never come.
    Strict,
}

/// The images of one triplet batch, person by person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    /// `people × images` items.
    pub items: Vec<Item>,
    /// How many consecutive items are of one person; the sum is the number of items.
    pub per_person: Vec<usize>,
}

/// Batches of `people` people with `images` images each.
#[derive(Clone, Debug)]
pub struct PeopleSampler {
    seed: u64,
    dataset: Arc<Dataset>,
    people: usize,
    images: usize,
    fill: Fill,
    /// The classes that are drawn from.
    classes: Vec<usize>,
}

impl PeopleSampler {
    /// Batches of `dataset`.
    ///
    /// # Errors
    /// A number that is 0, or fewer people or images than one batch needs.
    pub fn new(seed: u64, dataset: Arc<Dataset>, people: usize, images: usize, fill: Fill) -> Result<Self> {
        let what = format!("{people} people per batch, {images} images per person");
        if people < 2 || images < 2 {
            return Err(Error::invalid(what, "a triplet needs at least two people and two images of one"));
        }
        let size = |class: &usize| dataset.images_of(*class).len();
        let classes: Vec<usize> =
            (0..dataset.classes()).filter(|class| fill == Fill::Original || size(class) >= images).collect();
        if classes.len() < people {
            let having = if fill == Fill::Strict { format!(" with {images} images or more") } else { String::new() };
            let problem = format!(
                "{} has only {} people{having}; choose fewer people per batch{}",
                dataset.dir().display(),
                classes.len(),
                if fill == Fill::Strict { " or fewer images per person" } else { "" }
            );
            return Err(Error::invalid(what, problem));
        }
        let available: usize = classes.iter().map(|class| size(class).min(images)).sum();
        if people.checked_mul(images).is_none_or(|wanted| wanted > available) {
            let problem = format!(
                "{} gives only {available} images, {images} of each person at most; choose fewer people or images",
                dataset.dir().display()
            );
            return Err(Error::invalid(what, problem));
        }
        Ok(PeopleSampler { seed, dataset, people, images, fill, classes })
    }

    /// Batch `number` of epoch `epoch`. The order of people and of each one's photographs is by chance.
    pub fn batch(&self, epoch: u32, number: u32) -> People {
        let mut random = Stream::at(self.seed, purpose::PEOPLE, epoch, number);
        let mut classes = self.classes.clone();
        random.shuffle(&mut classes);
        let wanted = self.people * self.images;
        let mut people = People { items: Vec::with_capacity(wanted), per_person: Vec::new() };
        for class in classes {
            let missing = wanted - people.items.len();
            if missing == 0 {
                break;
            }
            let mut images: Vec<usize> = self.dataset.images_of(class).collect();
            random.shuffle(&mut images);
            images.truncate(self.images.min(missing));
            people.per_person.push(images.len());
            for image in images {
                // Batches follow one another in the epoch's positions.
                let position = number.wrapping_mul(wanted as u32).wrapping_add(people.items.len() as u32);
                people.items.push(Item { image, epoch, position });
            }
        }
        people
    }

    /// How the batches are filled.
    pub fn fill(&self) -> Fill {
        self.fill
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::train::dataset::tests::dataset;

    #[test]
    fn every_round_has_every_image_once_in_another_order() {
        let batches: Vec<Vec<Item>> = Shuffled::new(1, 10, 4, 5).unwrap().batches(0).take(10).collect();
        let images: Vec<usize> = batches.iter().flatten().map(|item| item.image).collect();
        let rounds: Vec<&[usize]> = images.chunks(10).collect();
        for round in &rounds {
            assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 10, "{round:?}");
        }
        assert_ne!(rounds[0], rounds[1]);
        let places: BTreeSet<_> = batches.iter().flatten().map(|item| (item.epoch, item.position)).collect();
        assert_eq!((places.len(), batches[4][3].position, batches[5][0].epoch, batches[5][0].position), (40, 19, 1, 0));
    }

    #[test]
    fn any_step_can_be_the_first() {
        let sampler = Shuffled::new(9, 7, 3, 4).unwrap();
        let all: Vec<_> = sampler.batches(0).take(30).collect();
        for step in [1, 2, 3, 11, 29] {
            assert_eq!(sampler.batches(step as u64).next().unwrap(), all[step], "step {step}");
        }
        assert_ne!(Shuffled::new(8, 7, 3, 4).unwrap().batches(0).next().unwrap(), all[0]);
        assert!(Shuffled::new(1, 5, 0, 1).is_err() && Shuffled::new(1, 0, 5, 1).is_err());
    }

    #[test]
    fn in_order_has_everything_once() {
        let batches: Vec<Vec<usize>> = in_order(7, 3).map(|b| b.iter().map(|item| item.image).collect()).collect();
        assert_eq!(batches, [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        assert_eq!(in_order(0, 3).count(), 0);
    }

    fn classes(set: &Dataset, people: &People) -> Vec<(usize, usize)> {
        let mut items = people.items.iter();
        let group = |&n: &usize| {
            let images: BTreeSet<usize> = items.by_ref().take(n).map(|item| item.image).collect();
            let classes: BTreeSet<usize> = images.iter().map(|&image| set.class_of(image)).collect();
            assert_eq!((images.len(), classes.len()), (n, 1), "{people:?}");
            (classes.into_iter().next().unwrap(), n)
        };
        people.per_person.iter().map(group).collect()
    }

    #[test]
    fn people_give_what_they_have_until_the_batch_is_full() {
        let set = Arc::new(dataset(&[5, 1, 9, 2, 3, 4]));
        let sampler = PeopleSampler::new(2, set.clone(), 3, 4, Fill::Original).unwrap();
        let mut seen = BTreeSet::new();
        for number in 0..50 {
            let people = sampler.batch(0, number);
            let groups = classes(&set, &people);
            let full = |&(class, n): &(usize, usize)| n == set.images_of(class).len().min(4);
            assert!(groups[..groups.len() - 1].iter().all(full), "{groups:?}");
            assert_eq!(people.items.len(), 12);
            seen.extend(groups.iter().map(|&(class, _)| class));
            assert_eq!(people, sampler.batch(0, number));
        }
        assert_eq!(seen.len(), 6);
        assert_ne!(sampler.batch(0, 1), sampler.batch(1, 1));
    }

    #[test]
    fn strict_batches_have_the_very_numbers() {
        let set = Arc::new(dataset(&[5, 1, 9, 2, 3, 4]));
        let sampler = PeopleSampler::new(2, set.clone(), 3, 4, Fill::Strict).unwrap();
        for number in 0..20 {
            let mut groups = classes(&set, &sampler.batch(3, number));
            groups.sort();
            assert_eq!(groups, [(0, 4), (2, 4), (5, 4)]);
        }
    }

    #[test]
    fn too_few_people_or_images_are_told() {
        let set = Arc::new(dataset(&[5, 1, 9]));
        let fails = |people, images, fill, expected: &str| {
            let message = PeopleSampler::new(2, set.clone(), people, images, fill).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        fails(4, 2, Fill::Original, "4 people per batch, 2 images per person: faces has only 3 people; choose fewer");
        fails(3, 4, Fill::Strict, "only 2 people with 4 images or more");
        fails(3, 4, Fill::Original, "gives only 9 images");
        fails(1, 4, Fill::Original, "at least two people");
    }
}
