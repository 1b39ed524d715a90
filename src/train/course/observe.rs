//! What a run tells as it goes, and how it is asked to end. Nothing is printed here.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Field, Message, message};
use crate::eval::Figures;
use crate::ops::Standardize;
use crate::train::pace::duration;
use crate::train::trainer::Recomputed;
use crate::train::triplets::Trouble;
use crate::weights::ModelFacts;

/// Asks a run to end after the step at hand, with a checkpoint: from another thread, from a signal's handler, from an
/// [`Observer`]. Clones are the same flag.
///
/// ```
/// let stop = warpface::train::Stop::default();
/// let of_a_handler = stop.clone();
/// of_a_handler.request();
/// assert!(stop.requested());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the end.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Who is told of a run. A closure is one, and `()` is who does not listen.
pub trait Observer {
    /// Something happened. Training waits until this returns.
    fn observe(&mut self, event: &Event<'_>);
}

impl Observer for () {
    fn observe(&mut self, _: &Event<'_>) {}
}

impl<F: FnMut(&Event<'_>)> Observer for F {
    fn observe(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// What is told of a step.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Steps done in all, with this one.
    pub done: u64,
    /// Steps in all.
    pub total: u64,
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// The last epoch.
    pub epochs: u32,
    /// The batch within the epoch, counted from 1.
    pub batch: u32,
    /// Batches in an epoch.
    pub epoch_size: u32,
    /// The parts of the loss with their factors, the whole first, and the accuracy of a classifier.
    pub losses: &'a [(&'a str, f32)],
    /// The learning rate.
    pub learning_rate: f32,
    /// Images trained on in a second, as of late.
    pub images_per_second: f64,
    /// Seconds to the last step, evaluations and checkpoints included.
    pub seconds_left: f64,
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step { epoch, epochs, batch, epoch_size, images_per_second: speed, .. } = self;
        write!(f, "epoch {epoch}/{epochs} step {batch}/{epoch_size}")?;
        for (name, value) in self.losses {
            write!(f, " · {name} {value:.4}")?;
        }
        write!(f, " · rate {}", self.learning_rate)?;
        if *speed > 0.0 {
            let digits = if *speed < 10.0 { 2 } else { 0 };
            write!(f, " · {speed:.digits$} images/s")?;
        }
        write!(f, " · {} left", duration(self.seconds_left))
    }
}

/// What happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A network was read to begin with, or to filter by.
    Pretrained {
        /// Its file.
        file: &'a Path,
        /// Length of its embeddings.
        dim: usize,
    },
    /// Nothing says how the pretrained network's photographs were standardized.
    Guessed {
        /// Its file.
        file: &'a Path,
        /// What is done to the pixels.
        standardize: Standardize,
        /// Length of its embeddings.
        dim: usize,
    },
    /// Who is trained on is settled.
    People {
        /// How many people.
        people: usize,
        /// How many photographs of them.
        photographs: usize,
        /// Their folder.
        dir: &'a Path,
        /// What is done to the pixels.
        standardize: Standardize,
        /// Side of the network's input, in pixels.
        image_size: usize,
        /// People and photographs that are left out, each with the reason.
        left_out: &'a [String],
    },
    /// What becomes of the pretrained classifier is settled.
    Classifier {
        /// How many people are told apart.
        people: usize,
        /// How many the pretrained one tells apart, if there is one.
        pretrained: Option<usize>,
        /// How many are among these, by name; none where it is not known whom the pretrained one tells apart.
        kept: Option<usize>,
    },
    /// The network is planned.
    Network {
        /// How many weights it has.
        weights: usize,
        /// Bytes of the states and of a step's values.
        peak_memory: u64,
        /// What is computed twice for want of memory.
        recomputed: Recomputed,
    },
    /// Where the run is kept.
    Folders {
        /// Its checkpoints.
        checkpoints: &'a Path,
        /// Its TensorBoard events and its page.
        logs: &'a Path,
    },
    /// The run goes on from a checkpoint that is not the folder's last.
    LaterCheckpoint {
        /// The step of the last.
        step: u64,
    },
    /// Some folds of the evaluation pairs hold pairs of one kind only.
    FoldsOfOneKind {
        /// How many do.
        alone: usize,
        /// Of how many.
        folds: usize,
    },
    /// Triplets are searched for by pools.
    Mining {
        /// Photographs of a pool.
        photographs: usize,
        /// Bytes that it takes.
        memory: u64,
    },
    /// A step is done.
    Step(Step<'a>),
    /// A pool of people gave no triplet.
    NoTriplets {
        /// The step at hand.
        step: u64,
        /// Photographs of the pool.
        photographs: usize,
        /// The margin.
        alpha: f32,
    },
    /// Something is wrong with the embeddings' distances.
    Trouble {
        /// The step at hand.
        step: u64,
        /// What is.
        trouble: Trouble,
    },
    /// The table of the hardest negatives was made.
    HardestNegatives {
        /// The step at hand.
        step: u64,
        /// Photographs it is of.
        photographs: usize,
    },
    /// No triplet of the last steps was within the margin.
    Idle {
        /// The step at hand.
        step: u64,
        /// How many steps.
        steps: u32,
    },
    /// Gradients were not finite: the weights stay as they are.
    NotFinite {
        /// The step.
        step: u64,
    },
    /// A classifier was validated.
    Validation {
        /// After which epoch; 0 before the first step.
        epoch: u32,
        /// The mean cross entropy.
        loss: f64,
        /// The share that it is right about.
        accuracy: f64,
    },
    /// The loss of triplets that stay the same was measured.
    FixedTriplets {
        /// After which epoch; 0 before the first step.
        epoch: u32,
        /// Photographs they are of.
        photographs: usize,
        /// Their mean loss.
        loss: f64,
    },
    /// Pairs were measured.
    Pairs {
        /// After which epoch; 0 before the first step.
        epoch: u32,
        /// What was measured.
        figures: &'a Figures,
    },
    /// Photographs of the validation set, or of pairs, that could not be used, and were not told before.
    NotMeasured {
        /// Of what.
        of: Measured,
        /// Each with its reason.
        photographs: &'a [String],
    },
    /// A photograph that could not be decoded, at the end of the run.
    LeftOut {
        /// Which, and why.
        photograph: &'a str,
    },
    /// A checkpoint was saved.
    Saved {
        /// Steps done by then.
        step: u64,
        /// The file of its tensors.
        file: &'a Path,
    },
}

