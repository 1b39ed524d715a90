//! Training by distances: `train_tripletloss.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::{Field, Message, message};
use crate::random::{Stream, purpose};
use crate::train::augment::Augment;
use crate::train::dataset::Dataset;
use crate::train::loader::{Batch, Loader, Workers};
use crate::train::observe::Event;
use crate::train::run::{Next, Pool, Run};
use crate::train::sampler::{Item, PeopleSampler};
use crate::train::triplets::{Miner, Mode, NEIGHBOURS, Spread, Triplet, Trouble, nearest_others};
use crate::{Error, Result};

/// How triplets are found.
#[derive(Clone, Debug)]
pub struct Search {
    /// How negatives are chosen.
    pub mode: Mode,
    /// The loss's margin.
    pub alpha: f32,
    /// Steps after which the table of the hardest negatives is made anew.
    pub refresh: u64,
}

/// Pools in a row without a triplet, after which training ends.
const PATIENCE: u32 = 20;

/// A place far from all unit vectors.
const FAR: f32 = 1e3;

/// Goes on until the run's last epoch, the schedule's end, or an interruption; returns the images that could not be
/// decoded.
///
/// # Errors
/// The device's, the disk's; a person none of whose images can be decoded; pools that give no triplets.
pub fn train(
    run: &mut Run,
    sampler: &PeopleSampler,
    search: &Search,
    augment: Augment,
    workers: Workers,
) -> Result<(Next, Vec<String>)> {
    let side = augment.image_size;
    let images = sampler.batch(0, 0).items.len();
    let miner = match search.mode {
        Mode::Global => None,
        mode => Some(Miner::new(&run.trainer, mode, images, side, search.alpha, run.course.seed)?),
    };
    if let Some(miner) = &miner {
        run.tell(Event::Mining { photographs: images, memory: miner.memory() });
    }
    let mut source = Photographs::new(run, sampler, augment, workers)?;
    let (mut empty, mut warned) = (0, None);
    run.pause();
    while run.rate().is_some() {
        // A run that was interrupted has its pool's triplets, chosen by weights that are gone; only pixels are loaded.
        let (loaded, chosen) = match run.state.pool.take() {
            Some(pool) => (source.load(&pool.items)?, pool),
            None => next(run, &mut source, miner.as_ref(), search, &mut warned)?,
        };
        if chosen.triplets.is_empty() {
            empty += 1;
            if empty == 1 {
                run.tell(Event::NoTriplets { step: run.state.step, photographs: images, alpha: search.alpha });
            }
            if empty == PATIENCE {
                let lasting = format!("{PATIENCE} batches of people gave no active triplet: ");
                let problem = Message::from(lasting).and(warned.map_or_else(no_triplets, Trouble::message));
                return Err(Error::invalid("triplets", problem));
            }
            if run.go_on()? == Next::Interrupted {
                return Ok((Next::Interrupted, source.bad()));
            }
            continue;
        }
        empty = 0;
        run.pause();
        if pool(run, &loaded, chosen, side)? == Next::Interrupted {
            return Ok((Next::Interrupted, source.bad()));
        }
    }
    Ok((Next::Step, source.bad()))
}

/// The next pool's photographs, and the triplets that are chosen among them.
fn next(
    run: &mut Run,
    source: &mut Photographs,
    miner: Option<&Miner>,
    search: &Search,
    warned: &mut Option<Trouble>,
) -> Result<(Batch, Pool)> {
    let number = run.state.pools;
    let (people, mut loaded) = source.next(number)?;
    run.state.pools += 1;
    let Some(miner) = miner else {
        refresh(run, search, warned)?;
        let of_people = people.len();
        let pool = global(run, people, number);
        let others = source.load(&pool.items[of_people..])?;
        loaded.pixels.extend(others.pixels);
        return Ok((loaded, pool));
    };
    let (triplets, spread) = miner.choose(&loaded.pixels, &loaded.labels, number)?;
    warn(run, &spread, warned);
    Ok((loaded, Pool { number, items: people, triplets, done: 0 }))
}

/// What helps where no triplet is within the margin.
fn no_triplets() -> Message {
    let (margin, people, mining) = (Field("alpha"), Field("people_per_batch"), Field("mining"));
    message![
        "raise ",
        margin,
        ", give more ",
        people,
        ", or take ",
        mining,
        " hard; or it has learned what there is to learn"
    ]
}

/// Tells what is wrong with a pool's distances, once for each change.
fn warn(run: &mut Run, spread: &Spread, warned: &mut Option<Trouble>) {
    let trouble = spread.trouble();
    if let Some(trouble) = trouble.filter(|_| trouble != *warned) {
        run.tell(Event::Trouble { step: run.state.step, trouble });
    }
    *warned = trouble;
}

/// Trains on a pool's triplets, whole batches of them; where they do not fill one, they come again.
fn pool(run: &mut Run, loaded: &Batch, mut pool: Pool, side: usize) -> Result<Next> {
    let each = side * side * 3;
    let per_batch = run.trainer.options().batch / 3;
    let batches = (pool.triplets.len() / per_batch).max(1);
    while pool.done < batches * per_batch {
        let Some(rate) = run.rate() else { return Ok(Next::Step) };
        let wanted = (pool.done..pool.done + per_batch).map(|i| pool.triplets[i % pool.triplets.len()]);
        let mut pixels = Vec::with_capacity(3 * per_batch * each);
        for image in wanted.flatten() {
            pixels.extend_from_slice(&loaded.pixels[image as usize * each..][..each]);
        }
        pool.done += per_batch;
        // A checkpoint after this step goes on behind it.
        run.state.pool = (pool.done < batches * per_batch).then(|| pool.clone());
        if run.step(&pixels, &[], rate)? == Next::Interrupted {
            return Ok(Next::Interrupted);
        }
    }
    Ok(Next::Step)
}

