//! What places inside an image of three channels give, a step of columns at once: the same bytes as pixel by pixel, by loops
//! without borders and branches, which the compiler vectorizes.

use super::{GRID_BITS, ONE, STEP, WHOLE};

/// Bytes read at once of a row: a pixel, its right neighbour, and two of the next.
const READ: usize = 8;
/// From here on places are multiples of 2^-22, so that [`between`] and [`Inside::exact`] round where fused sums do.
const LEAST: f32 = 2.0;
/// Up to here [`parts`] tells whole numbers.
const LARGEST: f32 = (1 << 22) as f32;

/// The places of a step.
pub(super) struct Step<T> {
    /// Which of them lie so far inside that they are computed here. What the others say means nothing, but may be read.
    within: [bool; STEP],
    /// Where the upper left of four pixels begins.
    at: [u32; STEP],
    /// Shares of the right pixels and of the lower ones.
    across: [T; STEP],
    down: [T; STEP],
}

/// Of the four pixels at each place red, green, blue and a byte that means nothing.
struct Corners {
    upper_left: [[u8; 4]; STEP],
    upper_right: [[u8; 4]; STEP],
    lower_left: [[u8; 4]; STEP],
    lower_right: [[u8; 4]; STEP],
}

/// An image of three channels.
pub(super) struct Inside<'a> {
    /// Its rows but the last, and but the first: at one index are a pixel and the one below. Both are as long, so that one
    /// check of an index does for both.
    upper: &'a [u8],
    lower: &'a [u8],
    height: usize,
    width: usize,
}

impl<'a> Inside<'a> {
    /// Of `[height, width, 3]`, unless it is empty or too large for indices of 32 bits.
    pub fn new(data: &'a [u8], height: usize, width: usize) -> Option<Self> {
        u32::try_from(data.len()).ok()?;
        let lower = data.get(width * 3..)?;
        Some(Inside { upper: &data[..lower.len()], lower, height, width })
    }

    /// The step at `x` and `y`, for OpenCV 5.0's arithmetic.
    #[inline(always)]
    pub fn exact_step(&self, x: &[f32; STEP], y: &[f32; STEP]) -> Step<f32> {
        let end = |extent: usize, more: usize| (extent.saturating_sub(more) as f32).min(LARGEST);
        let (right, bottom) = (end(self.width, 2), end(self.height, 1));
        let mut step = Step { within: [false; STEP], at: [0; STEP], across: [0.0; STEP], down: [0.0; STEP] };
        for i in 0..STEP {
            let within = (x[i] >= LEAST) & (x[i] < right) & (y[i] >= LEAST) & (y[i] < bottom);
            let ((left, across), (top, down)) = (parts(x[i]), parts(y[i]));
            step.within[i] = within;
            step.at[i] = if within { self.at(left, top) } else { 0 };
            (step.across[i], step.down[i]) = (across, down);
        }
        step
    }

    /// Computes pixels of a step by OpenCV 5.0's arithmetic, and says which.
    pub fn exact(&self, step: &Step<f32>, pixels: &mut [u8; 3 * STEP]) -> [bool; STEP] {
        if step.within == [false; STEP] {
            return step.within;
        }
        let corners = self.corners(&step.at);
        let mut packed = [0; STEP];
        for (i, packed) in packed.iter_mut().enumerate() {
            let across = split(step.across[i]);
            let upper = between(corners.upper_left[i], corners.upper_right[i], across);
            let lower = between(corners.lower_left[i], corners.lower_right[i], across);
            let down = f64::from(step.down[i]);
            for c in 0..3 {
                // Multiples of 2^-44 up to 2^8, which f64 holds: the sum is rounded once, to f32.
                let sample = f64::from(upper[c]) + f64::from(lower[c] - upper[c]) * down;
                *packed |= ((sample as f32 + WHOLE).to_bits() & 0xff) << (8 * c);
            }
        }
        keep_three(packed.map(u32::to_le_bytes), pixels);
        step.within
    }

    /// The step at places in parts of the grid, for OpenCV 4.x's arithmetic.
    #[inline(always)]
    pub fn grid_step(&self, x: &[i32; STEP], y: &[i32; STEP]) -> Step<i16> {
        let end = |extent: usize, more: i32| i32::try_from(extent).map_or(0, |extent| extent - more);
        let (right, bottom) = (end(self.width, 2), end(self.height, 1));
        let mut step = Step { within: [false; STEP], at: [0; STEP], across: [0; STEP], down: [0; STEP] };
        for i in 0..STEP {
            let (left, top) = (x[i] >> GRID_BITS, y[i] >> GRID_BITS);
            let within = (left >= 0) & (left < right) & (top >= 0) & (top < bottom);
            step.within[i] = within;
            step.at[i] = if within { self.at(left, top) } else { 0 };
            (step.across[i], step.down[i]) = ((x[i] & (ONE - 1)) as i16, (y[i] & (ONE - 1)) as i16);
        }
        step
    }

