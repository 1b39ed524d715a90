//! A band's rows, weighed and added up.

use crate::backend::cpu::simd::{Isa, Simd, per_isa};
use crate::image::Tap;

/// Adds rows of a band up.
pub(super) struct Weigh<'a> {
    /// The band's rows: `[row][channel][width]`.
    pub rows: &'a [f32],
    /// Values of one channel: whole vectors.
    pub width: usize,
    /// Which rows of the photograph count, all of the band, and how much.
    pub taps: &'a [Tap],
    /// The band's first row.
    pub band: usize,
    /// The sums, `[channel][width]`.
    pub sums: &'a mut [f32],
    /// Whether sums begin here.
    pub first: bool,
    /// What is done with the sums, where they are whole.
    pub done: Option<Done>,
}

/// Where whole sums go: rounded to levels as bytes are, half to even, and `(level - centre) * scale`.
pub(super) struct Done {
    /// The row of each channel.
    pub planes: [*mut f32; 3],
    pub centre: f32,
    pub scale: f32,
}

impl Weigh<'_> {
    /// Runs it with the vectors of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; rows and sums are there, and planes writable, for whole vectors.
    pub unsafe fn run(self, isa: Isa) {
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Weigh);

/// Added to a number below 2^22, it leaves no room for a fraction: the sum is rounded half to even.
const ROUND: f32 = 12_582_912.0;

/// # Safety
/// As [`Weigh::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(work: Weigh) {
    let row = 3 * work.width;
    for at in (0..row).step_by(V::LANES) {
        // SAFETY: vectors of rows, sums and planes are there, as the caller promises.
        unsafe {
            let sums = work.sums.as_mut_ptr().add(at);
            let mut sum = V::splat(0.0);
            for (i, tap) in work.taps.iter().enumerate() {
                let of_row = (tap.source as usize - work.band) * row + at;
                let weighed = V::load(work.rows.as_ptr().add(of_row)).mul(V::splat(tap.weight));
                sum = match i {
                    0 if work.first => weighed,
                    0 => V::load(sums).add(weighed),
                    _ => sum.add(weighed),
                };
            }
            match &work.done {
                None => sum.store(sums),
                Some(Done { planes, centre, scale }) => {
                    let within = sum.max(V::splat(0.0)).min(V::splat(255.0));
                    let level = within.add(V::splat(ROUND)).sub(V::splat(ROUND));
                    let value = level.sub(V::splat(*centre)).mul(V::splat(*scale));
                    value.store(planes[at / work.width].add(at % work.width));
                }
            }
        }
    }
}
