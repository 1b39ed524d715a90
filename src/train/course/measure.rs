//! What is measured before the first step and after an epoch: the validation set, triplets that stay, pairs.

use std::time::Instant;

use super::run::Run;
use crate::Result;
use crate::train::history::Epoch;
use crate::train::observe::{Event, Measured};
use crate::weights::network::Unfolded;

impl Run<'_> {
    /// Measures triplets, pairs and the validation set before the first step, as epoch 0: what training is to be better
    /// than.
    ///
    /// # Errors
    /// As [`Verification::measure`](crate::train::verify::Verification::measure).
    pub fn measure_before(&mut self) -> Result<()> {
        if self.state.step == 0 && self.measures() {
            let epoch = self.measure(0)?;
            self.state.history.epochs.push(epoch);
            self.epoch_began = Instant::now();
        }
        Ok(())
    }

    /// Whether there is anything to measure after an epoch.
    fn measures(&self) -> bool {
        self.verification.is_some() || self.validation.is_some() || self.triplets.is_some()
    }

    /// Validates, measures pairs, saves, and writes the page.
    pub(super) fn end_epoch(&mut self) -> Result<()> {
        let number = (self.state.step / u64::from(self.course.epoch_size)) as u32;
        let measured = number.is_multiple_of(self.course.evaluate_every.max(1)) || number == self.course.epochs;
        let mut epoch = match measured {
            true => self.measure(number)?,
            false => Epoch { epoch: number, step: self.state.step, ..Epoch::default() },
        };
        if self.course.histograms {
            let values = self.trainer.values(false)?;
            for place in self.trainer.parameters().weights() {
                let values = &values.weights[place.offset..][..place.shape.elements()];
                self.events.histogram(self.state.step, &place.name, values)?;
            }
            self.events.flush()?;
        }
        epoch.seconds = self.epoch_began.elapsed().as_secs_f64();
        self.epoch_began = Instant::now();
        self.state.history.epochs.push(epoch);
        self.save()
    }

    /// All that there is to measure.
    fn measure(&mut self, number: u32) -> Result<Epoch> {
        let epoch = Epoch { epoch: number, step: self.state.step, ..Epoch::default() };
        if !self.measures() {
            return Ok(epoch);
        }
        let weights = self.trainer.parameters().unfolded(&self.trainer.values(false)?);
        let epoch = self.validate(epoch, &weights)?;
        let epoch = self.measure_triplets(epoch, &weights)?;
        self.measure_pairs(epoch, weights)
    }

    /// The classifier on its validation set.
    fn validate(&mut self, mut epoch: Epoch, weights: &Unfolded) -> Result<Epoch> {
        let Some(validation) = &self.validation else { return Ok(epoch) };
        let (loss, accuracy, bad) = self.inference.classify(weights.clone(), validation)?;
        let bad = bad.iter().map(|&image| format!("{}: not decoded", validation.path(image).display()));
        self.leave_out(Measured::Validation, bad.collect());
        epoch.validation_loss = Some(loss).filter(|x| x.is_finite());
        epoch.validation_accuracy = Some(accuracy).filter(|x| x.is_finite());
        let values = [("validation/loss", loss as f32), ("validation/accuracy", accuracy as f32)];
        self.events.scalars(self.state.step, &values)?;
        self.tell(Event::Validation { epoch: epoch.epoch, loss, accuracy });
        Ok(epoch)
    }

    /// The loss on the triplets that stay.
    fn measure_triplets(&mut self, mut epoch: Epoch, weights: &Unfolded) -> Result<Epoch> {
        let Some(triplets) = &self.triplets else { return Ok(epoch) };
        let loss = triplets.loss(&self.inference, weights.clone())?;
        let photographs = triplets.sample().images();
        epoch.triplet_loss = Some(loss).filter(|x| x.is_finite());
        self.events.scalars(self.state.step, &[("fixed/triplet_loss", loss as f32)])?;
        self.tell(Event::FixedTriplets { epoch: epoch.epoch, photographs, loss });
        Ok(epoch)
    }

    /// The pairs.
    fn measure_pairs(&mut self, epoch: Epoch, weights: Unfolded) -> Result<Epoch> {
        let Some(verification) = &self.verification else { return Ok(epoch) };
        let (figures, left_out) = verification.measure(&self.inference, weights, self.course.seed, epoch.epoch)?;
        let values = [
            ("lfw/accuracy", figures.accuracy.mean as f32),
            ("lfw/val_rate", figures.val.mean as f32),
            ("lfw/far", figures.val.far as f32),
            ("lfw/auc", figures.auc as f32),
        ];
        self.events.scalars(self.state.step, &values)?;
        self.tell(Event::Pairs { epoch: epoch.epoch, figures: &figures });
        self.leave_out(Measured::Pairs, left_out);
        Ok(epoch.verified(&figures))
    }

    /// Notes what could not be used, and tells what is new of it.
    fn leave_out(&mut self, of: Measured, lines: Vec<String>) {
        let known = &mut self.state.left_out;
        let before = known.len();
        let new: Vec<String> = lines.iter().filter(|line| !known.contains(line)).cloned().collect();
        for line in lines {
            if !known.contains(&line) {
                known.push(line);
            }
        }
        if known.len() > before {
            self.tell(Event::NotMeasured { of, photographs: &new });
        }
    }
}
