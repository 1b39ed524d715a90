//! Pillow 13's `Image.resize(.., BILINEAR)`, bit for bit: a triangle filter as wide as the shrinking asks for, along one
//! axis and then the other, in fixed point and with a byte between the two (`src/libImaging/Resample.c`).

use super::Rgb8;

/// 8 bits of value and 2 of headroom leave 22 for the fraction of an `i32`.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// One axis: for each destination index where its taps start, and their fixed-point weights.
pub(crate) struct PillowTable {
    pub taps: Vec<(usize, Vec<i32>)>,
}

impl PillowTable {
    fn new(src: usize, dst: usize) -> Self {
        let scale = src as f64 / dst as f64;
        // The triangle's half width: one source pixel, or more where the picture shrinks.
        let support = scale.max(1.0);
        let taps = (0..dst)
            .map(|d| {
                let center = (d as f64 + 0.5) * scale;
                let from = (center - support + 0.5).max(0.0) as usize;
                let to = ((center + support + 0.5) as usize).min(src);
                let weight = |s: usize| {
                    let distance = ((s as f64 - center + 0.5) * (1.0 / support)).abs();
                    if distance < 1.0 { 1.0 - distance } else { 0.0 }
                };
                let weights: Vec<f64> = (from..to).map(weight).collect();
                let total: f64 = weights.iter().sum();
                let fixed = weights.iter().map(|w| {
                    let w = if total == 0.0 { *w } else { w / total };
                    (0.5 + w * f64::from(1 << PRECISION_BITS)) as i32
                });
                (from, fixed.collect())
            })
            .collect();
        PillowTable { taps }
    }
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn resize_rows(src: &Rgb8, width: usize) -> Rgb8 {
    let table = PillowTable::new(src.width(), width);
    let mut dst = Rgb8::black(width, src.height());
    for (row, out) in src.data().chunks_exact(src.width() * 3).zip(dst.data_mut().chunks_exact_mut(width * 3)) {
        for (out, (from, weights)) in out.chunks_exact_mut(3).zip(&table.taps) {
            let mut sum = [HALF; 3];
            for (pixel, weight) in row[from * 3..].chunks_exact(3).zip(weights) {
                for c in 0..3 {
                    sum[c] += i32::from(pixel[c]) * weight;
                }
            }
            out.copy_from_slice(&sum.map(to_byte));
        }
    }
    dst
}

fn resize_columns(src: &Rgb8, height: usize) -> Rgb8 {
    let table = PillowTable::new(src.height(), height);
    let stride = src.width() * 3;
    let mut dst = Rgb8::black(src.width(), height);
    let mut sum = vec![0; stride];
    for (out, (from, weights)) in dst.data_mut().chunks_exact_mut(stride).zip(&table.taps) {
        sum.fill(HALF);
        for (row, weight) in src.data()[from * stride..].chunks_exact(stride).zip(weights) {
            sum.iter_mut().zip(row).for_each(|(sum, &sample)| *sum += i32::from(sample) * weight);
        }
        out.iter_mut().zip(&sum).for_each(|(out, &sum)| *out = to_byte(sum));
    }
    dst
}

/// Pillow 13 starts with the columns where that drops enough rows (a rule measured on the library; earlier versions
/// always start with the rows). The byte between the passes makes the order visible.
fn columns_first(src: &Rgb8, width: usize, height: usize) -> bool {
    drops_rows_first((src.width(), src.height()), (width, height))
}

fn drops_rows_first(src: (usize, usize), dst: (usize, usize)) -> bool {
    let dropped = |from: usize, to: usize| from as i64 - to as i64;
    let rows = dropped(src.1, dst.1);
    rows > 0 && rows > 2 * dropped(src.0, dst.0)
}

/// The tables of a resize, for the backends that have it in their own words. Along an axis whose extent stays the
/// same they change nothing.
#[cfg_attr(not(any(feature = "cuda", feature = "wgpu")), allow(dead_code))]
pub(crate) struct PillowResize {
    pub x: PillowTable,
    pub y: PillowTable,
    /// Whether the columns are filtered before the rows.
    pub columns_first: bool,
}

#[cfg_attr(not(any(feature = "cuda", feature = "wgpu")), allow(dead_code))]
impl PillowResize {
    /// From `src` to `dst`, each `(width, height)`.
    pub fn new(src: (usize, usize), dst: (usize, usize)) -> Self {
        let (x, y) = (PillowTable::new(src.0, dst.0), PillowTable::new(src.1, dst.1));
        PillowResize { x, y, columns_first: drops_rows_first(src, dst) }
    }
}

/// `Image.resize((width, height), Image.BILINEAR)`: antialiased where the picture shrinks. An empty source gives black.
pub fn resize_bilinear_pillow(src: &Rgb8, width: usize, height: usize) -> Rgb8 {
    if [src.width(), src.height(), width, height].contains(&0) {
        return Rgb8::black(width, height);
    }
    match (src.width() == width, src.height() == height) {
        (true, true) => src.clone(),
        (true, false) => resize_columns(src, height),
        (false, true) => resize_rows(src, width),
        (false, false) if columns_first(src, width, height) => resize_rows(&resize_columns(src, height), width),
        (false, false) => resize_columns(&resize_rows(src, width), height),
    }
}
