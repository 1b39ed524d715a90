//! The learning rate of every step: `train_softmax.py`'s placeholder through `tf.train.exponential_decay`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Field;
use crate::{Error, Result};

/// Which learning rate each step has, and when training ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    base: Base,
    decay: Decay,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Base {
    Constant(f32),
    /// Epoch and the rate from it on (`None`: training ends), epochs increasing.
    File(Vec<(u32, Option<f32>)>),
}

/// The rate is multiplied by `factor` after every `steps` steps, at once and not gradually (`staircase=True`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decay {
    /// The original's `learning_rate_decay_epochs * epoch_size`.
    pub steps: u64,
    /// The original's `learning_rate_decay_factor`; 1 keeps the rate.
    pub factor: f32,
}

impl Default for Decay {
    fn default() -> Self {
        Decay { steps: 1, factor: 1.0 }
    }
}

impl Default for Schedule {
    /// The original's, 0.1 throughout.
    fn default() -> Self {
        Schedule { base: Base::Constant(0.1), decay: Decay::default() }
    }
}

impl Schedule {
    /// The same rate in every epoch.
    ///
    /// # Errors
    /// A rate that is not a number above 0.
    pub fn constant(rate: f32) -> Result<Self> {
        if !(rate.is_finite() && rate > 0.0) {
            let problem = "it must be a number above 0, such as 0.05; for rates by epoch give a schedule file";
            return Err(Error::invalid(Field("learning_rate"), format!("{rate}: {problem}")));
        }
        Ok(Schedule { base: Base::Constant(rate), decay: Decay::default() })
    }

    /// The rates of a schedule file (`facenet.get_learning_rate_from_file`).
    ///
    /// # Errors
    /// A file that cannot be read, or a line that makes no sense: it is named.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(&fs::read(path).map_err(Error::io(path, "read"))?, path)
    }

    /// Parses a schedule file's bytes; `path` is for messages. A line is `epoch: rate`, valid from that epoch on; `-`, 0
    /// or a negative rate ends training there; what follows `#` is a comment. The last line holds for ever (the
    /// original answers with nothing at all once the last line's epoch has come).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let invalid = |line: usize, problem: String| Error::line(path, line, problem);
        let mut rates: Vec<(u32, Option<f32>)> = Vec::new();
        for (i, line) in String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').lines().enumerate() {
            let text = line.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            let (epoch, rate) = entry(text).map_err(|problem| invalid(i + 1, problem))?;
            match rates.last() {
                Some((last, _)) if *last >= epoch => {
                    let problem =
                        format!("epoch {epoch} follows epoch {last}: put the lines in order, each epoch once");
                    return Err(invalid(i + 1, problem));
                }
                None if epoch > 1 => {
                    let problem = format!("no rate is given before epoch {epoch}: begin with a line `0: rate`");
                    return Err(invalid(i + 1, problem));
                }
                _ => rates.push((epoch, rate)),
            }
        }
        if rates.is_empty() {
            let problem = "no line gives a rate: write lines such as `0: 0.05`, or give a constant learning rate";
            return Err(Error::data(path, problem));
        }
        Ok(Schedule { base: Base::File(rates), decay: Decay::default() })
    }

    /// The same rates, decayed as well.
    ///
    /// # Errors
    /// A decay after every 0 steps, or by a factor that is not a number above 0.
    pub fn with_decay(self, decay: Decay) -> Result<Self> {
        if decay.steps == 0 {
            let problem = "the rate cannot decay after every 0 steps; give at least 1 epoch and 1 batch an epoch";
            return Err(Error::invalid(Field("learning_rate_decay_epochs"), problem));
        }
        if !(decay.factor.is_finite() && decay.factor > 0.0) {
            let problem = "it must be a number above 0; 1 keeps the rate";
            return Err(Error::invalid(Field("learning_rate_decay_factor"), format!("{}: {problem}", decay.factor)));
        }
        Ok(Schedule { decay, ..self })
    }

    /// The rate of step `step` (counted from 0 over the whole training) in epoch `epoch`, numbered as the schedule
    /// file's lines are (the original's softmax training counts epochs from 1, its triplet training from 0); `None`
    /// where training ends.
    pub fn rate(&self, epoch: u32, step: u64) -> Option<f32> {
        let base = match &self.base {
            Base::Constant(rate) => Some(*rate),
            // A file may begin with epoch 1, and a caller count from 0.
            Base::File(rates) => rates[rates.partition_point(|(from, _)| *from <= epoch).saturating_sub(1)].1,
        };
        let decays = (step / self.decay.steps) as f64;
        base.map(|rate| (f64::from(rate) * f64::from(self.decay.factor).powf(decays)) as f32)
    }
}

