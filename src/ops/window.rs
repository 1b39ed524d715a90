//! The geometry that convolutions and pools share: padding rules and output extents.

use std::ops::Range;

use serde::Deserialize;

use super::Real;
use crate::{Shape, Tensor};

/// How a window meets the border: in TensorFlow's terms, or in Torch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// As many outputs as there are strides in the input, rounded up; an odd pad has its larger half after.
    Same,
    /// Only windows that lie within the input.
    Valid,
    /// This many elements of padding on every side, fewer than the window has; pools do not count them.
    Around(usize),
}

/// One axis of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// How many positions the window takes.
    pub out: usize,
    /// How many elements of padding precede the input.
    pub before: usize,
}

impl Axis {
    /// The axis of a window of `kernel` elements that moves by `stride` over `input` elements; `None` if it fits nowhere.
    pub fn new(input: usize, kernel: usize, stride: usize, padding: Padding) -> Option<Axis> {
        if input == 0 || kernel == 0 || stride == 0 {
            return None;
        }
        match padding {
            Padding::Valid => (input >= kernel).then(|| Axis { out: (input - kernel) / stride + 1, before: 0 }),
            Padding::Same => {
                let out = input.div_ceil(stride);
                let total = ((out - 1) * stride + kernel).saturating_sub(input);
                Some(Axis { out, before: total / 2 })
            }
            Padding::Around(pad) => {
                // A window of padding alone has no maximum and no mean.
                let room = input.checked_add(pad.checked_mul(2)?)?.checked_sub(kernel)?;
                (pad < kernel).then(|| Axis { out: room / stride + 1, before: pad })
            }
        }
    }

    /// The input elements that the window at `position` covers, clipped to the input.
    pub fn span(&self, position: usize, input: usize, kernel: usize, stride: usize) -> std::ops::Range<usize> {
        let start = position * stride;
        start.saturating_sub(self.before)..(start + kernel).saturating_sub(self.before).min(input)
    }

    /// The positions whose window, of `kernel` elements in steps of `stride`, covers an element of the input.
    pub fn covering(&self, element: usize, kernel: usize, stride: usize) -> std::ops::Range<usize> {
        let place = element + self.before;
        (place + 1).saturating_sub(kernel).div_ceil(stride)..(place / stride + 1).min(self.out)
    }
}

