//! Patches to points, and points to outputs: both transforms on vectors of channels. Patches and outputs are of the type that
//! values are stored in, points and products are f32.

use half::bf16;

use super::super::element::Element;
use super::super::multiply::Multiply;
use super::super::simd::{Isa, Simd, activate, per_isa, per_isa_bf16};
use super::super::tile::{MAX_WIDTH, TileEpilogue};
use super::Form;
use super::axis::{self, Axis, F43, F47, Single};
use crate::ops::Activation;

/// Patches to be transformed.
#[derive(Clone, Copy)]
pub(in crate::backend::cpu) struct Patches<'a, E> {
    pub form: Form,
    /// Where each pixel of each patch starts: `[patches][points]`.
    pub pixels: &'a [*const E],
    /// Vectors of channels.
    pub vectors: usize,
    /// Where the first point goes, `[patches][channels]`, and values from one point to the next.
    pub to: *mut f32,
    pub stride: usize,
}

/// Products to be brought back.
#[derive(Clone, Copy)]
pub(in crate::backend::cpu) struct Products<'a, E> {
    pub form: Form,
    /// The first point's products, `[patches][vectors * lanes]`, and values from one point to the next.
    pub from: *const f32,
    pub stride: usize,
    /// Vectors of channels: 1 or 2.
    pub vectors: usize,
    /// The output pixels of each patch, `[patches][outputs]`: past the border there is [`OUTSIDE`].
    pub pixels: &'a [usize],
    /// From the products to the output, the first row being the first pixel of all.
    pub epilogue: TileEpilogue<E>,
    /// Where that pixel starts, and values from one pixel to the next.
    pub to: *mut E,
    pub to_stride: usize,
}

/// No pixel.
pub(super) const OUTSIDE: usize = usize::MAX;

impl<E: Transformed> Patches<'_, E> {
    /// Transforms them with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; every pixel is readable, and every point's rows are writable.
    pub unsafe fn run(self, isa: Isa) {
        // SAFETY: the caller's promises.
        unsafe { E::by_isa(isa, Work::In(self)) }
    }
}

impl<E: Transformed> Products<'_, E> {
    /// Brings them back with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; rows are readable; what the epilogue points to is as [`TileEpilogue`] says, for all pixels.
    pub unsafe fn run(self, isa: Isa) {
        // SAFETY: the caller's promises.
        unsafe { E::by_isa(isa, Work::Out(self)) }
    }
}

/// A transform.
#[derive(Clone, Copy)]
pub(in crate::backend::cpu) enum Work<'a, E> {
    /// To points.
    In(Patches<'a, E>),
    /// To outputs.
    Out(Products<'a, E>),
}

/// A type that values are stored in, with transforms of its own.
pub(in crate::backend::cpu) trait Transformed: Element {
    /// # Safety
    /// As [`Patches::run`] and [`Products::run`].
    unsafe fn by_isa(isa: Isa, work: Work<Self>);
}

type F32Work<'a> = Work<'a, f32>;
per_isa!(F32Work);
per_isa_bf16!(Work<bf16>);

/// # Safety
/// As [`Transformed::by_isa`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(work: F32Work) {
    // SAFETY: the caller's promises.
    unsafe { by_form::<f32, V>(work) }
}

/// # Safety
/// As [`Transformed::by_isa`].
#[inline(always)]
unsafe fn dispatch_bf16<V: Multiply<bf16>>(work: Work<bf16>) {
    // SAFETY: the caller's promises.
    unsafe { by_form::<bf16, V>(work) }
}

impl Transformed for f32 {
    unsafe fn by_isa(isa: Isa, work: Work<f32>) {
        // SAFETY: the caller's promises.
        unsafe { by_isa(isa, work) }
    }
}

impl Transformed for bf16 {
    unsafe fn by_isa(isa: Isa, work: Work<bf16>) {
        // SAFETY: the caller's promises.
        unsafe { by_isa_bf16(isa, work) }
    }
}

/// Picks the transform whose extents are constants.
///
/// # Safety
/// As [`Transformed::by_isa`].
#[inline(always)]
unsafe fn by_form<E: Element, V: Multiply<E>>(work: Work<E>) {
    // SAFETY: the caller's promises.
    unsafe {
        match work {
            Work::In(patches) => match patches.form {
                Form::Square3 => patches_in::<E, V, F43, F43, 6, 6>(patches),
                Form::Row7 => patches_in::<E, V, Single, F47, 1, 10>(patches),
                Form::Column7 => patches_in::<E, V, F47, Single, 10, 1>(patches),
            },
            Work::Out(products) => match products.form {
                Form::Square3 => products_out::<E, V, F43, F43, 6, 6, 4, 4>(products),
                Form::Row7 => products_out::<E, V, Single, F47, 1, 10, 1, 4>(products),
                Form::Column7 => products_out::<E, V, F47, Single, 10, 1, 4, 1>(products),
            },
        }
    }
}

