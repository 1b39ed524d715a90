//! The same face from frame to frame: by where it is, and by its embedding.
//!
//! Frame by frame, faces go to tracks in two rounds. In the first a face can continue a track whose last box it overlaps,
//! where the embedding is near enough to be the same person's: a cut to somebody else at the same place begins a track. In
//! the second a face that moved farther, or was gone for a while, joins a track whose embedding is nearer still. In both
//! the best pair is taken first, of equals that of the older track and the earlier face; pairs that compete are rare, so
//! that nothing is gained by an assignment that is best on the whole.
//!
//! ```
//! use warpface::face::{Embeddings, Face};
//! use warpface::vectors::tracks::{TrackOptions, Tracker};
//!
//! let face = |x: f64| Face { bounds: [x, 0.0, x + 50.0, 60.0], score: 0.99, landmarks: [[0.0; 2]; 5] };
//! let mut tracker = Tracker::new(TrackOptions::default())?;
//! tracker.add(0, &[face(10.0)], &Embeddings::new(2, vec![1.0, 0.0]))?;
//! let placed = tracker.add(1, &[face(14.0)], &Embeddings::new(2, vec![0.96, 0.28]))?;
//! assert_eq!(placed[0].track, 0);
//! assert_eq!(tracker.finish()[0].faces, 2);
//! # Ok::<(), warpface::Error>(())
//! ```

use std::cmp::Ordering;

use super::search::squared_distance;
use crate::error::Field;
use crate::face::{Embeddings, Face};
use crate::{Error, Result};

/// What makes faces of different frames one track. Distances are squared Euclidean, 0 to 4, from a track's mean embedding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackOptions {
    /// How much of their union two boxes must share to be the same face moved on, 0 to 1.
    pub overlap: f64,
    /// How far an embedding may be where boxes overlap: the distance within which a model takes two photographs for one
    /// person.
    pub distance: f64,
    /// How far it may be where they do not.
    pub rejoin_distance: f64,
    /// For how many of the frames that are looked at a face may be gone.
    pub gap: usize,
}

impl Default for TrackOptions {
    fn default() -> Self {
        TrackOptions { overlap: 0.3, distance: 1.2, rejoin_distance: 0.8, gap: 25 }
    }
}

/// Where a face went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its track, counted from 0 in the order in which tracks begin.
    pub track: usize,
    /// Whether it is the best of its track so far: of the largest product of score and side.
    pub is_best: bool,
}

/// A face through frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The first frame.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// In how many frames it was seen.
    pub faces: usize,
    /// The frame of the best face.
    pub best_frame: usize,
    /// The best face.
    pub best: Face,
    /// The mean of the embeddings, of length 1.
    pub embedding: Vec<f32>,
}

struct Open {
    track: Track,
    bounds: [f64; 4],
    quality: f64,
    sum: Vec<f64>,
    /// When it was seen last, counted in frames that were looked at.
    seen: usize,
}

/// Puts faces into tracks.
pub struct Tracker {
    options: TrackOptions,
    tracks: Vec<Open>,
    frame: Option<usize>,
    /// How many frames were looked at.
    frames: usize,
}

impl Tracker {
    /// One that has seen nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] names an option that makes no sense.
    pub fn new(options: TrackOptions) -> Result<Self> {
        if !(0.0..=1.0).contains(&options.overlap) {
            return Err(Error::invalid(Field("overlap"), format!("{} is no share, 0 to 1", options.overlap)));
        }
        let distances = [("distance", options.distance), ("rejoin_distance", options.rejoin_distance)];
        match distances.into_iter().find(|(_, distance)| !(distance.is_finite() && *distance >= 0.0)) {
            Some((name, distance)) => {
                Err(Error::invalid(Field(name), format!("{distance} is no squared distance, from 0")))
            }
            None => Ok(Tracker { options, tracks: Vec::new(), frame: None, frames: 0 }),
        }
    }

    /// The faces of a frame, each with its embedding; frames come in order, and some may be left out.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a frame that is not after the last one, numbers of faces and embeddings that differ, and
    /// embeddings of another length than the first, or that are not finite.
    pub fn add(&mut self, frame: usize, faces: &[Face], embeddings: &Embeddings) -> Result<Vec<Placed>> {
        self.check(frame, faces, embeddings)?;
        self.frame = Some(frame);
        self.frames += 1;
        let mut of_face: Vec<Option<usize>> = vec![None; faces.len()];
        let mut taken = vec![false; self.tracks.len()];
        for overlapping in [true, false] {
            for (_, track, face) in self.pairs(faces, embeddings, overlapping) {
                if !taken[track] && of_face[face].is_none() {
                    taken[track] = true;
                    of_face[face] = Some(track);
                }
            }
        }
        let place = |(i, track): (usize, Option<usize>)| self.place(frame, &faces[i], embeddings.row(i), track);
        Ok(of_face.into_iter().enumerate().map(place).collect())
    }

