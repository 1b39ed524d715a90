//! OpenCV's `warpAffine` with bilinear interpolation and a black border, byte for byte: of 5.0, which interpolates in
//! f32, and of 4.x, which does so in integers on a grid of 1/32 pixel.
//!
//! 5.0 is meant as it runs on processors with AVX2 and FMA. Its code for those without rounds products and sums apart, which
//! moves about three samples in a million by one level.

mod inside;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Rgb8;
use crate::Error;
use inside::Inside;

/// A map of the plane, `[[a, b, x], [c, d, y]]`: `(u, v)` goes to `(a u + b v + x, c u + d v + y)`, in pixels whose centres
/// are whole numbers.
pub type Affine = [[f64; 3]; 2];

/// Which OpenCV's arithmetic a warp follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Warp {
    /// OpenCV 5.0's: exact places, f32, halves rounded to even.
    #[default]
    Exact,
    /// OpenCV 4.x's: places on a grid of 1/32 pixel, integers, halves rounded up.
    OpenCv4,
}

impl fmt::Display for Warp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Warp::Exact => "exact",
            Warp::OpenCv4 => "opencv4",
        })
    }
}

impl FromStr for Warp {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "exact" => Ok(Warp::Exact),
            "opencv4" => Ok(Warp::OpenCv4),
            _ => Err(Error::invalid(format!("warp `{name}`"), "choose exact or opencv4")),
        }
    }
}

/// The inverse of a map, in OpenCV's order of operations. A map that has none gives one to a single point.
pub fn invert_affine(map: &Affine) -> Affine {
    let [[a, b, x], [c, d, y]] = *map;
    let determinant = a * d - b * c;
    let inverse = if determinant == 0.0 { 0.0 } else { 1.0 / determinant };
    let (a, b, c, d) = (d * inverse, b * -inverse, c * -inverse, a * inverse);
    [[a, b, -a * x - b * y], [c, d, -c * x - d * y]]
}

/// The picture of `width` x `height` into which `map` takes `src` (`cv2.warpAffine(src, map, (width, height))`); what lies
/// outside `src` is black.
pub fn warp_affine(src: &Rgb8, map: &Affine, width: usize, height: usize, warp: Warp) -> Rgb8 {
    let mut dst = Rgb8::black(width, height);
    let places = Places::new(&invert_affine(map), width, height, warp);
    Source { data: src.data(), height: src.height(), width: src.width(), channels: 3 }.warp(
        &places,
        width,
        dst.data_mut(),
    );
    dst
}

/// Columns of a step of OpenCV 5.0's vector code. What is left of a row is computed by scalar code, in another order.
pub(crate) const STEP: usize = 16;
/// Bits of the fraction of a place: on the grid that OpenCV 4.x interpolates on, and before it is rounded to it.
const GRID_BITS: u32 = 5;
const PLACE_BITS: u32 = 10;
/// A pixel in parts of the grid.
const ONE: i32 = 1 << GRID_BITS;
/// Added to what lies between bytes it leaves whole numbers alone, in the lowest bits of an f32.
const WHOLE: f32 = (3 << 22) as f32;
/// Numbers of a row's or a column's part of a place on the grid: whole pixels and 1/1024 of x, then of y.
pub(crate) const PARTS: usize = 4;

/// Where the pixels of a result come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Places {
    /// By the map from result to source.
    Exact([f32; 6]),
    /// In 1/1024 pixel, as the sums of what rows and columns give to `[x, y]`.
    Grid { rows: Vec<[i32; 2]>, columns: Vec<[i32; 2]> },
}

impl Places {
    /// By the map from a result of `width` x `height` to the source.
    pub fn new(inverse: &Affine, width: usize, height: usize, warp: Warp) -> Self {
        let [[a, b, x], [c, d, y]] = *inverse;
        if warp == Warp::Exact {
            return Places::Exact([a, b, x, c, d, y].map(|number| number as f32));
        }
        let scale = f64::from(1 << PLACE_BITS);
        // Of a step of the grid: the sum is then cut, not rounded.
        let half = 1 << (PLACE_BITS - GRID_BITS - 1);
        let row = |v: f64| [b * v + x, d * v + y].map(|place| nearest(place * scale).wrapping_add(half));
        let column = |u: f64| [a, c].map(|slope| nearest(slope * u * scale));
        Places::Grid {
            rows: (0..height).map(|v| row(v as f64)).collect(),
            columns: (0..width).map(|u| column(u as f64)).collect(),
        }
    }

