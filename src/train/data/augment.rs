//! A decoded photograph to a network's input: turned, cropped, mirrored, standardized, in the original's order.

use std::ops::Range;

use serde::Serialize;

use crate::image::{Rgb8, crop, flip_horizontal, pad};
use crate::ops::Standardize;
use crate::random::Stream;

/// The most degrees that a photograph is turned, to either side.
const MAX_ANGLE: f32 = 10.0;

/// What is done to each photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Augment {
    /// Height and width of what comes out.
    pub image_size: usize,
    /// Take the square from anywhere, not from the middle.
    pub random_crop: bool,
    /// Mirror one half of the photographs.
    pub random_flip: bool,
    /// Turn by up to 10 degrees.
    pub random_rotate: bool,
    /// How bytes become floats.
    pub standardize: Standardize,
}

impl Augment {
    /// No chance in it: what validation and evaluation use.
    pub fn plain(image_size: usize, standardize: Standardize) -> Self {
        Augment { image_size, random_crop: false, random_flip: false, random_rotate: false, standardize }
    }

    /// Writes the photograph into `out`, `[image_size, image_size, 3]`.
    ///
    /// Photographs are not resized. An axis that is shorter than `image_size` is padded with black, as much on both sides
    /// (`tf.image.resize_image_with_crop_or_pad`); with `random_crop` too, where TensorFlow fails.
    ///
    /// All depends on `random`'s first words alone: word 0 turns, word 1 mirrors, the rest crops. So one kind of chance
    /// is the same whether the others are on or off.
    ///
    /// # Panics
    /// If `out` is not of that size.
    pub fn apply(&self, photo: &Rgb8, random: &mut Stream, out: &mut [f32]) {
        let angle = MAX_ANGLE * (2.0 * random.uniform() - 1.0);
        let mirrored = random.uniform() < 0.5;
        let mut start = |extent: usize| match extent.saturating_sub(self.image_size) {
            room if self.random_crop => random.below(room as u64 + 1) as usize,
            room => room / 2,
        };
        let (y, x) = (start(photo.height()), start(photo.width()));
        let (x1, y1) = (x + self.image_size, y + self.image_size);
        // Turning keeps the size, and what is cropped away need not be turned.
        let part = match self.random_rotate {
            true => rotate_part(photo, f64::from(angle), x..x1.min(photo.width()), y..y1.min(photo.height())),
            false => crop(photo, x, y, x1, y1),
        };
        let square = pad(part, self.image_size);
        let square = if self.random_flip && mirrored { flip_horizontal(&square) } else { square };
        self.standardize.pixels(&square, out);
    }
}

/// The picture turned counterclockwise about its middle by `degrees`, of the same size, corners black: what
/// `scipy.misc.imrotate(image, degrees, 'bicubic')` did by way of Pillow, whose cubic (a = -1) and edges these are.
pub fn rotate(src: &Rgb8, degrees: f64) -> Rgb8 {
    rotate_part(src, degrees, 0..src.width(), 0..src.height())
}

/// These columns and rows of the turned picture.
fn rotate_part(src: &Rgb8, degrees: f64, columns: Range<usize>, rows: Range<usize>) -> Rgb8 {
    let (width, height) = (src.width() as f64, src.height() as f64);
    // Pillow rounds the matrix to 15 digits.
    let [cos, sin] = [degrees.to_radians().cos(), -degrees.to_radians().sin()].map(|x| (x * 1e15).round() / 1e15);
    let (centre_x, centre_y) = (width / 2.0, height / 2.0);
    let (offset_x, offset_y) =
        (cos * -centre_x + sin * -centre_y + centre_x, -sin * -centre_x + cos * -centre_y + centre_y);
    let mut dst = Rgb8::black(columns.len(), rows.len());
    let pixels = rows.flat_map(|row| columns.clone().map(move |column| (column as f64 + 0.5, row as f64 + 0.5)));
    for (pixel, (x, y)) in dst.data_mut().chunks_exact_mut(3).zip(pixels) {
        let (x, y) = (cos * x + sin * y + offset_x, -sin * x + cos * y + offset_y);
        if x >= 0.0 && x < width && y >= 0.0 && y < height {
            pixel.copy_from_slice(&interpolate(src, x - 0.5, y - 0.5));
        }
    }
    dst
}