/// Pools' photographs: those of people decoded while the pool before is trained on, others when they are asked for.
struct Photographs {
    dataset: Arc<Dataset>,
    augment: Augment,
    workers: Workers,
    seed: u64,
    sampler: PeopleSampler,
    pools: Loader,
    bad: BTreeSet<String>,
}

impl Photographs {
    fn new(run: &Run, sampler: &PeopleSampler, augment: Augment, workers: Workers) -> Result<Self> {
        let (dataset, seed) = (run.dataset.clone(), run.course.seed);
        let (first, people) = (run.state.pools, sampler.clone());
        let pools = (first..).map(move |number| items(&people, number));
        // Pools are large: one is made while another is trained on.
        let pools = Loader::new(dataset.clone(), augment, seed, pools, Workers { ahead: 1, ..workers })?;
        Ok(Photographs { dataset, augment, workers, seed, sampler: sampler.clone(), pools, bad: BTreeSet::new() })
    }

    /// The next pool's people, whose number is `number`.
    fn next(&mut self, number: u64) -> Result<(Vec<Item>, Batch)> {
        let loaded = self.pools.next().ok_or_else(|| Error::invalid("triplets", "a pool without images"))??;
        Ok((items(&self.sampler, number), loaded))
    }

    /// These photographs, of which there may be none.
    fn load(&mut self, items: &[Item]) -> Result<Batch> {
        let batches = std::iter::once(items.to_vec());
        let mut loader = Loader::new(self.dataset.clone(), self.augment, self.seed, batches, self.workers)?;
        let loaded = loader.next().transpose()?.unwrap_or_default();
        self.bad.extend(loader.bad_images());
        Ok(loaded)
    }

    /// Those that could not be decoded.
    fn bad(mut self) -> Vec<String> {
        self.bad.extend(self.pools.bad_images());
        self.bad.into_iter().collect()
    }
}

/// A pool's people. Pools are numbered through the run, whatever the epoch: which photographs the next one has is known
/// before the steps are that this one gives.
fn items(sampler: &PeopleSampler, number: u64) -> Vec<Item> {
    sampler.batch((number >> 32) as u32, number as u32).items
}

/// Makes the table of the hardest negatives anew where it is time.
fn refresh(run: &mut Run, search: &Search, warned: &mut Option<Trouble>) -> Result<()> {
    let due = run.state.table_step.is_none_or(|made| run.state.step >= made + search.refresh.max(1));
    if !due {
        return Ok(());
    }
    let weights = run.trainer.parameters().unfolded(&run.trainer.values(false)?);
    let inference = crate::train::inference::Inference { flipped: false, ..run.inference };
    let mut embeddings = inference.embed(weights, &run.dataset)?;
    let labels = run.dataset.labels();
    let decoded = |image: &usize| embeddings.bad.binary_search(image).is_err();
    let decoded = (0..run.dataset.images()).filter(decoded).map(|image| (embeddings.row(image), labels[image]));
    warn(run, &Spread::of(decoded), warned);
    // Zeros would be nearer to everybody than strangers are: what cannot be decoded is nobody's neighbour.
    for image in std::mem::take(&mut embeddings.bad) {
        embeddings.rows[image * embeddings.dim..][..embeddings.dim].fill(FAR);
    }
    let table = nearest_others(&run.trainer, &embeddings.rows, &labels)?;
    run.tell(Event::HardestNegatives { step: run.state.step, photographs: run.dataset.images() });
    run.set_table(table);
    Ok(())
}

/// Every pair of one person of the pool with one of the anchor's nearest others, which join the pool.
fn global(run: &Run, people: Vec<Item>, number: u64) -> Pool {
    let mut random = Stream::new(run.course.seed, purpose::MINING, number);
    let mut items = people.clone();
    let mut places: BTreeMap<usize, u32> = items.iter().enumerate().map(|(i, item)| (item.image, i as u32)).collect();
    let mut triplets: Vec<Triplet> = Vec::new();
    for (a, anchor) in people.iter().enumerate() {
        let nearest = &run.table()[anchor.image * NEIGHBOURS..][..NEIGHBOURS];
        let known = nearest.iter().filter(|&&image| image >= 0).count() as u64;
        for (p, positive) in people.iter().enumerate().skip(a + 1) {
            if run.dataset.class_of(anchor.image) != run.dataset.class_of(positive.image) || known == 0 {
                continue;
            }
            let negative = nearest[random.below(known) as usize] as usize;
            let place = *places.entry(negative).or_insert_with(|| {
                items.push(Item { image: negative, position: items.len() as u32, ..*anchor });
                items.len() as u32 - 1
            });
            triplets.push([a as u32, p as u32, place]);
        }
    }
    random.shuffle(&mut triplets);
    Pool { number, items, triplets, done: 0 }
}