    /// The places as numbers that f32 holds exactly: `[2, 3]` of the map, or `[height + width, 4]` of rows and columns.
    pub fn to_numbers(&self) -> Vec<f32> {
        let split = |place: &i32| [(place >> PLACE_BITS) as f32, (place & ((1 << PLACE_BITS) - 1)) as f32];
        match self {
            Places::Exact(map) => map.to_vec(),
            Places::Grid { rows, columns } => rows.iter().chain(columns).flatten().flat_map(split).collect(),
        }
    }

    /// The places of [`Places::to_numbers`]' numbers, for a result of `height` rows.
    pub fn of_numbers(numbers: &[f32], height: usize, warp: Warp) -> Self {
        if warp == Warp::Exact {
            return Places::Exact(std::array::from_fn(|i| numbers[i]));
        }
        let join = |whole: f32, parts: f32| (whole as i32).wrapping_mul(1 << PLACE_BITS).wrapping_add(parts as i32);
        let place = |&[x, x_parts, y, y_parts]: &[f32; PARTS]| [join(x, x_parts), join(y, y_parts)];
        let (rows, columns) = numbers.as_chunks::<PARTS>().0.split_at(height);
        Places::Grid { rows: rows.iter().map(place).collect(), columns: columns.iter().map(place).collect() }
    }
}

/// The nearest whole number, of two the even one; what is none or too large is the least number, as on x86.
fn nearest(x: f64) -> i32 {
    let whole = x.round_ties_even();
    let fits = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&whole);
    if fits { whole as i32 } else { i32::MIN }
}

/// `a * b + c`, rounded once, without an instruction for it.
fn fused(a: f32, b: f32, c: f32) -> f32 {
    let (sum, is_doubtful) = nearly_fused(a, b, c);
    if is_doubtful { a.mul_add(b, c) } else { sum }
}

/// `a * b + c`, and whether it may have been rounded twice to another number than once.
#[inline(always)]
fn nearly_fused(a: f32, b: f32, c: f32) -> (f32, bool) {
    // The product is exact and the sum rounded to f64. Only in the middle of two f32 may that have moved it elsewhere.
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    let is_middle = sum.to_bits() as u32 & 0x1fff_ffff == 0x1000_0000;
    let is_exact = (sum - product == c) & (sum - c == product);
    (sum as f32, is_middle & !is_exact)
}

/// [`fused`] of columns from `first` on, a slope and what the row gives.
fn fused_step(first: usize, slope: f32, of_row: f32) -> [f32; STEP] {
    let column = |i: usize| (first as i32).wrapping_add(i as i32) as f32;
    let (mut places, mut doubtful) = ([0.0; STEP], false);
    for (i, place) in places.iter_mut().enumerate() {
        let (sum, is_doubtful) = nearly_fused(column(i), slope, of_row);
        *place = sum;
        doubtful |= is_doubtful;
    }
    if doubtful {
        places = std::array::from_fn(|i| fused(column(i), slope, of_row));
    }
    places
}

