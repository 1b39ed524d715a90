//! Convolutions by Winograd's minimal filtering: fewer multiplications than the definition has.
//!
//! The output is cut into patches. Each patch of the input is transformed to points, at each of which the convolution is a
//! matrix product over channels, `[patches, c_in] x [c_in, c_out]`; the products are transformed back (A. Lavin and S. Gray,
//! Fast Algorithms for Convolutional Neural Networks, 2016). A 3x3 filter takes 36 products for 4 x 4 outputs where the
//! definition takes 144; a filter of 7 in a row takes 10 for 4 instead of 28.
//!
//! A task is a block of patches, whose points stay in the second-level cache; panels of filters are its outer loop, and each
//! panel's products are brought back at once. Each patch is computed alike, wherever it lies in a block, so that results depend
//! neither on the batch nor on the threads.

mod axis;
mod filters;
mod product;
mod transform;

use std::cell::RefCell;
use std::ops::Range;

pub(super) use filters::WinogradFilters;
pub(super) use transform::Transformed;

use super::aligned::Aligned;
use super::conv2d::{ConvGeometry, Epilogue, Output, PaddedEpilogue};
use super::workers::{Workers, part};
use axis::{Axis, F43, F47, Single};
use product::Product;
use transform::{OUTSIDE, Patches, Products};

/// A filter's shape for which there is a minimal filtering; its stride is 1. In steps of 2 the definition is as fast: patches
/// overlap more, and transformed filters are more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// 3 x 3, in patches of 4 x 4 outputs.
    Square3,
    /// 1 x 7, in patches of 4 outputs.
    Row7,
    /// 7 x 1, likewise.
    Column7,
}

/// Fewer channels than this do not make up for the transforms.
const FEW_CHANNELS: usize = 32;
/// Where the definition multiplies in bf16, it is twice as fast, and reads filters that are eight times smaller than those of
/// 3x3 at their points: what is in f32 still pays where channels out are more and transformed filters are not larger than this.
const FEW_CHANNELS_BF16: usize = 64;
const LARGE_FILTERS_BF16: usize = 6 << 20;
/// Channels in must be whole vectors of the widest instruction set.
const WHOLE: usize = 16;

impl Form {
    /// The form of filters `[c_out, k_h, k_w, c_in]`, where it is faster than the definition, which multiplies in bf16 or in f32.
    pub fn of(w: &[usize], stride: [usize; 2], in_bf16: bool) -> Option<Form> {
        let &[c_out, k_h, k_w, c_in] = w else { return None };
        if stride != [1, 1] || c_in < FEW_CHANNELS || !c_in.is_multiple_of(WHOLE) || c_out < FEW_CHANNELS {
            return None;
        }
        let form = match [k_h, k_w] {
            [3, 3] => Form::Square3,
            [1, 7] => Form::Row7,
            [7, 1] => Form::Column7,
            _ => return None,
        };
        let large = form.points() * c_in * c_out * size_of::<f32>() > LARGE_FILTERS_BF16;
        (!in_bf16 || c_out >= FEW_CHANNELS_BF16 && !large).then_some(form)
    }

    /// `[y, x]` of one of the axes' numbers.
    fn extents(self) -> [[usize; 3]; 2] {
        fn of<A: Axis>() -> [usize; 3] {
            [A::TAPS, A::OUT, A::POINTS]
        }
        match self {
            Form::Square3 => [of::<F43>(), of::<F43>()],
            Form::Row7 => [of::<Single>(), of::<F47>()],
            Form::Column7 => [of::<F47>(), of::<Single>()],
        }
    }

    /// Taps of a filter.
    fn taps(self) -> usize {
        self.extents().iter().map(|axis| axis[0]).product()
    }

    /// Outputs of a patch: `[y, x]`.
    fn out(self) -> [usize; 2] {
        self.extents().map(|axis| axis[1])
    }

    /// Points of a patch, as many as pixels of the input: `[y, x]`.
    fn patch(self) -> [usize; 2] {
        self.extents().map(|axis| axis[2])
    }

