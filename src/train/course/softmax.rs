//! Training a classifier: `train_softmax.py`.

use crate::Result;
use crate::train::augment::Augment;
use crate::train::loader::{Loader, Workers};
use crate::train::run::{Next, Run};
use crate::train::sampler::Shuffled;

/// Goes on until the run's last epoch, the schedule's end, or an interruption; returns the images that could not be
/// decoded.
///
/// # Errors
/// The device's, the disk's; a person none of whose images can be decoded.
pub fn train(run: &mut Run, augment: Augment, workers: Workers) -> Result<(Next, Vec<String>)> {
    let batch = run.trainer.options().batch;
    let sampler = Shuffled::new(run.course.seed, run.dataset.images(), batch, run.course.epoch_size)?;
    let batches = sampler.batches(run.state.step);
    let mut loader = Loader::new(run.dataset.clone(), augment, run.course.seed, batches, workers)?;
    run.pause();
    while let Some(rate) = run.rate() {
        let Some(loaded) = loader.next() else { break };
        let loaded = loaded?;
        if run.step(&loaded.pixels, &loaded.labels, rate)? == Next::Interrupted {
            return Ok((Next::Interrupted, loader.bad_images()));
        }
    }
    Ok((Next::Step, loader.bad_images()))
}