/// Bytes to interpolate among.
pub(crate) struct Source<'a> {
    /// `[height, width, channels]`.
    pub data: &'a [u8],
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Source<'_> {
    /// Fills a result, whose rows have `width` pixels.
    pub fn warp(&self, places: &Places, width: usize, to: &mut [u8]) {
        let rows = to.chunks_exact_mut((width * self.channels).max(1)).enumerate();
        match places {
            Places::Exact(map) => rows.for_each(|(v, row)| self.exact_row(map, v, row)),
            Places::Grid { rows: parts, columns } => {
                rows.zip(parts).for_each(|((_, row), &part)| self.grid_row(part, columns, row));
            }
        }
    }

    /// What computes whole steps.
    fn inside(&self) -> Option<Inside<'_>> {
        if self.channels == 3 { Inside::new(self.data, self.height, self.width) } else { None }
    }

    /// Row `v` of a result.
    fn exact_row(&self, &[a, b, x, c, d, y]: &[f32; 6], v: usize, row: &mut [u8]) {
        let v = v as f32;
        let (in_steps, after) = ([v * b + x, v * d + y], [v * b, v * d]);
        let inside = self.inside();
        for (i, pixels) in row.chunks_mut(STEP * self.channels).enumerate() {
            let first = i * STEP;
            let columns = pixels.len() / self.channels;
            if columns < STEP {
                for (u, pixel) in pixels.chunks_exact_mut(self.channels).enumerate() {
                    let u = (first + u) as f32;
                    self.exact_pixel(fused(u, a, after[0]) + x, fused(u, c, after[1]) + y, pixel);
                }
                continue;
            }
            let (x, y) = (fused_step(first, a, in_steps[0]), fused_step(first, c, in_steps[1]));
            let done = inside
                .as_ref()
                .zip(pixels.try_into().ok())
                .map_or([false; STEP], |(inside, pixels)| inside.exact(&inside.exact_step(&x, &y), pixels));
            self.rest(done, pixels, |i, pixel| self.exact_pixel(x[i], y[i], pixel));
        }
    }

    /// Computes the pixels of a step that are not done.
    fn rest(&self, done: [bool; STEP], pixels: &mut [u8], compute: impl Fn(usize, &mut [u8])) {
        if done == [true; STEP] {
            return;
        }
        for (i, pixel) in pixels.chunks_exact_mut(self.channels).enumerate().filter(|&(i, _)| !done[i]) {
            compute(i, pixel);
        }
    }

    /// The pixel at a place.
    fn exact_pixel(&self, x: f32, y: f32, pixel: &mut [u8]) {
        // Not so for NaN either.
        let touches = x >= -1.0 && x < self.width as f32 && y >= -1.0 && y < self.height as f32;
        if !touches {
            pixel.fill(0);
            return;
        }
        let (left, top) = (floor(x), floor(y));
        let (across, down) = (x - left as f32, y - top as f32);
        let corners = self.corners(left, top);
        for (channel, sample) in pixel.iter_mut().enumerate() {
            let corner = |i: usize| f32::from(corners[i].map_or(0, |at| self.data[at + channel]));
            let between = |from: f32, to: f32, share: f32| fused(share, to - from, from);
            let (upper, lower) = (between(corner(0), corner(1), across), between(corner(2), corner(3), across));
            *sample = nearest_byte(between(upper, lower, down));
        }
    }

    /// The row of a result that adds `part` to what the columns give.
    fn grid_row(&self, part: [i32; 2], columns: &[[i32; 2]], row: &mut [u8]) {
        let place = |column: &[i32; 2], i: usize| part[i].wrapping_add(column[i]) >> (PLACE_BITS - GRID_BITS);
        let inside = self.inside();
        for (pixels, columns) in row.chunks_mut(STEP * self.channels).zip(columns.chunks(STEP)) {
            let mut done = [false; STEP];
            if let (Some(inside), Some(columns), Some(pixels)) =
                (&inside, <&[_; STEP]>::try_from(columns).ok(), pixels.try_into().ok())
            {
                let (mut x, mut y) = ([0; STEP], [0; STEP]);
                for (i, column) in columns.iter().enumerate() {
                    (x[i], y[i]) = (place(column, 0), place(column, 1));
                }
                done = inside.grid(&inside.grid_step(&x, &y), pixels);
            }
            self.rest(done, pixels, |i, pixel| self.grid_pixel(place(&columns[i], 0), place(&columns[i], 1), pixel));
        }
    }

    /// The pixel at a place in parts of the grid.
    fn grid_pixel(&self, x: i32, y: i32, pixel: &mut [u8]) {
        let (left, top) = (x >> GRID_BITS, y >> GRID_BITS);
        let touches = |at: i32, extent: usize| at == -1 || usize::try_from(at).is_ok_and(|at| at < extent);
        if !(touches(left, self.width) && touches(top, self.height)) {
            pixel.fill(0);
            return;
        }
        let (across, down) = (x & (ONE - 1), y & (ONE - 1));
        let corners = self.corners(left, top);
        let weights = [(ONE - across) * (ONE - down), across * (ONE - down), (ONE - across) * down, across * down];
        for (channel, sample) in pixel.iter_mut().enumerate() {
            let corner = |i: usize| i32::from(corners[i].map_or(0, |at| self.data[at + channel]));
            let sum: i32 = (0..4).map(|i| corner(i) * weights[i]).sum();
            *sample = ((sum + ONE * ONE / 2) >> (2 * GRID_BITS)) as u8;
        }
    }

    /// Where the four pixels at a place begin, from the upper left one on, as far as they lie within the source.
    fn corners(&self, left: i32, top: i32) -> [Option<usize>; 4] {
        let within =
            |at: i32, step: i32, extent: usize| usize::try_from(at.saturating_add(step)).ok().filter(|&at| at < extent);
        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(right, below)| {
            let (x, y) = (within(left, right, self.width)?, within(top, below, self.height)?);
            Some((y * self.width + x) * self.channels)
        })
    }
}

/// The largest whole number below a place, which is near the source.
fn floor(x: f32) -> i32 {
    let whole = x as i32;
    if whole as f32 > x { whole - 1 } else { whole }
}