    /// Points of a patch.
    pub fn points(self) -> usize {
        self.patch().iter().product()
    }
}

/// Patches of a block, by channels in: the first line whose number is not exceeded. Their points and products stay in a
/// second-level cache of a megabyte; where filters are many, more patches share them.
const BLOCKS: [(usize, usize); 2] = [(192, 26), (usize::MAX, 52)];
/// Fewer patches than this are not cut for the threads, which share the filters instead.
const FEW_PATCHES: usize = 26;
/// Fewer are not cut at all.
const LEAST_PATCHES: usize = 4;
/// Values of a cache line; rows of different points are so far apart, lest they meet in the cache's sets.
const LINE: usize = 16;

thread_local! {
    /// Points and products of the block at hand. It is as large as the largest block that the thread has met.
    static POINTS: RefCell<Aligned> = RefCell::new(Aligned::zeros(0));
}

/// Runs the convolution.
///
/// # Safety
/// As [`conv2d::run`](super::conv2d::run); the output's pixels follow each other.
pub(super) unsafe fn run<E: Transformed>(
    workers: Workers,
    geometry: ConvGeometry,
    x: &[E],
    w: &WinogradFilters,
    epilogue: Epilogue<E>,
    y: Output<E>,
) {
    assert_eq!(x.len(), geometry.x.iter().product::<usize>());
    assert_eq!([w.layout.k, w.form.taps()], [geometry.x[3], geometry.kernel.iter().product()]);
    assert_eq!(geometry.stride, [1, 1]);
    epilogue.check(geometry.pixels(), w.layout.c_out);
    let grid = Grid::new(w.form, &geometry);
    let (_, most) = BLOCKS.into_iter().find(|&(c_in, _)| w.layout.k <= c_in).expect("the last line is of any number");
    // Threads share the filters of few patches, unless these are few as well.
    let few = if w.layout.count() < workers.threads() { LEAST_PATCHES } else { FEW_PATCHES };
    let enough = workers.threads().min(grid.patches() / few).max(1);
    let blocks = workers.even(grid.patches().div_ceil(most).max(enough));
    let groups = workers.threads().div_ceil(blocks).min(w.layout.count());
    let work = Convolution { workers, geometry, grid, x, w, epilogue: epilogue.padded(&w.layout), y };
    workers.each(blocks * groups, |task| {
        let block = part(grid.patches(), blocks, task / groups);
        let panels = part(w.layout.count(), groups, task % groups);
        // SAFETY: blocks and groups partition patches and panels; the rest is the caller's promise.
        POINTS.with_borrow_mut(|points| unsafe { work.run(block, panels, points) });
    });
}

/// The patches of a batch.
#[derive(Clone, Copy)]
struct Grid {
    images: usize,
    /// Patches of an image: `[y, x]`.
    count: [usize; 2],
}

impl Grid {
    fn new(form: Form, geometry: &ConvGeometry) -> Self {
        let [oy, ox] = form.out();
        let [ay, ax] = geometry.axes;
        Grid { images: geometry.x[0], count: [ay.out.div_ceil(oy), ax.out.div_ceil(ox)] }
    }

    fn patches(&self) -> usize {
        self.images * self.count[0] * self.count[1]
    }

    /// A patch's image and place: `[y, x]`, in patches.
    fn place(&self, patch: usize) -> (usize, [usize; 2]) {
        let [rows, columns] = self.count;
        (patch / columns / rows, [patch / columns % rows, patch % columns])
    }
}

/// All that tasks share.
struct Convolution<'a, E> {
    workers: Workers<'a>,
    geometry: ConvGeometry,
    grid: Grid,
    x: &'a [E],
    w: &'a WinogradFilters,
    epilogue: PaddedEpilogue<'a, E>,
    y: Output<E>,
}

