//! The first network: every level of a photograph's pyramid, in strips of a few rows.

use std::ops::Range;

use crate::backend::cpu::Cpu;
use crate::backend::cpu::planes::{Planes, Rows, RowsMut, Shrinking, Turned};
use crate::face::cascade::{Level, Proposal};
use crate::graph::Source;
use crate::image::{AreaResize, Method, Rgb8};
use crate::ops::{Op, Softmax};
use crate::{Error, Graph, Result};

/// Rows of cells that one thread takes of a level, at most: the rows that two of them share are few beside.
const BAND: usize = 128;
/// The outputs' channels: two logits (no face, face), and four offsets.
const LOGITS: [usize; 2] = [0, 1];
const OFFSETS: [usize; 4] = [2, 3, 4, 5];

/// The proposal network, and what it takes for a face.
pub(super) struct Proposer {
    cpu: Cpu,
    planes: Planes,
    threshold: f32,
    /// Where the logits differ by less, the probability need not be computed.
    difference: f32,
}

/// A part of a level: so many rows of cells.
pub(super) struct Band {
    /// Which level.
    pub level: usize,
    cells: Range<usize>,
    /// Whether it is the level's last.
    last: bool,
}

/// A photograph as levels are made of it.
pub(super) struct Photo<'a> {
    image: &'a Rgb8,
    turned: Turned,
}

impl Proposer {
    /// # Errors
    /// [`Error::Invalid`] for a network that is no chain of layers up to logits and offsets.
    pub fn new(cpu: &Cpu, pnet: &Graph, threshold: f32) -> Result<Self> {
        let outputs = match *pnet.outputs() {
            [probability, offsets] => match &pnet.nodes()[probability.index()].source {
                Source::Op(Op::Softmax(_), inputs) => Some([inputs[0], offsets]),
                _ => None,
            },
            _ => None,
        };
        let problem = "expected two outputs, the first of them probabilities by softmax";
        let outputs = outputs.ok_or_else(|| Error::invalid("proposal network", problem))?;
        let planes = Planes::new(cpu, pnet, &outputs)?;
        if (planes.c_in(), planes.c_out()) != (3, LOGITS.len() + OFFSETS.len()) {
            let problem = "expected 3 channels in, 2 logits and 4 offsets out";
            return Err(Error::invalid("proposal network", problem));
        }
        // The odds that the threshold stands for, with room for rounding whatever they are.
        let odds = f64::from(threshold) / (1.0 - f64::from(threshold) + 1e-6);
        Ok(Proposer { cpu: cpu.clone(), planes, threshold, difference: (odds.ln() - 1.0) as f32 })
    }

    /// The photograph, ready for its levels.
    pub fn photo<'a>(&self, image: &'a Rgb8) -> Photo<'a> {
        Photo { image, turned: Turned::new(&self.cpu, image) }
    }

    /// The parts of all levels, each for one thread.
    pub fn bands(&self, levels: &[Level]) -> Vec<Band> {
        let bands = levels.iter().enumerate().flat_map(|(i, level)| {
            let (field, step) = self.planes.field();
            let rows = (level.height + step).saturating_sub(field).div_ceil(step);
            (0..rows).step_by(BAND).map(move |from| {
                let to = rows.min(from + BAND);
                Band { level: i, cells: from..to, last: to == rows }
            })
        });
        bands.collect()
    }

    /// The candidates of a part of a level.
    pub fn proposals(&self, photo: &Photo, level: &Level, band: &Band) -> Vec<Proposal> {
        let (field, step) = self.planes.field();
        let first = step * band.cells.start;
        // The last band takes what is left, so that the pool meets the true border.
        let end = if band.last { level.height } else { step * (band.cells.end - 1) + field };
        let mut found = Vec::new();
        let mut read = |rows: Rows| self.collect(&rows, band.cells.start, &mut found);
        let (source, size) = ((photo.image.width(), photo.image.height()), (level.width, level.height));
        let extents = [end - first, level.width];
        let resize = AreaResize::new(source, size);
        if let Method::Area { x, y } = resize.method() {
            let mut shrinking = Shrinking::new(&photo.turned, x, y, super::CENTRE, super::SCALE);
            let fill = |rows: Range<usize>, to: &mut RowsMut| {
                shrinking.fill(first + rows.start..first + rows.end, to);
            };
            self.planes.run(extents, fill, &mut read);
        } else {
            let mut pixels = vec![0; size.0 * size.1 * 3];
            resize.u8(photo.image.data(), 3, &mut pixels);
            let fill = |rows: Range<usize>, to: &mut RowsMut| {
                for (i, row) in rows.enumerate() {
                    let row = &pixels[(first + row) * size.0 * 3..][..size.0 * 3];
                    for channel in 0..3 {
                        let samples = row[channel..].iter().step_by(3).map(|&x| f32::from(x));
                        super::normalize(samples, to.row(channel, i));
                    }
                }
            };
            self.planes.run(extents, fill, &mut read);
        }
        found
    }

    /// Notes the cells that may be faces; `first` is the band's first row of cells.
    fn collect(&self, rows: &Rows, first: usize, found: &mut Vec<Proposal>) {
        for row in rows.rows() {
            let [no_face, face] = LOGITS.map(|channel| rows.row(channel, row));
            for (column, (&no_face, &face)) in no_face.iter().zip(face).enumerate() {
                if face - no_face < self.difference {
                    continue;
                }
                let mut probabilities = [no_face, face];
                Softmax::row(&mut probabilities);
                let score = probabilities[1];
                if score >= self.threshold {
                    let offsets = |column: usize| OFFSETS.map(|channel| rows.row(channel, row)[column]);
                    let mirrored = offsets(rows.width() - 1 - column);
                    found.push(Proposal { cell: [first + row, column], score, offsets: offsets(column), mirrored });
                }
            }
        }
    }
}
