//! OpenCV's `warpAffine`, which cuts faces out by their landmarks.

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, nhwc};
use crate::image::{Affine, PARTS, Places, Source, Warp, invert_affine};
use crate::{Shape, Tensor};

/// Warps bytes `x: [n, h_in, w_in, c]`, 0 to 255, to `[n, h, w, c]`, whole numbers again: bilinear, with zeros outside `x`.
///
/// The second input, `places`, is where the pixels of each image come from, as numbers that f32 holds exactly;
/// [`WarpAffine::places`] makes it of maps from `x` to the result. By [`Warp::Exact`] it is the inverse maps, rounded to f32
/// as OpenCV 5.0 rounds them: `[n, 2, 3]`. By [`Warp::OpenCv4`] it is `[n, h + w, 4]`: what each row, then each column gives
/// to x and to y, each as whole pixels and 1/1024, which the host computes in f64 as OpenCV 4.x does.
///
/// By [`Warp::OpenCv4`] every device gives the same bytes; by [`Warp::Exact`] a device that does not fuse products and sums
/// may be off by one level where a value lies between two.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarpAffine {
    /// Rows of the result.
    pub h: usize,
    /// Columns of the result.
    pub w: usize,
    /// The arithmetic.
    pub warp: Warp,
}

impl WarpAffine {
    /// The second input, of a map from `x` to the result for each image.
    pub fn places(&self, maps: &[Affine]) -> Tensor {
        let of = |map: &Affine| Places::new(&invert_affine(map), self.w, self.h, self.warp).to_numbers();
        let [rows, columns] = self.numbers();
        Tensor::new([maps.len(), rows, columns], maps.iter().flat_map(of).collect())
    }

    /// The extents of an image's places.
    fn numbers(&self) -> [usize; 2] {
        match self.warp {
            Warp::Exact => [2, 3],
            Warp::OpenCv4 => [self.h + self.w, PARTS],
        }
    }
}

impl Operator for WarpAffine {
    const STEM: &'static str = "warp_affine";
    const F32_ALONE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, places")?;
        let [n, _, _, c] = nhwc(inputs, 0, "x")?;
        let [rows, columns] = self.numbers();
        if inputs[1].dims() != [n, rows, columns] {
            return Err(format!("expected places: [{n}, {rows}, {columns}], got {}", inputs[1]));
        }
        Ok([n, self.h, self.w, c].into())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        8 * output.elements() as u64
    }

    fn by_image(&self, _: usize) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        match self.warp {
            Warp::Exact => Tolerance::new(1.0, 0.0),
            Warp::OpenCv4 => Tolerance::EXACT,
        }
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let &[n, height, width, channels] = inputs[0].dims() else { unreachable!("checked by shape") };
        let [rows, columns] = self.numbers();
        let mut y = Tensor::zeros([n, self.h, self.w, channels]);
        let mut warped = vec![0; self.h * self.w * channels];
        for (i, to) in y.data_mut().chunks_exact_mut(warped.len().max(1)).enumerate() {
            let x = &inputs[0].data()[i * height * width * channels..][..height * width * channels];
            let bytes: Vec<u8> = x.iter().map(|x| x.to_u8().unwrap_or(0)).collect();
            let numbers = &inputs[1].data()[i * rows * columns..][..rows * columns];
            let numbers: Vec<f32> = numbers.iter().map(|x| x.to_f32().unwrap_or(f32::NAN)).collect();
            let places = Places::of_numbers(&numbers, self.h, self.warp);
            Source { data: &bytes, height, width, channels }.warp(&places, self.w, &mut warped);
            to.iter_mut().zip(&warped).for_each(|(to, &byte)| *to = T::of(byte.into()));
        }
        y
    }
}
