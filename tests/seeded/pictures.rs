//! Pictures with something to see at every scale.

use warpface::image::Rgb8;

use crate::common::Noise;

/// Pictures `[h, w]`, each of other patches of colour, from 4 to 64 pixels wide, laid over one another.
pub fn many(count: usize, width: usize, height: usize) -> Vec<Rgb8> {
    (0..count).map(|i| picture(i as u64, width, height)).collect()
}

fn picture(seed: u64, width: usize, height: usize) -> Rgb8 {
    let mut noise = Noise::new(1000 + seed);
    let mut data = vec![0.0f32; width * height * 3];
    for patch in [64, 16, 4] {
        let across = width.div_ceil(patch);
        let colours = noise.tensor(&[height.div_ceil(patch), across, 3], 0.0, 255.0 / 3.0);
        for y in 0..height {
            for x in 0..width {
                let from = (y / patch * across + x / patch) * 3;
                let to = (y * width + x) * 3;
                (0..3).for_each(|c| data[to + c] += colours.data()[from + c]);
            }
        }
    }
    Rgb8::new(width, height, data.into_iter().map(|x| x as u8).collect())
}