/// Both axes of a window over `h` x `w`; the error says which extent is too small.
pub fn axes([h, w]: [usize; 2], kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<[Axis; 2], String> {
    match (Axis::new(h, kernel[0], stride[0], padding), Axis::new(w, kernel[1], stride[1], padding)) {
        (Some(y), Some(x)) => Ok([y, x]),
        _ => Err(format!(
            "a {}x{} window with stride {stride:?} and padding {padding:?} does not fit into {h}x{w}",
            kernel[0], kernel[1]
        )),
    }
}

/// Reduces the part of each window that lies within `x: [n, h, w, c]`, channel by channel: what pools share.
pub(super) fn reduce<T: Real>(
    x: &Tensor<T>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    f: impl Fn(&mut dyn Iterator<Item = T>) -> T,
) -> Tensor<T> {
    let &[n, h, w, c] = x.dims() else { unreachable!("checked by shape") };
    let [ay, ax] = axes([h, w], kernel, stride, padding).expect("checked by shape");
    let mut y = Tensor::zeros([n, ay.out, ax.out, c]);
    for (at, out) in y.data_mut().iter_mut().enumerate() {
        let (channel, ox, oy, image) = (at % c, at / c % ax.out, at / c / ax.out % ay.out, at / c / ax.out / ay.out);
        let rows = ay.span(oy, h, kernel[0], stride[0]);
        let columns = ax.span(ox, w, kernel[1], stride[1]);
        let pixels = rows.flat_map(|iy| columns.clone().map(move |ix| (image * h + iy) * w + ix));
        *out = f(&mut pixels.map(|pixel| x.data()[pixel * c + channel]));
    }
    y
}

/// Makes each element of the gradient of a pool's input of this shape: `f` is given its place, and for each window that
/// covers it the output's place and the rows and columns that the window covers. What pools' gradients share.
pub(super) fn gather<T: Real>(
    x: &Shape,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    f: impl Fn(usize, &mut dyn Iterator<Item = (usize, Range<usize>, Range<usize>)>) -> T,
) -> Tensor<T> {
    let &[_, h, w, c] = x.dims() else { unreachable!("checked by shape") };
    let [ay, ax] = axes([h, w], kernel, stride, padding).expect("checked by shape");
    let mut dx = Tensor::zeros(x.clone());
    for (at, out) in dx.data_mut().iter_mut().enumerate() {
        let (channel, ix, iy, image) = (at % c, at / c % w, at / c / w % h, at / c / w / h);
        let columns = ax.covering(ix, kernel[1], stride[1]);
        let windows = ay.covering(iy, kernel[0], stride[0]).flat_map(|oy| columns.clone().map(move |ox| (oy, ox)));
        *out = f(
            at,
            &mut windows.map(|(oy, ox)| {
                let output = ((image * ay.out + oy) * ax.out + ox) * c + channel;
                (output, ay.span(oy, h, kernel[0], stride[0]), ax.span(ox, w, kernel[1], stride[1]))
            }),
        );
    }
    dx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_pads_the_larger_half_after() {
        assert_eq!(Axis::new(5, 2, 2, Padding::Same), Some(Axis { out: 3, before: 0 }));
        assert_eq!(Axis::new(5, 3, 2, Padding::Same), Some(Axis { out: 3, before: 1 }));
        assert_eq!(Axis::new(6, 3, 2, Padding::Same), Some(Axis { out: 3, before: 0 }));
        assert_eq!(Axis::new(1, 7, 1, Padding::Same), Some(Axis { out: 1, before: 3 }));
    }

    #[test]
    fn valid_needs_room() {
        assert_eq!(Axis::new(2, 3, 1, Padding::Valid), None);
        assert_eq!(Axis::new(147, 3, 2, Padding::Valid), Some(Axis { out: 73, before: 0 }));
    }

    #[test]
    fn padding_around_is_less_than_the_window() {
        assert_eq!(Axis::new(96, 7, 2, Padding::Around(3)), Some(Axis { out: 48, before: 3 }));
        assert_eq!(Axis::new(48, 3, 2, Padding::Around(1)), Some(Axis { out: 24, before: 1 }));
        assert_eq!(Axis::new(1, 3, 1, Padding::Around(1)), Some(Axis { out: 1, before: 1 }));
        assert_eq!(Axis::new(1, 4, 1, Padding::Around(1)), None);
        assert_eq!(Axis::new(5, 3, 1, Padding::Around(3)), None);
        assert_eq!(Axis::new(5, 3, 1, Padding::Around(usize::MAX)), None);
    }

    #[test]
    fn dumps_say_padding_in_a_word_or_with_a_number() {
        let read = |text: &str| serde_json::from_str::<Padding>(text).unwrap();
        assert_eq!(read("\"same\""), Padding::Same);
        assert_eq!(read("\"valid\""), Padding::Valid);
        assert_eq!(read("{\"around\": 3}"), Padding::Around(3));
    }

    #[test]
    fn spans_are_clipped() {
        let axis = Axis::new(5, 3, 2, Padding::Same).unwrap();
        assert_eq!(axis.span(0, 5, 3, 2), 0..2);
        assert_eq!(axis.span(2, 5, 3, 2), 3..5);
    }

    #[test]
    fn an_element_is_covered_by_the_windows_that_span_it() {
        for (input, kernel, stride, padding) in [
            (5, 3, 2, Padding::Same),
            (9, 2, 3, Padding::Valid),
            (1, 7, 1, Padding::Same),
            (6, 5, 3, Padding::Around(4)),
        ] {
            let axis = Axis::new(input, kernel, stride, padding).unwrap();
            for element in 0..input {
                let spans = (0..axis.out).filter(|&at| axis.span(at, input, kernel, stride).contains(&element));
                let covering = axis.covering(element, kernel, stride);
                assert_eq!(
                    spans.collect::<Vec<_>>(),
                    covering.collect::<Vec<_>>(),
                    "{input} {kernel} {stride} {element}"
                );
            }
        }
    }
}
