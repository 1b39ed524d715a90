//! dlib's shape predictors: what finds landmarks in a box, as `dlib::shape_predictor` writes it.
//!
//! The file has, in this order: a version, 1; the mean shape, a column of x and y by turns, in units of the box; the
//! forests, a list of trees for each stage; and for each stage the pixels that its trees compare, first the landmarks
//! that they go with, then how far off each they are. A tree is its inner nodes, level by level (the pixels `a` and `b`,
//! and by how much `a` must be brighter), and what each of its leaves adds to the shape.

use std::ops::Range;

use super::dlib::Numbers;
use super::{Parsed, damaged};

/// The only version that there is.
const VERSION: i64 = 1;
/// Units of the box. A leaf moves landmarks by fractions of one: this bound keeps all sums finite.
const FARTHEST: f32 = 1e6;
/// Levels of a tree. Published ones have 4.
const DEEPEST: u32 = 24;
/// More landmarks, and more stages, than any model has.
const MOST_POINTS: usize = 1 << 16;
const MOST_STAGES: usize = 1 << 10;

/// A cascade of regression trees, whose indices were checked.
#[derive(Debug)]
pub(crate) struct ShapeTrees {
    /// Where landmarks are before anything is seen, in units of the box.
    pub mean: Vec<[f32; 2]>,
    pub stages: Vec<Stage>,
}

/// Trees that see one set of pixels.
#[derive(Debug)]
pub(crate) struct Stage {
    pub pixels: Vec<Pixel>,
    pub trees: Vec<Tree>,
    /// The inner nodes of all trees.
    pub splits: Vec<Split>,
    /// The leaves of all trees, of as many values as the shape has.
    pub leaves: Vec<f32>,
}

/// A pixel beside a landmark.
#[derive(Debug)]
pub(crate) struct Pixel {
    pub landmark: usize,
    /// In units of the box.
    pub offset: [f32; 2],
}

/// A full tree's part of its stage's nodes and leaves.
#[derive(Debug)]
pub(crate) struct Tree {
    pub splits: Range<usize>,
    /// Of its first leaf among all leaves, in values.
    pub leaves: usize,
}

/// Whether one pixel is brighter than another.
#[derive(Debug)]
pub(crate) struct Split {
    pub a: u32,
    pub b: u32,
    pub threshold: f32,
}

/// How a shape predictor begins: its version, and a matrix of a number of rows and one column.
pub(super) fn is(head: &[u8]) -> bool {
    let mut numbers = Numbers::new(head);
    let mut begin = || Ok::<_, String>((numbers.integer()?, numbers.column()?));
    begin().is_ok_and(|(version, rows)| version == VERSION && rows > 0)
}

impl ShapeTrees {
    /// Reads a whole file.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        if !is(bytes) {
            return Err(no_predictor(bytes));
        }
        ShapeTrees::read(bytes).map_err(|problem| damaged("shape predictor", problem))
    }

    fn read(bytes: &[u8]) -> Parsed<Self> {
        let numbers = &mut Numbers::new(bytes);
        numbers.integer()?;
        let mean = mean(numbers)?;
        let stages = numbers.length(MIN_LIST)?;
        if stages > MOST_STAGES {
            return Err(format!("it has {stages} stages"));
        }
        let mut stages = (0..stages).map(|_| stage(numbers, 2 * mean.len())).collect::<Parsed<Vec<Stage>>>()?;
        let landmarks = lists(numbers, stages.len(), "landmarks of pixels", |numbers| numbers.whole())?;
        let offsets = lists(numbers, stages.len(), "offsets of pixels", |numbers| {
            Ok([bounded(numbers.float()?)?, bounded(numbers.float()?)?])
        })?;
        if !numbers.is_at_end() {
            return Err("more bytes follow its end".into());
        }
        for ((stage, landmarks), offsets) in stages.iter_mut().zip(landmarks).zip(offsets) {
            stage.see(landmarks, offsets, mean.len())?;
        }
        Ok(ShapeTrees { mean, stages })
    }
}

/// Bytes of the shortest list, and of the shortest float.
const MIN_LIST: usize = 2;
const MIN_FLOAT: usize = 4;

