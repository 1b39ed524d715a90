//! What training remembers of itself: curves of a bounded length, and what was measured after each epoch.

use serde::{Deserialize, Serialize};

use crate::eval::Figures;

/// At most twice as many points are kept of a curve; then neighbours become one.
const POINTS: usize = 2048;

/// The course of a run. It grows with the number of epochs, not of steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What the parts of the loss are called, the whole first.
    pub losses: Vec<String>,
    /// Means over [`every`](Self::every) steps each.
    pub points: Vec<Point>,
    /// How many steps a point stands for.
    pub every: u64,
    /// The epochs that ended.
    pub epochs: Vec<Epoch>,
    /// The sum of the steps that make no point yet, and how many they are.
    pending: Option<(Point, u64)>,
}

/// Some steps in one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The last of the steps.
    pub step: u64,
    /// The parts of the loss, in the order of [`History::losses`].
    pub losses: Vec<f64>,
    /// The learning rate.
    pub learning_rate: f64,
    /// Images trained on in a second.
    pub images_per_second: f64,
}

/// What was measured after an epoch. Numbers that are undefined are `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u32,
    /// How many steps were done by then.
    pub step: u64,
    /// Loss on the validation set.
    pub validation_loss: Option<f64>,
    /// Share of the validation set that is classified rightly.
    pub validation_accuracy: Option<f64>,
    /// Loss on triplets that stay the same; of runs that mine them.
    pub triplet_loss: Option<f64>,
    /// Accuracy on evaluation pairs, by the LFW protocol.
    pub accuracy: Option<f64>,
    /// VAL on evaluation pairs.
    pub val: Option<f64>,
    /// The rate of false accepts that was measured for [`val`](Self::val).
    pub far: Option<f64>,
    /// Area under the ROC curve.
    pub auc: Option<f64>,
    /// Seconds the epoch took, evaluation and all.
    pub seconds: f64,
}

impl Epoch {
    /// Adds what an evaluation gave.
    pub fn verified(mut self, figures: &Figures) -> Self {
        let finite = |x: f64| Some(x).filter(|x| x.is_finite());
        self.accuracy = finite(figures.accuracy.mean);
        (self.val, self.far) = (finite(figures.val.mean), finite(figures.val.far));
        self.auc = finite(figures.auc);
        self
    }
}

impl History {
    /// An empty one, of a loss with these parts, the whole first.
    pub fn new(losses: &[&str]) -> Self {
        History { losses: losses.iter().map(|name| (*name).to_owned()).collect(), every: 1, ..History::default() }
    }

    /// Adds a step. One with a number that is not finite is passed over: it would spoil its neighbours' means, and JSON
    /// cannot hold it.
    pub fn step(&mut self, step: u64, losses: &[f32], learning_rate: f32, images_per_second: f64) {
        let losses: Vec<f64> = losses.iter().map(|&x| f64::from(x)).collect();
        let point = Point { step, losses, learning_rate: f64::from(learning_rate), images_per_second };
        let mut numbers = point.losses.iter().chain([&point.learning_rate, &point.images_per_second]);
        if !numbers.all(|x| x.is_finite()) {
            return;
        }
        let (mut sum, count) = self.pending.take().map_or((point.clone(), 1), |(sum, n)| (sum.plus(&point), n + 1));
        if count < self.every {
            self.pending = Some((sum, count));
            return;
        }
        sum.scale(1.0 / count as f64);
        self.points.push(sum);
        if self.points.len() == 2 * POINTS {
            let halved = self.points.chunks(2).map(|pair| {
                let mut sum = pair[0].clone().plus(&pair[1]);
                sum.scale(0.5);
                sum
            });
            self.points = halved.collect();
            self.every *= 2;
        }
    }

    /// The best accuracy on pairs, and its epoch.
    pub fn best_accuracy(&self) -> Option<(f64, u32)> {
        let measured = self.epochs.iter().filter_map(|epoch| Some((epoch.accuracy?, epoch.epoch)));
        measured.fold(None, |best: Option<(f64, u32)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
    }
}

impl Point {
    fn plus(mut self, other: &Point) -> Point {
        self.losses.iter_mut().zip(&other.losses).for_each(|(sum, x)| *sum += x);
        self.learning_rate += other.learning_rate;
        self.images_per_second += other.images_per_second;
        self.step = other.step;
        self
    }

    fn scale(&mut self, factor: f64) {
        self.losses.iter_mut().for_each(|x| *x *= factor);
        self.learning_rate *= factor;
        self.images_per_second *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_keep_means_of_a_bounded_number() {
        let mut history = History::new(&["total"]);
        let steps = 40_000u64;
        (0..steps).for_each(|step| history.step(step, &[step as f32], 0.5, 100.0));
        assert!((POINTS..2 * POINTS).contains(&history.points.len()) && history.every == 16, "{}", history.every);
        for (i, point) in history.points.iter().enumerate() {
            let first = i as u64 * 16;
            assert_eq!((point.step, point.losses[0], point.learning_rate), (first + 15, first as f64 + 7.5, 0.5));
        }
    }

    #[test]
    fn it_goes_on_from_json_as_if_never_stopped() {
        let run = |stop: bool| {
            let mut history = History::new(&["total", "center"]);
            for step in 0..9_001 {
                history.step(step, &[step as f32, 1.0], 0.1, 7.0);
                if stop && step % 777 == 0 {
                    history = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
                }
            }
            history
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn epochs_of_earlier_versions_are_read() {
        let mut json = serde_json::to_value(Epoch { epoch: 3, accuracy: Some(0.5), ..Epoch::default() }).unwrap();
        json.as_object_mut().unwrap().remove("triplet_loss").unwrap();
        let epoch: Epoch = serde_json::from_value(json).unwrap();
        assert_eq!((epoch.epoch, epoch.triplet_loss, epoch.accuracy), (3, None, Some(0.5)));
    }

    #[test]
    fn what_is_no_number_is_passed_over() {
        let mut history = History::new(&["total"]);
        history.step(0, &[f32::NAN], 0.1, 7.0);
        history.step(1, &[1.0], 0.1, f64::INFINITY);
        history.step(2, &[2.0], 0.1, 7.0);
        assert_eq!(history.points.iter().map(|point| point.step).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn the_first_of_the_best_epochs_is_named() {
        let mut history = History::new(&["total"]);
        assert_eq!(history.best_accuracy(), None);
        for (epoch, accuracy) in [(1, None), (2, Some(0.9)), (3, Some(0.95)), (4, Some(0.95))] {
            history.epochs.push(Epoch { epoch, accuracy, ..Epoch::default() });
        }
        assert_eq!(history.best_accuracy(), Some((0.95, 3)));
    }
}