/// What an [`Event::NotMeasured`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// The validation set.
    Validation,
    /// The pairs.
    Pairs,
}

impl Event<'_> {
    /// What a reader is told; `None` for what is too ordinary to be told (a checkpoint that was saved).
    pub fn message(&self) -> Option<Message> {
        Some(match *self {
            Event::Pretrained { file, dim } => format!("pretrained: {} ({dim}-d)", file.display()).into(),
            Event::Guessed { file, standardize, dim } => ModelFacts::warning(file, standardize, dim),
            Event::People { people, photographs, dir, standardize, image_size, left_out } => {
                let mut text = format!(
                    "people: {people} with {photographs} photographs in {}, crops of {image_size} pixels, {standardize} standardization",
                    dir.display()
                );
                if !left_out.is_empty() {
                    let (count, few) = (left_out.len(), few(left_out));
                    let _ = write!(text, "\nleft out: {count} people or photographs ({few}); the run's page lists them");
                }
                text.into()
            }
            Event::Classifier { people, pretrained, kept } => classifier(people, pretrained, kept).into(),
            Event::Network { weights, peak_memory, recomputed } => network(weights, peak_memory, recomputed).into(),
            Event::Folders { checkpoints, logs } => {
                format!("checkpoints: {}\nevents and page: {}", checkpoints.display(), logs.display()).into()
            }
            Event::LaterCheckpoint { step } => message![
                format!("step {step} is saved there too: "),
                Field("resume"),
                " of the folder takes the latest step, whichever run it is of",
            ],
            Event::FoldsOfOneKind { alone, folds } => format!(
                "{alone} of {folds} folds of the evaluation pairs hold pairs of one kind only: their accuracy is that of one \
                 kind; mix the file's lines"
            )
            .into(),
            Event::Mining { photographs, memory } => format!(
                "triplets are chosen among {photographs} photographs, which takes {} MiB of memory more",
                memory.div_ceil(1 << 20)
            )
            .into(),
            Event::Step(step) => step.to_string().into(),
            Event::NoTriplets { step, photographs, alpha } => format!(
                "step {step}: no triplet of {photographs} images is within the margin of {alpha}; going on with other people"
            )
            .into(),
            Event::Trouble { step, trouble } => Message::from(format!("step {step}: ")).and(trouble.message()),
            Event::HardestNegatives { step, photographs } => {
                format!("step {step}: the hardest negatives of {photographs} images").into()
            }
            Event::Idle { step, steps } => message![
                format!("step {step}: no triplet of the last {steps} steps was active: raise "),
                Field("alpha"),
                ", or it has learned what there is to learn",
            ],
            Event::NotFinite { step } => {
                format!("step {step}: gradients are not finite; the weights stay as they are").into()
            }
            Event::LeftOut { photograph } => format!("left out: {photograph}").into(),
            Event::Saved { .. } => return None,
            _ => return self.measured().map(Message::from),
        })
    }

    /// What is told of an evaluation.
    fn measured(&self) -> Option<String> {
        Some(match *self {
            Event::Validation { epoch, loss, accuracy } => {
                format!("epoch {epoch}: validation loss {loss:.4}, accuracy {:.2} %", 100.0 * accuracy)
            }
            Event::FixedTriplets { epoch, photographs, loss } => {
                format!("epoch {epoch}: all triplets of {photographs} photographs, loss {loss:.5}")
            }
            Event::Pairs { epoch, figures } => format!(
                "epoch {epoch}: pairs {}, accuracy {:.2} % +- {:.2}, VAL {} at FAR {}, AUC {}",
                figures.pairs,
                100.0 * figures.accuracy.mean,
                100.0 * figures.accuracy.std,
                defined(figures.val.mean, |x| format!("{:.2} %", 100.0 * x)),
                defined(figures.val.far, |x| format!("{x:.4}")),
                defined(figures.auc, |x| format!("{x:.4}"))
            ),
            Event::NotMeasured { of: Measured::Validation, photographs } => {
                let lines = photographs.iter().map(|line| format!("left out of validation: {line}"));
                lines.collect::<Vec<_>>().join("\n")
            }
            Event::NotMeasured { of: Measured::Pairs, photographs: new } => {
                format!("some pairs are left out ({}); the run's page lists all of it", few(new))
            }
            _ => return None,
        })
    }
}