fn entry(text: &str) -> Result<(u32, Option<f32>), String> {
    let form = "a line is `epoch: rate`, such as `65: 0.005`, or `epoch: -` to end training";
    let (epoch, rate) = text.split_once(':').ok_or_else(|| format!("`{text}` has no colon; {form}"))?;
    let (epoch, rate) = (epoch.trim(), rate.trim());
    let number = epoch.parse().map_err(|_| format!("`{epoch}` is no epoch's number; {form}"))?;
    let rate = match rate {
        "-" => None,
        _ => {
            let value = rate.parse::<f32>().ok().filter(|value| value.is_finite());
            value
                .map(|value| Some(value).filter(|&value| value > 0.0))
                .ok_or_else(|| format!("`{rate}` is no learning rate (a decimal point is a dot); {form}"))?
        }
    };
    Ok((number, rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Schedule> {
        Schedule::parse(text.as_bytes(), Path::new("rates.txt"))
    }

    #[test]
    fn a_file_gives_each_epoch_the_last_rate_before_it() {
        let schedule = parse("\u{feff}# CASIA\r\n0: 0.05 # first\n\n 60 :5e-3\r\n80:0.0005\n91: -1\n").unwrap();
        let rates = [0, 1, 59, 60, 79, 80, 90, 91, 1000].map(|epoch| schedule.rate(epoch, 7));
        let [a, b, c] = [Some(0.05), Some(0.005), Some(0.0005)];
        assert_eq!(rates, [a, a, a, b, b, c, c, None, None]);
        for end in ["-", "0", "-0.1"] {
            assert_eq!(parse(&format!("1: 1\n3: {end}")).unwrap().rate(3, 0), None, "{end}");
        }
        assert_eq!(parse("1: 0.5").unwrap().rate(0, 0), Some(0.5));
    }

    #[test]
    fn typos_are_named_with_file_line_and_way_out() {
        let cases = [
            ("0: 0.05\n\nsixty: 1", "rates.txt:3: `sixty` is no epoch"),
            ("0 0.05", "rates.txt:1: `0 0.05` has no colon; a line is `epoch: rate`"),
            ("0: 0,05", "rates.txt:1: `0,05` is no learning rate (a decimal point is a dot)"),
            ("0: nan", "`nan` is no learning rate"),
            ("0: 1\n-5: 1", "rates.txt:2: `-5` is no epoch"),
            ("0: 1\n5: 1\n5: 2", "rates.txt:3: epoch 5 follows epoch 5: put the lines in order"),
            ("0: 1\n9: 1\n5: 2", "epoch 5 follows epoch 9"),
            ("10: 1", "no rate is given before epoch 10: begin with"),
            ("# nothing", "rates.txt: no line gives a rate"),
            ("0: ", "`` is no learning rate"),
        ];
        for (text, expected) in cases {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
    }

    #[test]
    fn decay_is_a_staircase_over_steps() {
        let schedule = Schedule::constant(0.1).unwrap().with_decay(Decay { steps: 100, factor: 0.5 }).unwrap();
        let rates = [0, 99, 100, 199, 200].map(|step| schedule.rate(0, step).unwrap());
        assert_eq!(rates, [0.1, 0.1, 0.05, 0.05, 0.025]);
        let file = parse("0: 1\n5: -").unwrap().with_decay(Decay { steps: 1, factor: 0.5 }).unwrap();
        assert_eq!((file.rate(1, 2), file.rate(5, 2)), (Some(0.25), None));
    }

    #[test]
    fn senseless_numbers_are_refused_and_the_rest_survives_json() {
        assert!(Schedule::constant(0.0).is_err() && Schedule::constant(f32::NAN).is_err());
        let constant = Schedule::constant(0.1).unwrap();
        assert!(constant.clone().with_decay(Decay { steps: 0, factor: 1.0 }).is_err());
        assert!(constant.with_decay(Decay { steps: 1, factor: -1.0 }).is_err());
        let schedule = parse("0: 0.05\n3: -").unwrap();
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
    }
}
