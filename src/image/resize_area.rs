//! OpenCV's `cv2.resize(.., interpolation=INTER_AREA)`, bit for bit, on `u8` and `f32`.
//!
//! It is three algorithms (`modules/imgproc/src/resize.cpp`, version 4.10): block means where both factors are whole
//! numbers, overlap-weighted means where neither axis grows, and otherwise a bilinear filter whose weights
//! are chosen as areas. Sums are taken in OpenCV's order, columns before rows, because f32 addition does not commute
//! with regrouping.

use super::Rgb8;

/// A source sample and how much it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    /// Index along the source axis.
    pub source: u32,
    /// Its share of the destination cell.
    pub weight: f32,
}

/// One axis of a shrinking resize: for each destination index the source samples under its cell.
#[derive(Clone, Debug)]
pub struct AreaTable {
    taps: Vec<Tap>,
    /// `taps[starts[d]..starts[d + 1]]` belong to destination `d`.
    starts: Vec<u32>,
}

impl AreaTable {
    /// The taps that shrink `src` samples to `dst`. Both are at least 1, and `dst <= src`.
    pub fn new(src: usize, dst: usize) -> Self {
        // Cells that reach less than this into a sample leave it out.
        const SLIVER: f64 = 1e-3;
        let scale = scale(src, dst);
        let mut taps = Vec::with_capacity(src + 2 * dst);
        let mut starts = Vec::with_capacity(dst + 1);
        starts.push(0);
        for d in 0..dst {
            let from = d as f64 * scale;
            let to = from + scale;
            let cell = scale.min(src as f64 - from);
            let last = (to.floor() as usize).min(src - 1);
            let first = (from.ceil() as usize).min(last);
            let mut tap = |source: usize, weight: f64| taps.push(Tap { source: source as u32, weight: weight as f32 });
            if first as f64 - from > SLIVER {
                tap(first - 1, (first as f64 - from) / cell);
            }
            for source in first..last {
                tap(source, 1.0 / cell);
            }
            if to - last as f64 > SLIVER {
                tap(last, (to - last as f64).min(1.0).min(cell) / cell);
            }
            starts.push(taps.len() as u32);
        }
        AreaTable { taps, starts }
    }

    /// How many destination samples there are.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no destination sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The source samples of destination `d`, in the order in which they are summed.
    pub fn taps(&self, d: usize) -> &[Tap] {
        &self.taps[self.starts[d] as usize..self.starts[d + 1] as usize]
    }
}

/// Two neighbouring source samples and the weight of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearTap {
    /// The nearer sample towards the origin.
    pub first: u32,
    /// The one after it (the same at the border).
    pub second: u32,
    /// The weight of `second`; `first` has `1 - weight`.
    pub weight: f32,
}

/// One axis of a resize in which some axis grows.
#[derive(Clone, Debug)]
pub struct LinearTable {
    /// One for each destination index.
    pub taps: Vec<LinearTap>,
}

impl LinearTable {
    /// The taps that bring `src` samples to `dst`. Both are at least 1.
    pub fn new(src: usize, dst: usize) -> Self {
        let (scale, inverse) = (scale(src, dst), dst as f64 / src as f64);
        let last = src - 1;
        let taps = (0..dst)
            .map(|d| {
                let at = (d as f64 * scale).floor() as usize;
                let over = ((d + 1) as f64 - (at + 1) as f64 * inverse) as f32;
                let weight = if over <= 0.0 { 0.0 } else { over - over.floor() };
                LinearTap { first: at.min(last) as u32, second: (at + 1).min(last) as u32, weight }
            })
            .collect();
        LinearTable { taps }
    }
}

/// Source samples for each destination sample, through the reciprocal that OpenCV rounds first.
fn scale(src: usize, dst: usize) -> f64 {
    1.0 / (dst as f64 / src as f64)
}

/// A resize of one size to another with its tables made: keep it where many pictures share their sizes.
#[derive(Clone, Debug)]
pub struct AreaResize {
    src: (usize, usize),
    dst: (usize, usize),
    method: Method,
}