fn mean(numbers: &mut Numbers) -> Parsed<Vec<[f32; 2]>> {
    let rows = numbers.column()?;
    if rows % 2 != 0 || rows / 2 > MOST_POINTS {
        return Err(format!("its mean shape has {rows} values"));
    }
    let mean: Vec<[f32; 2]> =
        (0..rows / 2).map(|_| Ok([bounded(numbers.float()?)?, bounded(numbers.float()?)?])).collect::<Parsed<_>>()?;
    match mean.len() > 1 && mean.iter().all(|point| *point == mean[0]) {
        true => Err("its mean shape is one point".into()),
        false => Ok(mean),
    }
}

fn bounded(value: f32) -> Parsed<f32> {
    match value.abs() <= FARTHEST {
        true => Ok(value),
        false => Err(format!("{value} is no place beside a face, in units of its box")),
    }
}

/// The trees of a stage, whose leaves have this many values; its pixels come later.
fn stage(numbers: &mut Numbers, values: usize) -> Parsed<Stage> {
    let n = numbers.length(2 * MIN_LIST)?;
    let mut stage = Stage { pixels: Vec::new(), trees: Vec::new(), splits: Vec::new(), leaves: Vec::new() };
    for _ in 0..n {
        let first = stage.splits.len();
        for _ in 0..numbers.length(2 * MIN_LIST + MIN_FLOAT)? {
            stage.splits.push(Split { a: index(numbers)?, b: index(numbers)?, threshold: numbers.float()? });
        }
        let splits = first..stage.splits.len();
        let leaves = numbers.length(2 * MIN_LIST)?;
        if leaves != splits.len() + 1 || !leaves.is_power_of_two() || leaves.ilog2() > DEEPEST {
            return Err(format!("a tree of {} nodes has {leaves} leaves", splits.len()));
        }
        stage.trees.push(Tree { splits, leaves: stage.leaves.len() });
        for _ in 0..leaves {
            let rows = numbers.column()?;
            if rows != values {
                return Err(format!("a leaf has {rows} values, where its shape has {values}"));
            }
            for _ in 0..rows {
                stage.leaves.push(bounded(numbers.float()?)?);
            }
        }
    }
    Ok(stage)
}

fn index(numbers: &mut Numbers) -> Parsed<u32> {
    let i = numbers.whole()?;
    u32::try_from(i).map_err(|_| format!("{i} is no pixel's index"))
}

/// A list for each stage.
fn lists<T>(
    numbers: &mut Numbers,
    stages: usize,
    what: &str,
    mut read: impl FnMut(&mut Numbers) -> Parsed<T>,
) -> Parsed<Vec<Vec<T>>> {
    let n = numbers.length(MIN_LIST)?;
    if n != stages {
        return Err(format!("it has {what} for {n} stages, and {stages} stages"));
    }
    let mut list = |_| {
        let n = numbers.length(MIN_LIST)?;
        (0..n).map(|_| read(numbers)).collect()
    };
    (0..n).map(&mut list).collect()
}

impl Stage {
    /// Takes its pixels, and checks that its trees look at no others.
    fn see(&mut self, landmarks: Vec<usize>, offsets: Vec<[f32; 2]>, points: usize) -> Parsed<()> {
        let n = landmarks.len();
        if n != offsets.len() {
            return Err(format!("a stage has {n} pixels and {} offsets", offsets.len()));
        }
        if let Some(landmark) = landmarks.iter().find(|&&landmark| landmark >= points) {
            return Err(format!("a pixel goes with landmark {landmark} of {points}"));
        }
        if let Some(i) = self.splits.iter().flat_map(|split| [split.a, split.b]).find(|&i| i as usize >= n) {
            return Err(format!("a tree compares pixel {i} of {n}"));
        }
        self.pixels = landmarks.into_iter().zip(offsets).map(|(landmark, offset)| Pixel { landmark, offset }).collect();
        Ok(())
    }
}

/// What a file is that is none.
fn no_predictor(bytes: &[u8]) -> String {
    let mut numbers = Numbers::new(bytes);
    match (bytes, numbers.integer()) {
        ([], _) => "is empty: fetch it again".into(),
        // A version, and the length of a name such as `loss_mmod_`.
        (_, Ok(1..=9)) => match bytes.get(4..) {
            Some(name) if name.starts_with(b"loss_") => {
                "is a network of dlib's, and no shape predictor: give shape_predictor_68_face_landmarks.dat".into()
            }
            _ => "is no shape predictor of dlib's, or damaged at its start".into(),
        },
        _ => "is no shape predictor of dlib's: give shape_predictor_68_face_landmarks.dat, unpacked".to_owned(),
    }
}
