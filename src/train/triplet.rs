//! Training by distances: `train_tripletloss.py`.

use std::collections::BTreeMap;

use super::augment::Augment;
use super::loader::{Batch, Loader, Workers};
use super::run::{Next, Pool, Run};
use super::sampler::{Item, PeopleSampler};
use super::triplets::{Miner, Mode, NEIGHBOURS, Triplet, nearest_others};
use crate::random::{Stream, purpose};
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
    let miner = Miner::new(&run.trainer, search.mode, images, side, search.alpha, run.course.seed)?;
    let mut bad: BTreeMap<String, ()> = BTreeMap::new();
    let mut empty = 0;
    let mut warned = None;
    run.pause();
    while run.rate().is_some() {
        // A run that was interrupted has its pool's triplets, chosen by weights that are gone; only pixels are loaded.
        let (loaded, chosen) = match run.state.pool.take() {
            Some(pool) => (load(run, &pool.items, augment, workers, &mut bad)?, pool),
            None => {
                let number = run.state.pools;
                run.state.pools += 1;
                let people = sampler.batch(run.epoch(), number as u32).items;
                match search.mode {
                    Mode::Global => {
                        refresh(run, search)?;
                        let pool = global(run, people, number);
                        (load(run, &pool.items, augment, workers, &mut bad)?, pool)
                    }
                    _ => {
                        let loaded = load(run, &people, augment, workers, &mut bad)?;
                        let (triplets, spread) = miner.choose(&loaded.pixels, &loaded.labels, number)?;
                        let problem = spread.problem();
                        if problem != warned
                            && let Some(problem) = problem
                        {
                            run.say(&format!("step {}: {problem}", run.state.step));
                        }
                        warned = problem;
                        (loaded, Pool { number, items: people, triplets, done: 0 })
                    }
                }
            }
        };
        if chosen.triplets.is_empty() {
            empty += 1;
            if empty == 1 {
                let text = format!(
                    "step {}: no triplet of {images} images is within the margin of {}; going on with other people",
                    run.state.step, search.alpha
                );
                run.say(&text);
            }
            if empty == PATIENCE {
                let problem = format!(
                    "{PATIENCE} batches of people gave no active triplet: raise --alpha, give more --people-per-batch, or take \
                     --mining hard; or it has learned what there is to learn"
                );
                return Err(Error::invalid("triplets", problem));
            }
            continue;
        }
        empty = 0;
        run.pause();
        if pool(run, &loaded, chosen, side)? == Next::Interrupted {
            return Ok((Next::Interrupted, bad.into_keys().collect()));
        }
    }
    Ok((Next::Step, bad.into_keys().collect()))
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

/// The pixels of a pool.
fn load(
    run: &Run,
    items: &[Item],
    augment: Augment,
    workers: Workers,
    bad: &mut BTreeMap<String, ()>,
) -> Result<Batch> {
    let batches = std::iter::once(items.to_vec());
    let mut loader = Loader::new(run.dataset.clone(), augment, run.course.seed, batches, workers)?;
    let loaded = loader.next().ok_or_else(|| Error::invalid("triplets", "a pool without images"))??;
    bad.extend(loader.bad_images().into_iter().map(|line| (line, ())));
    Ok(loaded)
}

/// Makes the table of the hardest negatives anew where it is time.
fn refresh(run: &mut Run, search: &Search) -> Result<()> {
    let due = run.state.table_step.is_none_or(|made| run.state.step >= made + search.refresh.max(1));
    if !due {
        return Ok(());
    }
    let weights = run.trainer.parameters().unfolded(&run.trainer.values(false)?);
    let inference = super::inference::Inference { flipped: false, ..run.inference };
    let embeddings = inference.embed(weights, &run.dataset)?;
    let table = nearest_others(&run.trainer, &embeddings.rows, &run.dataset.labels())?;
    run.say(&format!("step {}: the hardest negatives of {} images", run.state.step, run.dataset.images()));
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