/// Which of the algorithms a resize is, with its tables.
#[derive(Clone, Debug)]
pub(crate) enum Method {
    Nothing,
    Copy,
    Block { x: usize, y: usize },
    Area { x: AreaTable, y: AreaTable },
    Linear { x: LinearTable, y: LinearTable },
}

impl AreaResize {
    /// From `src` to `dst`, each `(width, height)`. An empty source gives zeros.
    pub fn new(src: (usize, usize), dst: (usize, usize)) -> Self {
        let (scale_x, scale_y) = (scale(src.0, dst.0), scale(src.1, dst.1));
        let whole = |scale: f64| (scale - scale.round_ties_even()).abs() < f64::EPSILON;
        let method = if [src.0, src.1, dst.0, dst.1].contains(&0) {
            Method::Nothing
        } else if src == dst {
            Method::Copy
        } else if scale_x < 1.0 || scale_y < 1.0 {
            Method::Linear { x: LinearTable::new(src.0, dst.0), y: LinearTable::new(src.1, dst.1) }
        } else if whole(scale_x) && whole(scale_y) {
            Method::Block { x: scale_x.round_ties_even() as usize, y: scale_y.round_ties_even() as usize }
        } else {
            Method::Area { x: AreaTable::new(src.0, dst.0), y: AreaTable::new(src.1, dst.1) }
        };
        AreaResize { src, dst, method }
    }

    /// The algorithm, for the backends that have it in their own words.
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Resizes `[height, width, channels]` bytes.
    ///
    /// # Panics
    /// If a slice is not of its size.
    pub fn u8(&self, src: &[u8], channels: usize, dst: &mut [u8]) {
        self.run(src, channels, dst);
    }

    /// Resizes `[height, width, channels]` floats. (At an exact factor of 2 with 1 or 4 channels OpenCV's vector code
    /// adds in another order than here: there the last bit may differ.)
    ///
    /// # Panics
    /// If a slice is not of its size.
    pub fn f32(&self, src: &[f32], channels: usize, dst: &mut [f32]) {
        self.run(src, channels, dst);
    }

    fn run<T: Sample>(&self, src: &[T], channels: usize, dst: &mut [T]) {
        assert_eq!(src.len(), self.src.0 * self.src.1 * channels, "source {:?} x {channels}", self.src);
        assert_eq!(dst.len(), self.dst.0 * self.dst.1 * channels, "destination {:?} x {channels}", self.dst);
        match &self.method {
            _ if channels == 0 => {}
            Method::Nothing => dst.fill(T::default()),
            Method::Copy => dst.copy_from_slice(src),
            Method::Block { x, y } => block(src, self.src.0 * channels, channels, (*x, *y), dst, self.dst.0),
            Method::Area { x, y } => area(src, self.src.0 * channels, channels, x, y, dst),
            Method::Linear { x, y } => linear(src, self.src.0 * channels, channels, x, y, dst),
        }
    }
}

/// What differs between bytes and floats.
trait Sample: Copy + Default {
    /// A row's value between the two passes of the bilinear filter.
    type Between: Copy + Default;
    /// A bilinear weight.
    type Weight: Copy;

    fn to_f32(self) -> f32;
    fn from_f32(value: f32) -> Self;
    fn weight(value: f32) -> Self::Weight;
    fn across(first: Self, second: Self, weights: [Self::Weight; 2]) -> Self::Between;
    fn down(first: Self::Between, second: Self::Between, weights: [Self::Weight; 2]) -> Self;
    /// The mean of a block that is `x` samples wide, given as its rows' samples one after the other.
    fn mean(block: impl Iterator<Item = Self>, x: usize, y: usize, channels: usize) -> Self;
}

impl Sample for u8 {
    type Between = i32;
    type Weight = i32;

    fn to_f32(self) -> f32 {
        f32::from(self)
    }

    /// Rounds half to even: adding 1.5 * 2^23 leaves the rounded integer in the low mantissa bits.
    /// (`round_ties_even` is a call on processors without SSE4.1.)
    fn from_f32(value: f32) -> u8 {
        (value.clamp(0.0, 255.0) + 12_582_912.0).to_bits() as u8
    }

    /// 11 fractional bits.
    fn weight(value: f32) -> i32 {
        (value * 2048.0).round_ties_even() as i32
    }