/// The nearest byte, of two the even one, to what lies between bytes.
fn nearest_byte(x: f32) -> u8 {
    ((x + WHOLE) - WHOLE) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fused_sum_is_rounded_once() {
        let mut state = 1u64;
        let mut number = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            // Of few bits, so that sums are often in the middle of two f32.
            f32::from_bits((state >> 33) as u32 & 0x87ff_f000 | 0x3800_0000)
        };
        for _ in 0..200_000 {
            let (a, b, c) = (number(), number(), number() * 4096.0);
            assert_eq!(fused(a, b, c).to_bits(), a.mul_add(b, c).to_bits(), "{a:e} * {b:e} + {c:e}");
        }
        // In the middle, and a little beside it, which f64 does not hold.
        let (a, b) = (1.0 + f32::EPSILON, 2f32.powi(-24));
        for c in [1.0, -1.0, 1.0 + f32::EPSILON] {
            assert_eq!(fused(a, b, c).to_bits(), a.mul_add(b, c).to_bits());
        }
        assert_eq!(fused(2f32.powi(-40), 2f32.powi(-40), 1.0 + f32::EPSILON).to_bits(), (1.0 + f32::EPSILON).to_bits());
    }

    #[test]
    fn steps_are_what_single_pixels_are() {
        let mut state = 3u64;
        let mut random = |to: f64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64 * to
        };
        for case in 0..400 {
            let (width, height) = (1 + random(90.0) as usize, 1 + random(40.0) as usize);
            let data: Vec<u8> = (0..width * height * 3).map(|_| random(256.0) as u8).collect();
            // One channel alone is computed pixel by pixel.
            let channel = |c: usize| data.iter().skip(c).step_by(3).copied().collect::<Vec<u8>>();
            let channels = [channel(0), channel(1), channel(2)];
            let (to_width, to_height) = (1 + random(70.0) as usize, 1 + random(12.0) as usize);
            // Every fifth map is of few bits, so that places are often in the middle of two numbers.
            let keep = |x: f64| if case % 5 == 0 { (x * 64.0).round() / 64.0 } else { x };
            let (scale, angle) = ((random(4.0) - 2.0).exp(), random(if case % 4 == 0 { 0.0 } else { 6.3 }));
            let (a, b) = (keep(scale * angle.cos()), keep(scale * angle.sin()));
            let (x, y) = (random(width as f64), random(height as f64));
            let map = [
                [a, -b, keep(to_width as f64 / 2.0 - a * x + b * y)],
                [b, a, keep(to_height as f64 / 2.0 - b * x - a * y)],
            ];
            for warp in [Warp::Exact, Warp::OpenCv4] {
                let places = Places::new(&invert_affine(&map), to_width, to_height, warp);
                let warped = |data: &[u8], channels: usize| {
                    let mut to = vec![0; to_width * to_height * channels];
                    Source { data, height, width, channels }.warp(&places, to_width, &mut to);
                    to
                };
                let (got, expected) = (warped(&data, 3), channels.each_ref().map(|data| warped(data, 1)));
                let expected: Vec<u8> =
                    (0..to_width * to_height).flat_map(|i| [0, 1, 2].map(|c: usize| expected[c][i])).collect();
                assert!(got == expected, "{warp}: {width} x {height} by {map:?} to {to_width} x {to_height}");
            }
        }
    }

    #[test]
    fn numbers_keep_places() {
        let inverse = invert_affine(&[[0.31, -0.2, 4097.3], [0.2, 0.31, -16000.7]]);
        for warp in [Warp::Exact, Warp::OpenCv4] {
            let places = Places::new(&inverse, 19, 7, warp);
            assert_eq!(Places::of_numbers(&places.to_numbers(), 7, warp), places);
        }
    }

    #[test]
    fn what_has_no_place_is_black() {
        let src = Rgb8::new(4, 4, vec![200; 48]);
        for warp in [Warp::Exact, Warp::OpenCv4] {
            let far = [[1.0, 0.0, 1e30], [0.0, 1.0, 0.0]];
            assert_eq!(warp_affine(&src, &far, 5, 5, warp), Rgb8::black(5, 5), "{warp}");
            assert_eq!(
                warp_affine(&Rgb8::black(0, 0), &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 2, 2, warp),
                Rgb8::black(2, 2)
            );
        }
        let nowhere = [[f64::NAN, 0.0, 0.0], [0.0, 1.0, 0.0]];
        assert_eq!(warp_affine(&src, &nowhere, 5, 5, Warp::Exact), Rgb8::black(5, 5));
        assert!("cubic".parse::<Warp>().is_err());
        for warp in [Warp::Exact, Warp::OpenCv4] {
            assert_eq!(warp.to_string().parse::<Warp>().unwrap(), warp);
        }
    }
}