    /// Computes pixels of a step by OpenCV 4.x's arithmetic, and says which.
    pub fn grid(&self, step: &Step<i16>, pixels: &mut [u8; 3 * STEP]) -> [bool; STEP] {
        if step.within == [false; STEP] {
            return step.within;
        }
        let corners = self.corners(&step.at);
        let (left, right) = (corners.upper_left.as_flattened(), corners.upper_right.as_flattened());
        let (lower_left, lower_right) = (corners.lower_left.as_flattened(), corners.lower_right.as_flattened());
        let (across, down) = (step.across.map(|share| [share; 4]), step.down.map(|share| [share; 4]));
        let (across, down) = (across.as_flattened(), down.as_flattened());
        let mut samples = [[0; 4]; STEP];
        for (i, sample) in samples.as_flattened_mut().iter_mut().enumerate() {
            let upper = grid_between(left[i], right[i], across[i]);
            let lower = grid_between(lower_left[i], lower_right[i], across[i]);
            // `(lower - upper) * down / 32`, rounded down, as the upper half of a product, for which there is an instruction.
            let change = (i32::from((lower - upper) * 2) * i32::from(down[i] << 10)) >> 16;
            *sample = ((upper + change as i16 + ONE as i16 / 2) >> GRID_BITS) as u8;
        }
        keep_three(samples, pixels);
        step.within
    }

    /// Where a pixel begins.
    #[inline(always)]
    fn at(&self, left: i32, top: i32) -> u32 {
        (top as u32).wrapping_mul(self.width as u32).wrapping_add(left as u32).wrapping_mul(3)
    }

    #[inline(always)]
    fn corners(&self, at: &[u32; STEP]) -> Corners {
        let none = [[0; 4]; STEP];
        let mut corners = Corners { upper_left: none, upper_right: none, lower_left: none, lower_right: none };
        let left = |row: &[u8]| [row[0], row[1], row[2], row[3]];
        let right = |row: &[u8]| [row[3], row[4], row[5], row[6]];
        for (i, &at) in at.iter().enumerate() {
            let at = at as usize;
            let (upper, lower) = (&self.upper[at..at + READ], &self.lower[at..at + READ]);
            (corners.upper_left[i], corners.upper_right[i]) = (left(upper), right(upper));
            (corners.lower_left[i], corners.lower_right[i]) = (left(lower), right(lower));
        }
        corners
    }
}

#[inline(always)]
fn keep_three(samples: [[u8; 4]; STEP], pixels: &mut [u8; 3 * STEP]) {
    for (pixel, [red, green, blue, _]) in pixels.as_chunks_mut().0.iter_mut().zip(samples) {
        *pixel = [red, green, blue];
    }
}

/// The largest whole number below a place, and what is left.
#[inline(always)]
fn parts(x: f32) -> (i32, f32) {
    // From here on f32 holds whole numbers alone, in its lowest bits.
    const WHOLE: f32 = (1 << 23) as f32;
    let nearest = x + WHOLE;
    let is_over = nearest - WHOLE > x;
    let whole = (nearest - WHOLE) - f32::from(u8::from(is_over));
    ((nearest.to_bits() & ((1 << 23) - 1)) as i32 - i32::from(is_over), x - whole)
}

/// A share as a multiple of 2^-15, and what is left.
#[inline(always)]
fn split(share: f32) -> [f32; 2] {
    // From here on to twice as much, f32 holds multiples of 2^-15 alone.
    const COARSE: f32 = (1 << 8) as f32;
    let high = (share + COARSE) - COARSE;
    [high, share - high]
}

/// Between two pixels: fused sums, without an instruction for them. Of shares that are multiples of 2^-22 all that is rounded is
/// the last sum, since products by bytes and the first sum fit the 24 bits of f32.
#[inline(always)]
fn between(from: [u8; 4], to: [u8; 4], [high, low]: [f32; 2]) -> [f32; 3] {
    std::array::from_fn(|c| {
        let (from, to) = (f32::from(from[c]), f32::from(to[c]));
        (from + high * (to - from)) + low * (to - from)
    })
}

/// 32 times what lies between two samples.
#[inline(always)]
fn grid_between(from: u8, to: u8, share: i16) -> i16 {
    let (from, to) = (i16::from(from), i16::from(to));
    from * ONE as i16 + (to - from) * share
}
