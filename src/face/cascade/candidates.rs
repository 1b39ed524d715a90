//! What stands between the networks: candidates, their suppression, and the boxes handed on.
//!
//! Follows `detect_face` of the original step by step, in f64 where numpy computes in f64.

use super::Level;
use crate::face::{DetectOptions, Face};
use crate::ops::{BoxRegression, Nms, Overlap, Rerec};

/// A cell of P-Net's output that may be a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Proposal {
    /// Row and column of the cell.
    pub cell: [usize; 2],
    /// Probability of a face.
    pub score: f32,
    /// The cell's box offsets.
    pub offsets: [f32; 4],
    /// The offsets of the cell mirrored left to right. The original flips its offset maps when a level has exactly
    /// one candidate, and so reads these; equal boxes need the same.
    pub mirrored: [f32; 4],
}

/// Pixels between neighbouring cells, and pixels of a cell, in the level.
const STRIDE: usize = 2;
const CELL: usize = 12;

/// A box with its score, as the original keeps them.
pub(crate) type Scored = [f64; 5];

fn nms(threshold: f32, overlap: Overlap, boxes: &[Scored]) -> Vec<usize> {
    Nms { threshold, overlap }.pick(boxes)
}

fn corners(b: &Scored) -> [f64; 4] {
    [b[0], b[1], b[2], b[3]]
}

/// From P-Net's candidates, level by level, to whole-pixel squares for R-Net.
///
/// Candidates of a level come in the original's order: column by column, each from the top.
pub(crate) fn propose(levels: &[(Level, Vec<Proposal>)]) -> Vec<[i64; 4]> {
    let mut all: Vec<(Scored, [f64; 4])> = Vec::new();
    for (level, candidates) in levels {
        let single = candidates.len() == 1;
        let boxed: Vec<(Scored, [f64; 4])> = candidates
            .iter()
            .map(|c| {
                let [row, column] = c.cell;
                let to_photo = |cell: usize, last: usize| ((STRIDE * cell + last) as f64 / level.scale).trunc();
                let b = [to_photo(column, 1), to_photo(row, 1), to_photo(column, CELL), to_photo(row, CELL)];
                let offsets = if single { c.mirrored } else { c.offsets };
                ([b[0], b[1], b[2], b[3], c.score.into()], offsets.map(f64::from))
            })
            .collect();
        let scored: Vec<Scored> = boxed.iter().map(|(b, _)| *b).collect();
        all.extend(nms(0.5, Overlap::Union, &scored).into_iter().map(|i| boxed[i]));
    }
    let scored: Vec<Scored> = all.iter().map(|(b, _)| *b).collect();
    let kept = nms(0.7, Overlap::Union, &scored);
    kept.into_iter()
        .map(|i| {
            let moved = BoxRegression { inclusive: false }.apply(corners(&all[i].0), all[i].1);
            Rerec.apply(moved).map(|x| x.trunc() as i64)
        })
        .collect()
}

/// From R-Net's outputs on `boxes` to whole-pixel squares for O-Net.
pub(crate) fn refine(
    boxes: &[[i64; 4]],
    scores: &[f32],
    offsets: &[[f32; 4]],
    options: &DetectOptions,
) -> Vec<[i64; 4]> {
    let passed: Vec<usize> = (0..boxes.len()).filter(|&i| scores[i] > options.thresholds[1]).collect();
    let scored: Vec<Scored> = passed.iter().map(|&i| with_score(boxes[i], scores[i])).collect();
    let kept = nms(0.7, Overlap::Union, &scored);
    kept.into_iter()
        .map(|k| {
            let moved = BoxRegression { inclusive: true }.apply(corners(&scored[k]), offsets[passed[k]].map(f64::from));
            Rerec.apply(moved).map(|x| x.trunc() as i64)
        })
        .collect()
}

/// From O-Net's outputs on `boxes` to faces.
pub(crate) fn finish(
    boxes: &[[i64; 4]],
    scores: &[f32],
    offsets: &[[f32; 4]],
    landmarks: &[[f32; 10]],
    options: &DetectOptions,
) -> Vec<Face> {
    let passed: Vec<usize> = (0..boxes.len()).filter(|&i| scores[i] > options.thresholds[2]).collect();
    let moved: Vec<Scored> = passed
        .iter()
        .map(|&i| {
            let [x1, y1, x2, y2] =
                BoxRegression { inclusive: true }.apply(boxes[i].map(|x| x as f64), offsets[i].map(f64::from));
            [x1, y1, x2, y2, scores[i].into()]
        })
        .collect();
    let kept = nms(0.7, Overlap::Min, &moved);
    kept.into_iter()
        .map(|k| {
            let b = boxes[passed[k]].map(|x| x as f64);
            let extent = [b[2] - b[0] + 1.0, b[3] - b[1] + 1.0];
            let points = landmarks[passed[k]];
            // The original keeps landmarks in an f32 array.
            let at = |i: usize, axis: usize| {
                f64::from((extent[axis] * f64::from(points[i + 5 * axis]) + b[axis] - 1.0) as f32)
            };
            Face {
                bounds: corners(&moved[k]),
                score: moved[k][4],
                landmarks: std::array::from_fn(|i| [at(i, 0), at(i, 1)]),
            }
        })
        .collect()
}

fn with_score(b: [i64; 4], score: f32) -> Scored {
    let [x1, y1, x2, y2] = b.map(|x| x as f64);
    [x1, y1, x2, y2, score.into()]
}