    fn across(first: u8, second: u8, [a, b]: [i32; 2]) -> i32 {
        i32::from(first) * a + i32::from(second) * b
    }

    /// 22 fractional bits, dropped in three steps as the 16-bit vector code does.
    fn down(first: i32, second: i32, [a, b]: [i32; 2]) -> u8 {
        ((((a * (first >> 4)) >> 16) + ((b * (second >> 4)) >> 16) + 2) >> 2) as u8
    }

    fn mean(block: impl Iterator<Item = u8>, x: usize, y: usize, channels: usize) -> u8 {
        let sum: u32 = block.map(u32::from).sum();
        // Quarters are rounded up by the vector code, which knows 1, 3 and 4 channels; other means half to even.
        if (x, y) == (2, 2) && matches!(channels, 1 | 3 | 4) {
            ((sum + 2) >> 2) as u8
        } else {
            u8::from_f32(sum as f32 * (1.0 / (x * y) as f32))
        }
    }
}

impl Sample for f32 {
    type Between = f32;
    type Weight = f32;

    fn to_f32(self) -> f32 {
        self
    }

    fn from_f32(value: f32) -> f32 {
        value
    }

    fn weight(value: f32) -> f32 {
        value
    }

    fn across(first: f32, second: f32, [a, b]: [f32; 2]) -> f32 {
        first * a + second * b
    }

    fn down(first: f32, second: f32, [a, b]: [f32; 2]) -> f32 {
        first * a + second * b
    }

    /// Sums by fours, as the unrolled loop does.
    fn mean(mut block: impl Iterator<Item = f32>, x: usize, y: usize, _channels: usize) -> f32 {
        let mut sum = 0.0;
        for _ in 0..x * y / 4 {
            let mut four = 0.0;
            for value in block.by_ref().take(4) {
                four += value;
            }
            sum += four;
        }
        for value in block {
            sum += value;
        }
        sum * (1.0 / (x * y) as f32)
    }
}

/// Means of blocks of `factor` source pixels.
fn block<T: Sample>(
    src: &[T],
    stride: usize,
    channels: usize,
    factor: (usize, usize),
    dst: &mut [T],
    dst_width: usize,
) {
    let (x, y) = factor;
    for (rows, out) in src.chunks(stride * y).zip(dst.chunks_mut(dst_width * channels)) {
        for (d, out) in out.iter_mut().enumerate() {
            let corner = d / channels * channels * x + d % channels;
            let cells = rows.chunks(stride).flat_map(|row| row[corner..].iter().step_by(channels).take(x).copied());
            *out = T::mean(cells, x, y, channels);
        }
    }
}

/// Source rows that are shrunk together: their sums do not wait for one another.
const ROWS: usize = 4;

/// Overlap-weighted means: each source row is shrunk once, then added to the destination rows that it reaches.
fn area<T: Sample>(src: &[T], stride: usize, channels: usize, x: &AreaTable, y: &AreaTable, dst: &mut [T]) {
    let width = x.len() * channels;
    // One spare sample each, so that three channels can be moved as four.
    let mut wide = [(); ROWS].map(|()| vec![0.0; stride + 1]);
    let mut narrow = [(); ROWS].map(|()| vec![0.0; width + 1]);
    let mut held = 0..0;
    let mut sum = vec![0.0; width];
    for (d, out) in dst.chunks_exact_mut(width).enumerate() {
        for (k, tap) in y.taps(d).iter().enumerate() {
            let row = tap.source as usize;
            if !held.contains(&row) {
                held = row..row + ROWS;
                for (wide, samples) in wide.iter_mut().zip(src[row * stride..].chunks_exact(stride)) {
                    wide.iter_mut().zip(samples).for_each(|(wide, sample)| *wide = sample.to_f32());
                }
                match channels {
                    3 => shrink_rgb(&wide, x, &mut narrow),
                    _ => shrink(&wide, channels, x, &mut narrow),
                }
            }
            let narrow = &narrow[row - held.start];
            if k == 0 {
                sum.iter_mut().zip(narrow).for_each(|(sum, value)| *sum = tap.weight * value);
            } else {
                sum.iter_mut().zip(narrow).for_each(|(sum, value)| *sum += tap.weight * value);
            }
        }
        out.iter_mut().zip(&sum).for_each(|(out, &sum)| *out = T::from_f32(sum));
    }
}