/// # Safety
/// As [`Patches::run`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn patches_in<E: Element, V: Multiply<E>, Y: Axis, X: Axis, const PY: usize, const PX: usize>(
    patches: Patches<E>,
) {
    let channels = patches.vectors * V::LANES;
    for (patch, pixels) in patches.pixels.chunks_exact(PY * PX).enumerate() {
        for c in (0..channels).step_by(V::LANES) {
            // SAFETY: pixels hold `channels` values, and each point has a row for each patch.
            unsafe {
                let to = patches.to.add(patch * channels + c);
                let mut rows = [[V::splat(0.0); PX]; PY];
                for y in 0..PY {
                    let mut row = [V::splat(0.0); PX];
                    for x in 0..PX {
                        row[x] = V::read(pixels[y * PX + x].add(c));
                    }
                    rows[y] = axis::input::<V, X, PX>(row);
                }
                for x in 0..PX {
                    let mut column = [V::splat(0.0); PY];
                    for y in 0..PY {
                        column[y] = rows[y][x];
                    }
                    let column = axis::input::<V, Y, PY>(column);
                    for y in 0..PY {
                        column[y].store(to.add((y * PX + x) * patches.stride));
                    }
                }
            }
        }
    }
}

/// # Safety
/// As [`Products::run`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn products_out<
    E: Element,
    V: Multiply<E>,
    Y: Axis,
    X: Axis,
    const PY: usize,
    const PX: usize,
    const OY: usize,
    const OX: usize,
>(
    products: Products<E>,
) {
    let width = products.vectors * V::LANES;
    for v in 0..products.vectors {
        // SAFETY: each patch has a row for each point; the caller's promises for the pixels.
        unsafe {
            let finish = Finish::<E, V>::new(&products.epilogue, v * V::LANES);
            let mut from = products.from.add(v * V::LANES);
            for pixels in products.pixels.chunks_exact(OY * OX) {
                let mut columns = [[V::splat(0.0); OY]; PX];
                for x in 0..PX {
                    let mut column = [V::splat(0.0); PY];
                    for y in 0..PY {
                        column[y] = V::load(from.add((y * PX + x) * products.stride));
                    }
                    columns[x] = axis::output::<V, Y, PY, OY>(column);
                }
                for y in 0..OY {
                    let mut row = [V::splat(0.0); PX];
                    for x in 0..PX {
                        row[x] = columns[x][y];
                    }
                    let row = axis::output::<V, X, PX, OX>(row);
                    for x in 0..OX {
                        let pixel = pixels[y * OX + x];
                        if pixel != OUTSIDE {
                            finish.write(row[x], pixel, products.to.add(pixel * products.to_stride));
                        }
                    }
                }
                from = from.add(width);
            }
        }
    }
}

/// An epilogue for one vector of channels. All of it is at hand: as far as the compiler knows, what is written may be where
/// the epilogue lies.
struct Finish<E, V> {
    bias: V,
    alpha: V,
    activation: Activation,
    scale: V,
    /// The first pixel's residual, and values from one pixel to the next.
    residual: *const E,
    residual_stride: usize,
    /// Where the vector lies within a pixel, and how many of its channels there are.
    first: usize,
    channels: usize,
}

impl<E: Element, V: Multiply<E>> Finish<E, V> {
    /// For the vector that begins `at` after the panel's first channel.
    ///
    /// # Safety
    /// The instruction set is there; bias and alpha hold whole vectors.
    #[inline(always)]
    unsafe fn new(e: &TileEpilogue<E>, at: usize) -> Self {
        // SAFETY: the caller's promises.
        let load = |from: *const f32| unsafe { if from.is_null() { V::splat(0.0) } else { V::load(from.add(at)) } };
        Finish {
            bias: load(e.bias),
            alpha: load(e.alpha),
            activation: e.activation,
            // SAFETY: as above.
            scale: unsafe { V::splat(e.scale) },
            residual: if e.residual.is_null() { e.residual } else { e.residual.wrapping_add(at) },
            residual_stride: e.residual_stride,
            first: e.first + at,
            channels: e.channels.saturating_sub(at).min(V::LANES),
        }
    }

    /// Writes the vector of a pixel, which starts at `to`.
    ///
    /// # Safety
    /// The instruction set is there; the pixel's residual is readable, and its channels are writable.
    #[inline(always)]
    unsafe fn write(&self, sums: V, pixel: usize, to: *mut E) {
        // SAFETY: the caller's promises.
        unsafe {
            let mut y = sums.add(self.bias);
            if !self.residual.is_null() {
                y = self.residual(pixel).mul_add(self.scale, y);
            }
            let y = activate(self.activation, y, self.alpha);
            let to = to.add(self.first);
            if self.channels == V::LANES {
                return y.write(to);
            }
            let mut values = [E::default(); MAX_WIDTH];
            y.write(values.as_mut_ptr());
            to.copy_from_nonoverlapping(values.as_ptr(), self.channels);
        }
    }

    /// A pixel's residual; channels that are not there are zeros.
    ///
    /// # Safety
    /// As [`Finish::write`].
    #[inline(always)]
    unsafe fn residual(&self, pixel: usize) -> V {
        // SAFETY: the caller's promises.
        unsafe {
            let from = self.residual.add(pixel * self.residual_stride);
            if self.channels == V::LANES {
                return V::read(from);
            }
            let mut values = [E::default(); MAX_WIDTH];
            values.as_mut_ptr().copy_from_nonoverlapping(from, self.channels);
            V::read(values.as_ptr())
        }
    }
}