/// The colour at `(x, y)`, where pixels' centres are whole numbers, from the 4 x 4 pixels around it; beyond an edge, the
/// edge's repeat.
fn interpolate(src: &Rgb8, x: f64, y: f64) -> [u8; 3] {
    let (left, top) = (floor(x), floor(y));
    let (dx, dy) = (x - left as f64, y - top as f64);
    let (width, height) = (src.width() as isize, src.height() as isize);
    let inside = left >= 1 && left + 2 < width;
    let along = [-1, 0, 1, 2].map(|i| {
        let row = src.row((top + i).clamp(0, height - 1) as usize);
        let mut four = [[0; 3]; 4];
        if inside {
            four.copy_from_slice(&row[(left as usize - 1) * 3..].as_chunks().0[..4]);
        } else {
            four = [-1, 0, 1, 2].map(|i| {
                let column = (left + i).clamp(0, width - 1) as usize * 3;
                [row[column], row[column + 1], row[column + 2]]
            });
        }
        cubic(four.map(|pixel| pixel.map(f64::from)), dx)
    });
    cubic(along, dy).map(|sample| sample as u8)
}

/// Without the call into the system's library that `f64::floor` is on a processor of unknown age.
fn floor(x: f64) -> isize {
    let towards_zero = x as isize;
    towards_zero - isize::from(towards_zero as f64 > x)
}