fn shrink(rows: &[Vec<f32>; ROWS], channels: usize, table: &AreaTable, out: &mut [Vec<f32>; ROWS]) {
    for (row, out) in rows.iter().zip(out) {
        for (d, out) in out.chunks_exact_mut(channels).enumerate().take(table.len()) {
            out.fill(0.0);
            for tap in table.taps(d) {
                let pixel = &row[tap.source as usize * channels..][..channels];
                out.iter_mut().zip(pixel).for_each(|(out, sample)| *out += sample * tap.weight);
            }
        }
    }
}

/// [`shrink`] for three channels, in vectors of four: the fourth lane is the next pixel's red, and is overwritten.
fn shrink_rgb(rows: &[Vec<f32>; ROWS], table: &AreaTable, out: &mut [Vec<f32>; ROWS]) {
    let rows = rows.each_ref().map(Vec::as_slice);
    for d in 0..table.len() {
        let mut sums = [[0f32; 4]; ROWS];
        for tap in table.taps(d) {
            let at = tap.source as usize * 3;
            for (sum, row) in sums.iter_mut().zip(rows) {
                let pixel: &[f32; 4] = row[at..].first_chunk().expect("a spare sample at the end");
                for lane in 0..4 {
                    sum[lane] += pixel[lane] * tap.weight;
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            out[d * 3..][..4].copy_from_slice(&sum);
        }
    }
}

/// The bilinear filter; the two source rows between which a destination row lies are kept for the next one.
fn linear<T: Sample>(src: &[T], stride: usize, channels: usize, x: &LinearTable, y: &LinearTable, dst: &mut [T]) {
    let weights = |tap: &LinearTap| [T::weight(1.0 - tap.weight), T::weight(tap.weight)];
    let across: Vec<_> = x
        .taps
        .iter()
        .map(|tap| (tap.first as usize * channels, tap.second as usize * channels, weights(tap)))
        .collect();
    let width = x.taps.len() * channels;
    let mut rows = [0, 1].map(|_| (None, vec![T::Between::default(); width]));
    for (tap, out) in y.taps.iter().zip(dst.chunks_exact_mut(width)) {
        if rows[1].0 == Some(tap.first) {
            rows.swap(0, 1);
        }
        for ((held, row), source) in rows.iter_mut().zip([tap.first, tap.second]) {
            if *held == Some(source) {
                continue;
            }
            *held = Some(source);
            let from = &src[source as usize * stride..][..stride];
            for (out, &(first, second, weights)) in row.chunks_exact_mut(channels).zip(&across) {
                let pair = from[first..][..channels].iter().zip(&from[second..][..channels]);
                out.iter_mut().zip(pair).for_each(|(out, (&a, &b))| *out = T::across(a, b, weights));
            }
        }
        let weights = weights(tap);
        let pairs = rows[0].1.iter().zip(&rows[1].1);
        out.iter_mut().zip(pairs).for_each(|(out, (&a, &b))| *out = T::down(a, b, weights));
    }
}

/// `cv2.resize(src, (width, height), interpolation=cv2.INTER_AREA)` on bytes.
pub fn resize_area_u8(src: &Rgb8, width: usize, height: usize) -> Rgb8 {
    let mut dst = Rgb8::black(width, height);
    AreaResize::new((src.width(), src.height()), (width, height)).u8(src.data(), 3, dst.data_mut());
    dst
}

/// `cv2.resize(.., interpolation=cv2.INTER_AREA)` on float32: `src` is `[src_height, src_width, channels]`, `dst` is
/// `[height, width, channels]`.
///
/// # Panics
/// If a slice is not of its size.
pub fn resize_area_f32(
    src: &[f32],
    src_width: usize,
    src_height: usize,
    channels: usize,
    width: usize,
    height: usize,
    dst: &mut [f32],
) {
    AreaResize::new((src_width, src_height), (width, height)).f32(src, channels, dst);
}
