//! Which face of a photograph comes first, by facenet-pytorch's rules; [`choose`](super::choose) is the original's.

use std::fmt;
use std::str::FromStr;

use super::Face;
use crate::{Error, Result};

/// By what faces are put in order. The default is facenet-pytorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Select {
    /// The largest box first.
    #[default]
    Largest,
    /// The highest score first.
    Probability,
    /// The largest first of those whose score is above this; the others are left out.
    LargestOver(f64),
    /// Area less this many times the squared distance from the photograph's middle, in pixels.
    CenterWeighted(f64),
}

impl Select {
    /// The numbers of `faces`, first those that come first, in a photograph of `width` x `height`. Of equal ones the later comes
    /// first, as in a stable ascending order that is reversed.
    pub fn order(self, faces: &[Face], width: usize, height: usize) -> Vec<usize> {
        let weight = |face: &Face| {
            let [x1, y1, x2, y2] = face.bounds;
            let area = (x2 - x1) * (y2 - y1);
            match self {
                Select::Largest | Select::LargestOver(_) => area,
                Select::Probability => face.score,
                Select::CenterWeighted(factor) => {
                    let (dx, dy) = ((x1 + x2) / 2.0 - width as f64 / 2.0, (y1 + y2) / 2.0 - height as f64 / 2.0);
                    area - (dx * dx + dy * dy) * factor
                }
            }
        };
        let is_in = |face: &Face| !matches!(self, Select::LargestOver(least) if face.score <= least);
        let mut order: Vec<usize> = (0..faces.len()).filter(|&i| is_in(&faces[i])).collect();
        order.sort_by(|&a, &b| weight(&faces[a]).total_cmp(&weight(&faces[b])));
        order.reverse();
        order
    }

    /// The rule of this name with these numbers, which two of them take.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is none of the four.
    pub fn named(name: &str, threshold: f64, center_weight: f64) -> Result<Self> {
        match name.parse()? {
            Select::LargestOver(_) => Ok(Select::LargestOver(threshold)),
            Select::CenterWeighted(_) => Ok(Select::CenterWeighted(center_weight)),
            other => Ok(other),
        }
    }
}

impl FromStr for Select {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "largest" => Ok(Select::Largest),
            "probability" => Ok(Select::Probability),
            "largest_over_threshold" => Ok(Select::LargestOver(0.9)),
            "center_weighted_size" => Ok(Select::CenterWeighted(2.0)),
            _ => {
                let problem = "there are largest, probability, largest_over_threshold and center_weighted_size";
                Err(Error::invalid(format!("selection method `{name}`"), problem))
            }
        }
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Select::Largest => "largest",
            Select::Probability => "probability",
            Select::LargestOver(_) => "largest_over_threshold",
            Select::CenterWeighted(_) => "center_weighted_size",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(bounds: [f64; 4], score: f64) -> Face {
        Face { bounds, score, landmarks: [[0.0; 2]; 5] }
    }

    #[test]
    fn each_rule_has_its_first() {
        let faces = [
            face([0.0, 0.0, 60.0, 60.0], 0.85),
            face([100.0, 100.0, 150.0, 150.0], 0.95),
            face([120.0, 120.0, 130.0, 130.0], 0.99),
        ];
        let order = |select: Select| select.order(&faces, 250, 250);
        assert_eq!(order(Select::Largest), [0, 1, 2]);
        assert_eq!(order(Select::Probability), [2, 1, 0]);
        assert_eq!(order(Select::LargestOver(0.9)), [1, 2]);
        assert_eq!(order(Select::LargestOver(0.99)), [0usize; 0]);
        assert_eq!(order(Select::CenterWeighted(2.0)), [1, 2, 0]);
        assert_eq!(Select::Largest.order(&[], 9, 9), [0usize; 0]);
        assert_eq!(Select::Largest.order(&[faces[1], faces[1]], 250, 250), [1, 0]);
    }

    #[test]
    fn names_go_there_and_back() {
        for select in [Select::Largest, Select::Probability, Select::LargestOver(0.5), Select::CenterWeighted(3.0)] {
            assert_eq!(Select::named(&select.to_string(), 0.5, 3.0).unwrap(), select);
        }
        assert!("smallest".parse::<Select>().unwrap_err().to_string().contains("there are largest"));
    }
}
