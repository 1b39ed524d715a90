//! Photographs shrunk to rows of planes, as OpenCV's `INTER_AREA` does bit for bit: see `image/resize_area.rs`.
//!
//! A photograph is turned over once, in bands of as many rows as a vector has lanes, so that the sums along a row of all
//! rows of a band are vectors, whatever the weights' places. A band's sums, turned back, are then weighed row by row.

mod across;
mod weigh;

use std::ops::Range;

use super::rows::RowsMut;
use crate::backend::cpu::Cpu;
use crate::backend::cpu::aligned::Aligned;
use crate::backend::cpu::simd::Isa;
use crate::backend::cpu::transpose::Transpose;
use crate::image::{AreaTable, Rgb8};
use across::Across;
use weigh::{Done, Weigh};

/// Bands of a photograph's rows, in which the same sample of all rows lies side by side: `[band][x][channel][row]`.
pub(crate) struct Turned {
    isa: Isa,
    width: usize,
    bytes: Vec<u8>,
}

impl Turned {
    /// Turns a photograph over.
    pub fn new(cpu: &Cpu, image: &Rgb8) -> Self {
        let (isa, samples) = (cpu.isa(), image.width() * 3);
        let lanes = isa.lanes();
        let mut bytes = vec![0; image.height().next_multiple_of(lanes) * samples];
        for (band, rows) in bytes.chunks_exact_mut(lanes * samples).zip(image.data().chunks(lanes * samples)) {
            for (lane, row) in rows.chunks_exact(samples).enumerate() {
                band[lane..].iter_mut().step_by(lanes).zip(row).for_each(|(to, &byte)| *to = byte);
            }
        }
        Turned { isa, width: image.width(), bytes }
    }

    fn band(&self, band: usize) -> &[u8] {
        let len = self.width * 3 * self.isa.lanes();
        &self.bytes[band * len..][..len]
    }
}

/// A photograph on its way to a smaller size, row after row.
pub(crate) struct Shrinking<'a> {
    photo: &'a Turned,
    x: &'a AreaTable,
    y: &'a AreaTable,
    centre: f32,
    scale: f32,
    /// A row's sums of one channel, whole vectors.
    width: usize,
    /// Which band `rows` is of.
    band: Option<usize>,
    /// A band's sums as they are made, and turned back: `[channel][width]` of each row.
    sums: Aligned,
    rows: Aligned,
    /// Of the row that is being made.
    row: Aligned,
}

impl<'a> Shrinking<'a> {
    /// To the size of the tables; levels become `(level - centre) * scale`.
    pub fn new(photo: &'a Turned, x: &'a AreaTable, y: &'a AreaTable, centre: f32, scale: f32) -> Self {
        let lanes = photo.isa.lanes();
        let width = x.len().next_multiple_of(lanes);
        let [sums, rows] = [(); 2].map(|()| Aligned::zeros(3 * width * lanes));
        Shrinking { photo, x, y, centre, scale, width, band: None, sums, rows, row: Aligned::zeros(3 * width) }
    }

    /// Writes these rows.
    pub fn fill(&mut self, rows: Range<usize>, to: &mut RowsMut) {
        assert_eq!((to.layout.channels, to.layout.width), (3, self.x.len()));
        let (lanes, table) = (self.photo.isa.lanes(), self.y);
        for (i, row) in rows.enumerate() {
            let mut taps = table.taps(row);
            let mut first = true;
            while let Some(tap) = taps.first() {
                let band = tap.source as usize / lanes;
                self.hold(band);
                let (here, later) = taps.split_at(taps.partition_point(|tap| tap.source as usize / lanes == band));
                let planes = [0, 1, 2].map(|channel| {
                    let at = to.layout.row(channel, to.first + i);
                    to.memory[at..].as_mut_ptr()
                });
                let weigh = Weigh {
                    rows: &self.rows,
                    width: self.width,
                    taps: here,
                    band: band * lanes,
                    sums: &mut self.row,
                    first,
                    done: later.is_empty().then_some(Done { planes, centre: self.centre, scale: self.scale }),
                };
                // SAFETY: the band's rows are held; whole vectors of a row end within the plane's slack, before
                // anything that is written already.
                unsafe { weigh.run(self.photo.isa) }
                (taps, first) = (later, false);
            }
        }
    }

    /// Makes the sums along the rows of a band, unless they are here.
    fn hold(&mut self, band: usize) {
        if self.band.replace(band) == Some(band) {
            return;
        }
        let lanes = self.photo.isa.lanes();
        let across = Across { band: self.photo.band(band), table: self.x, width: self.width, to: &mut self.sums };
        // SAFETY: a table's taps are samples of the photograph, and there is room for whole vectors.
        unsafe { across.run(self.photo.isa) }
        let turn = Transpose {
            from: self.sums.as_ptr(),
            from_row: lanes,
            to: self.rows.as_mut_ptr(),
            to_row: 3 * self.width,
            rows: 3 * self.width,
            columns: lanes,
        };
        // SAFETY: both have as many values as a band's rows have sums.
        unsafe { turn.run(self.photo.isa) }
    }
}