/// A figure, where it is defined.
fn defined(x: f64, text: impl Fn(f64) -> String) -> String {
    if x.is_nan() { "n/a".to_owned() } else { text(x) }
}

/// The first three, and how many more there are.
fn few(lines: &[String]) -> String {
    let more = if lines.len() > 3 { format!(" and {} more", lines.len() - 3) } else { String::new() };
    lines[..lines.len().min(3)].join(", ") + &more
}

fn classifier(people: usize, pretrained: Option<usize>, kept: Option<usize>) -> String {
    match (pretrained, kept) {
        (Some(n), Some(kept)) => format!(
            "classifier: of {people} people: {kept} keep their rows of the pretrained one, {} are new; of its {n} people \
             {} are left out",
            people - kept,
            n - kept
        ),
        (Some(n), None) => format!(
            "classifier: of {people} people, built anew: the file does not say whom the {n} rows of the pretrained one \
             stand for (a checkpoint's .json does)"
        ),
        (None, _) => format!("classifier: of {people} people, built anew; the pretrained file has none"),
    }
}

fn network(weights: usize, peak_memory: u64, recomputed: Recomputed) -> String {
    let again = match recomputed {
        Recomputed { blocks: 0, .. } => String::new(),
        Recomputed { blocks, of, work } => {
            format!("; {blocks} of {of} blocks are computed again for the gradients, {:.1} % more work", 100.0 * work)
        }
    };
    let (millions, mib) = (weights as f64 / 1e6, peak_memory.div_ceil(1 << 20));
    format!("network: {millions:.1} million weights; a step takes {mib} MiB of memory at the peak{again}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_all_of_a_step() {
        let losses = &[("loss", 1.25), ("center", 0.5)];
        let step = Step {
            done: 41,
            total: 100,
            epoch: 2,
            epochs: 9,
            batch: 1,
            epoch_size: 50,
            losses,
            learning_rate: 0.05,
            images_per_second: 180.0,
            seconds_left: 30.0,
        };
        let line = "epoch 2/9 step 1/50 · loss 1.2500 · center 0.5000 · rate 0.05 · 180 images/s · 30s left";
        assert_eq!(step.to_string(), line);
        let slow = Step { images_per_second: 9.876, ..step };
        assert!(slow.to_string().contains(" 9.88 images/s"), "{slow}");
        assert!(!Step { images_per_second: f64::NAN, ..step }.to_string().contains("images/s"));
    }

    #[test]
    fn many_pairs_left_out_are_not_all_told() {
        let lines = ["a", "b", "c", "d", "e"].map(str::to_owned);
        let text = Event::NotMeasured { of: Measured::Pairs, photographs: &lines }.message().unwrap().to_string();
        assert!(text.contains("(a, b, c and 2 more)"), "{text}");
    }
}