impl<E: Transformed> Convolution<'_, E> {
    /// Computes a block of patches by some panels.
    ///
    /// # Safety
    /// As [`run`], for their pixels and channels.
    unsafe fn run(&self, patches: Range<usize>, panels: Range<usize>, scratch: &mut Aligned) {
        let (form, layout) = (self.w.form, self.w.layout);
        let (points, count) = (form.points(), patches.len());
        let stride = count * layout.k + LINE;
        let product_stride = count * 2 * layout.lanes + LINE;
        if scratch.len() < points * (stride + product_stride) {
            *scratch = Aligned::zeros(points * (stride + product_stride));
        }
        let (to, products) = scratch.split_at_mut(points * stride);
        let zeros = vec![E::default(); layout.k];
        let pixels = self.inputs(patches.clone(), &zeros);
        let input = Patches { form, pixels: &pixels, vectors: layout.k / layout.lanes, to: to.as_mut_ptr(), stride };
        let outputs = self.outputs(patches);
        // SAFETY: pixels lie in the input or are zeros, scratch is as large as asked for, and the output is the caller's.
        unsafe {
            input.run(self.workers.isa());
            for panel in panels {
                let (channels, vectors) = layout.channels(panel);
                let mut ahead = Vec::new();
                if form == Form::Square3 {
                    self.lines(&outputs, channels.clone(), &mut ahead);
                }
                let product = Product {
                    points,
                    rows: count,
                    k: layout.k,
                    vectors,
                    x: to.as_ptr(),
                    x_stride: stride,
                    w: self.w.panel(panel).as_ptr(),
                    y: products.as_mut_ptr(),
                    y_stride: product_stride,
                    ahead: &ahead,
                };
                product.run(self.workers.isa());
                let back = Products {
                    form,
                    from: products.as_ptr(),
                    stride: product_stride,
                    vectors,
                    pixels: &outputs,
                    epilogue: self.epilogue.of(channels, 0),
                    to: self.y.to,
                    to_stride: self.y.stride,
                };
                back.run(self.workers.isa());
            }
        }
    }

    /// The cache lines that some channels of the output's pixels lie in.
    fn lines(&self, pixels: &[usize], channels: Range<usize>, to: &mut Vec<*const f32>) {
        for &pixel in pixels.iter().filter(|&&pixel| pixel != OUTSIDE) {
            let at = self.y.to.wrapping_add(pixel * self.y.stride).cast_const();
            let channels = channels.clone().step_by(LINE * size_of::<f32>() / size_of::<E>());
            to.extend(channels.map(|channel| at.wrapping_add(channel).cast::<f32>()));
        }
    }

    /// Where each pixel of each patch starts; padding reads from `zeros`.
    fn inputs(&self, patches: Range<usize>, zeros: &[E]) -> Vec<*const E> {
        let ([_, h, w, c], [ay, ax]) = (self.geometry.x, self.geometry.axes);
        let ([py, px], [oy, ox]) = (self.w.form.patch(), self.w.form.out());
        let mut to = Vec::with_capacity(patches.len() * py * px);
        for patch in patches {
            let (image, [row, column]) = self.grid.place(patch);
            for y in 0..py {
                for x in 0..px {
                    // Wraps below zero for pixels before the border, which is then past the extent as well.
                    let iy = (row * oy + y).wrapping_sub(ay.before);
                    let ix = (column * ox + x).wrapping_sub(ax.before);
                    let inside = iy < h && ix < w;
                    to.push(if inside { self.x[((image * h + iy) * w + ix) * c..].as_ptr() } else { zeros.as_ptr() });
                }
            }
        }
        to
    }

    /// Which output pixels each patch makes.
    fn outputs(&self, patches: Range<usize>) -> Vec<usize> {
        let ([ay, ax], [oy, ox]) = (self.geometry.axes, self.w.form.out());
        let mut to = Vec::with_capacity(patches.len() * oy * ox);
        for patch in patches {
            let (image, [row, column]) = self.grid.place(patch);
            for y in row * oy..(row + 1) * oy {
                for x in column * ox..(column + 1) * ox {
                    to.push(if y < ay.out && x < ax.out { (image * ay.out + y) * ax.out + x } else { OUTSIDE });
                }
            }
        }
        to
    }
}