    fn check(&self, frame: usize, faces: &[Face], embeddings: &Embeddings) -> Result<()> {
        let wrong = |problem: String| Err(Error::invalid("a frame's faces", problem));
        if self.frame.is_some_and(|last| frame <= last) {
            return wrong(format!("frame {frame} does not come after {}", self.frame.unwrap_or_default()));
        }
        if faces.len() != embeddings.len() {
            return wrong(format!("{} faces, and {} embeddings", faces.len(), embeddings.len()));
        }
        if embeddings.as_slice().iter().any(|x| !x.is_finite()) {
            return wrong(format!("an embedding of frame {frame} is no number"));
        }
        let dim = self.tracks.first().map_or(embeddings.dim(), |track| track.sum.len());
        if !embeddings.is_empty() && embeddings.dim() != dim {
            return wrong(format!("embeddings of {} values after others of {dim}", embeddings.dim()));
        }
        Ok(())
    }

    /// The tracks and faces that may go together, the best first: those whose boxes overlap, or the others.
    fn pairs(&self, faces: &[Face], embeddings: &Embeddings, overlapping: bool) -> Vec<(f64, usize, usize)> {
        let options = &self.options;
        let mut pairs = Vec::new();
        for (i, open) in self.tracks.iter().enumerate().filter(|(_, open)| self.frames - open.seen <= options.gap + 1) {
            for (j, face) in faces.iter().enumerate() {
                let shared = overlap(&open.bounds, &face.bounds);
                let overlaps = shared > 0.0 && shared >= options.overlap;
                if overlaps != overlapping {
                    continue;
                }
                let distance = f64::from(squared_distance(&open.track.embedding, embeddings.row(j)));
                if overlapping && distance <= options.distance {
                    // Both count alike: all of the overlap, and all of the distance.
                    pairs.push((distance / options.distance.max(f64::MIN_POSITIVE) - shared, i, j));
                } else if !overlapping && distance <= options.rejoin_distance {
                    pairs.push((distance, i, j));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then((a.1, a.2).cmp(&(b.1, b.2))));
        pairs
    }

    /// Puts a face into its track, or begins one.
    fn place(&mut self, frame: usize, face: &Face, embedding: &[f32], track: Option<usize>) -> Placed {
        let [x1, y1, x2, y2] = face.bounds;
        let quality = face.score * (x2 - x1).min(y2 - y1).max(0.0);
        let Some(at) = track else {
            let track = Track {
                first: frame,
                last: frame,
                faces: 1,
                best_frame: frame,
                best: *face,
                embedding: embedding.to_vec(),
            };
            let sum = embedding.iter().map(|&x| f64::from(x)).collect();
            self.tracks.push(Open { track, bounds: face.bounds, quality, sum, seen: self.frames });
            return Placed { track: self.tracks.len() - 1, is_best: true };
        };
        let open = &mut self.tracks[at];
        (open.track.last, open.seen) = (frame, self.frames);
        open.track.faces += 1;
        open.bounds = face.bounds;
        open.sum.iter_mut().zip(embedding).for_each(|(sum, &x)| *sum += f64::from(x));
        let length = open.sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > 0.0 {
            open.track.embedding = open.sum.iter().map(|x| (x / length) as f32).collect();
        }
        let is_best = quality > open.quality;
        if is_best {
            (open.quality, open.track.best_frame, open.track.best) = (quality, frame, *face);
        }
        Placed { track: at, is_best }
    }

    /// All tracks, in the order in which they began.
    pub fn finish(self) -> Vec<Track> {
        self.tracks.into_iter().map(|open| open.track).collect()
    }
}

/// The share of two boxes' union that both cover.
fn overlap(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let area = |x: &[f64; 4]| (x[2] - x[0]).max(0.0) * (x[3] - x[1]).max(0.0);
    let both = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    let both = area(&both);
    let either = area(a) + area(b) - both;
    if either > 0.0 { both / either } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f64, score: f64) -> Face {
        Face { bounds: [x, 0.0, x + 40.0, 50.0], score, landmarks: [[0.0; 2]; 5] }
    }

    /// Three people's embeddings, far from each other.
    fn embeddings(people: &[usize]) -> Embeddings {
        Embeddings::new(3, people.iter().flat_map(|&p| (0..3).map(move |i| f32::from(u8::from(i == p)))).collect())
    }

    fn tracker(gap: usize) -> Tracker {
        Tracker::new(TrackOptions { gap, ..TrackOptions::default() }).unwrap()
    }

    fn add(tracker: &mut Tracker, frame: usize, faces: &[(f64, usize)]) -> Vec<usize> {
        let people: Vec<usize> = faces.iter().map(|face| face.1).collect();
        let faces: Vec<Face> = faces.iter().map(|&(x, _)| face(x, 0.9)).collect();
        tracker.add(frame, &faces, &embeddings(&people)).unwrap().iter().map(|placed| placed.track).collect()
    }

    #[test]
    fn people_who_pass_each_other_keep_their_tracks() {
        let mut tracker = tracker(5);
        for frame in 0..20 {
            let x = 10.0 * frame as f64;
            // The order in which a detector lists them changes.
            let mut faces = vec![(x, 0), (190.0 - x, 1)];
            let mut expected = vec![0, 1];
            if frame % 2 == 1 {
                faces.reverse();
                expected.reverse();
            }
            assert_eq!(add(&mut tracker, frame, &faces), expected, "frame {frame}");
        }
        let tracks = tracker.finish();
        assert_eq!(
            tracks.iter().map(|track| (track.first, track.last, track.faces)).collect::<Vec<_>>(),
            [(0, 19, 20); 2]
        );
    }

    #[test]
    fn somebody_else_at_the_same_place_is_another_track() {
        let mut tracker = tracker(5);
        assert_eq!(add(&mut tracker, 0, &[(0.0, 0)]), [0]);
        assert_eq!(add(&mut tracker, 1, &[(0.0, 1)]), [1]);
        // The first is back elsewhere.
        assert_eq!(add(&mut tracker, 2, &[(300.0, 0), (0.0, 1)]), [0, 1]);
    }

    #[test]
    fn who_was_gone_too_long_is_new() {
        let mut within = tracker(3);
        add(&mut within, 0, &[(0.0, 0)]);
        (1..4).for_each(|frame| assert!(add(&mut within, frame, &[]).is_empty()));
        assert_eq!(add(&mut within, 4, &[(200.0, 0)]), [0]);
        // Frames that were not looked at do not count.
        assert_eq!(add(&mut within, 90, &[(200.0, 0)]), [0]);
        (91..95).for_each(|frame| assert!(add(&mut within, frame, &[]).is_empty()));
        assert_eq!(add(&mut within, 95, &[(200.0, 0)]), [1]);
    }

    #[test]
    fn the_best_face_is_large_and_sure_and_the_embedding_is_the_mean() {
        let mut tracker = tracker(3);
        let best = |tracker: &mut Tracker, frame, face: Face, row: [f32; 2]| {
            tracker.add(frame, &[face], &Embeddings::new(2, row.to_vec())).unwrap()[0].is_best
        };
        assert!(best(&mut tracker, 0, face(0.0, 0.8), [1.0, 0.0]));
        assert!(!best(&mut tracker, 1, face(0.0, 0.7), [0.8, 0.6]));
        let large = Face { bounds: [0.0, 0.0, 60.0, 60.0], ..face(0.0, 0.8) };
        assert!(best(&mut tracker, 2, large, [0.8, -0.6]));
        let track = &tracker.finish()[0];
        assert_eq!((track.best_frame, track.best.bounds[2]), (2, 60.0));
        assert!((track.embedding[0] - 1.0).abs() < 1e-6 && track.embedding[1].abs() < 1e-6);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let options = TrackOptions::default();
        assert!(Tracker::new(TrackOptions { overlap: 1.5, ..options }).err().unwrap().to_string().contains("overlap"));
        assert!(Tracker::new(TrackOptions { rejoin_distance: f64::NAN, ..options }).is_err());
        let mut tracker = tracker(3);
        assert!(tracker.add(0, &[face(0.0, 1.0)], &Embeddings::default()).is_err());
        add(&mut tracker, 3, &[(0.0, 0)]);
        assert!(tracker.add(3, &[], &Embeddings::default()).unwrap_err().to_string().contains("after 3"));
        assert!(tracker.add(4, &[face(0.0, 1.0)], &Embeddings::new(2, vec![1.0, 0.0])).is_err());
        assert!(tracker.add(4, &[face(0.0, 1.0)], &Embeddings::new(3, vec![f32::NAN; 3])).is_err());
        // Boxes without an inside overlap nothing.
        assert_eq!(overlap(&[0.0; 4], &[0.0; 4]), 0.0);
        assert_eq!(overlap(&[0.0, 0.0, 2.0, 2.0], &[1.0, 0.0, 3.0, 2.0]), 1.0 / 3.0);
    }
}