/// Of each channel, the cubic of a = -1 through `v[1]` (at 0) and `v[2]` (at 1), at `t`.
fn cubic(v: [[f64; 3]; 4], t: f64) -> [f64; 3] {
    std::array::from_fn(|c| {
        let v = v.map(|pixel| pixel[c]);
        let linear = v[2] - v[0];
        let square = 2.0 * (v[0] - v[1]) + v[2] - v[3];
        let cube = -v[0] + v[1] - v[2] + v[3];
        v[1] + t * (linear + t * (square + t * cube))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::purpose;

    /// Red is the column, green the row.
    fn picture(width: usize, height: usize) -> Rgb8 {
        let pixels = (0..width * height).flat_map(|i| [(i % width) as u8 + 1, (i / width) as u8 + 1, 77]);
        Rgb8::new(width, height, pixels.collect())
    }

    fn stream(position: u32) -> Stream {
        Stream::at(5, purpose::AUGMENT, 0, position)
    }

    /// The bytes that were standardized.
    fn bytes(augment: &Augment, photo: &Rgb8, position: u32) -> Vec<u8> {
        let mut out = vec![0.0; augment.image_size * augment.image_size * 3];
        augment.apply(photo, &mut stream(position), &mut out);
        out.iter().map(|x| (x * 128.0 + 127.5) as u8).collect()
    }

    #[test]
    fn the_middle_is_cropped_and_padded_as_tensorflow_does() {
        let plain = Augment::plain(4, Standardize::Fixed);
        // Seven columns: one is left out at the left, two at the right. Three rows: the black one is below.
        let pixels = bytes(&plain, &picture(7, 3), 0);
        let columns: Vec<u8> = pixels[..12].chunks(3).map(|p| p[0]).collect();
        let rows: Vec<u8> = pixels.chunks(12).map(|row| row[1]).collect();
        assert_eq!((columns, rows), (vec![2, 3, 4, 5], vec![1, 2, 3, 0]));
        let pixels = bytes(&plain, &picture(1, 1), 0);
        assert_eq!(pixels.chunks(3).map(|p| p[2]).collect::<Vec<_>>(), {
            let mut expected = vec![0; 16];
            expected[5] = 77;
            expected
        });
    }

    #[test]
    fn random_crops_reach_every_corner_and_nothing_beyond() {
        let augment = Augment { random_crop: true, ..Augment::plain(4, Standardize::Fixed) };
        let corners: std::collections::BTreeSet<(u8, u8)> = (0..200)
            .map(|position| {
                let pixels = bytes(&augment, &picture(6, 5), position);
                for (i, p) in pixels.chunks(3).enumerate() {
                    let (x, y) = (pixels[0] + (i % 4) as u8, pixels[1] + (i / 4) as u8);
                    assert_eq!(p, [x, y, 77]);
                }
                (pixels[0], pixels[1])
            })
            .collect();
        assert_eq!(corners, (1..=3).flat_map(|x| (1..=2).map(move |y| (x, y))).collect());
        // Smaller than the square: padded in the middle.
        assert_eq!(bytes(&augment, &picture(2, 2), 3)[4 * 3 + 3..][..3], [1, 1, 77]);
    }

    #[test]
    fn half_are_mirrored_and_a_position_always_gives_the_same() {
        let augment = Augment { random_flip: true, ..Augment::plain(4, Standardize::Fixed) };
        let mirrored = (0..1000).filter(|&i| bytes(&augment, &picture(4, 4), i)[0] == 4).count();
        assert!((430..570).contains(&mirrored), "{mirrored}");
        let all = Augment { random_crop: true, random_rotate: true, ..augment };
        let photo = picture(40, 40);
        let first: Vec<_> = (0..20).map(|i| bytes(&all, &photo, i)).collect();
        assert_eq!(first, (0..20).map(|i| bytes(&all, &photo, i)).collect::<Vec<_>>());
        assert_ne!(first[0], first[1]);
        // Turning, mirroring and cropping do not disturb one another's chance.
        let flips = |augment: &Augment| (0..50).map(|i| bytes(augment, &picture(4, 4), i)[0] == 4).collect::<Vec<_>>();
        assert_eq!(flips(&augment), flips(&Augment { random_crop: true, ..augment }));
    }

    #[test]
    fn per_image_standardization_has_mean_zero_and_deviation_one() {
        let mut out = vec![0.0; 48];
        Augment::plain(4, Standardize::Prewhiten).apply(&picture(4, 4), &mut stream(0), &mut out);
        let mean = out.iter().sum::<f32>() / 48.0;
        let variance = out.iter().map(|x| x * x).sum::<f32>() / 48.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
        Augment::plain(4, Standardize::Prewhiten).apply(&Rgb8::new(4, 4, vec![9; 48]), &mut stream(0), &mut out);
        assert!(out.iter().all(|&x| x == 0.0));
    }

    #[test]
    fn turning_keeps_the_middle_and_blackens_corners() {
        let photo = Rgb8::new(61, 61, vec![200; 61 * 61 * 3]);
        let turned = rotate(&photo, 10.0);
        assert_eq!((turned.row(0)[0], turned.row(30)[30 * 3]), (0, 200));
        assert_eq!(rotate(&photo, 0.0), photo);
        // Counterclockwise: a mark at the right goes up.
        let mut marked = Rgb8::black(61, 61);
        marked.data_mut()[(30 * 61 + 58) * 3] = 255;
        let turned = rotate(&marked, 10.0);
        let brightest = (0..61 * 61).max_by_key(|i| turned.data()[i * 3]).unwrap();
        assert_eq!((brightest % 61, brightest / 61), (58, 25));
    }

    #[test]
    fn a_part_is_cut_out_of_the_whole() {
        let photo = Rgb8::new(30, 20, (0..1800u32).map(|i| (i * i * 7 % 251) as u8).collect());
        let part = rotate_part(&photo, 8.5, 3..17, 0..11);
        assert_eq!(part, crop(&rotate(&photo, 8.5), 3, 0, 17, 11));
    }

    #[test]
    fn floors_are_floors() {
        for x in [-1.0, -0.5, -1e-300, 0.0, 0.5, 1.0, 249.99999999999997, 250.0] {
            assert_eq!(floor(x) as f64, x.floor(), "{x}");
        }
    }

    /// Written by Pillow: `Image.fromarray(x).rotate(degrees, Image.BICUBIC)`.
    #[test]
    fn turning_gives_pillows_pixels() {
        let photo = Rgb8::new(6, 5, (0..90u32).map(|i| (i * i * 7 % 251) as u8).collect());
        for (degrees, expected) in [(7.3, &PILLOW_LEFT), (-9.9, &PILLOW_RIGHT)] {
            assert_eq!(rotate(&photo, degrees).data(), expected, "{degrees}");
        }
    }

    const PILLOW_LEFT: [u8; 90] = [
        19, 35, 65, 50, 114, 205, 11, 116, 171, 56, 217, 91, 14, 143, 99, 82, 20, 6, 12, 25, 52, 66, 125, 202, 17, 120,
        200, 84, 213, 112, 36, 204, 140, 111, 59, 46, 22, 32, 56, 93, 145, 242, 44, 136, 255, 124, 0, 158, 77, 205,
        203, 170, 124, 107, 52, 55, 93, 132, 204, 54, 92, 219, 41, 174, 82, 177, 146, 27, 218, 149, 173, 183, 116, 144,
        177, 195, 81, 86, 169, 10, 112, 232, 101, 46, 251, 125, 2, 51, 221, 186,
    ];
    const PILLOW_RIGHT: [u8; 90] = [
        0, 0, 7, 53, 82, 126, 18, 91, 217, 45, 161, 127, 19, 213, 111, 35, 84, 52, 10, 14, 30, 78, 118, 183, 23, 107,
        231, 73, 209, 125, 19, 222, 133, 61, 71, 45, 55, 67, 87, 118, 184, 172, 55, 148, 233, 112, 16, 145, 46, 255,
        164, 108, 85, 63, 130, 126, 120, 172, 174, 0, 116, 162, 74, 159, 27, 242, 107, 106, 235, 207, 131, 100, 186,
        100, 151, 214, 0, 106, 195, 49, 91, 242, 123, 45, 137, 130, 152, 99, 235, 203,
    ];
}
