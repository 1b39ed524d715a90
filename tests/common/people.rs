//! Made-up people: folders of small pictures that can be told apart.

use std::fs;
use std::path::Path;

use warpface::image::{Rgb8, save_png};

use super::Noise;

/// Writes people with photographs of `size` squared each: colours that tell them apart, and noise.
pub fn write(folder: &Path, people: usize, photographs: usize, size: usize) {
    for person in 0..people {
        for photograph in 1..=photographs {
            let mut noise = Noise::new((100 * person + photograph) as u64);
            let level = noise.bytes(&[size, size, 3]);
            let colour = |i: usize| if i % 3 == person % 3 { 160.0 } else { 20.0 * (person / 3) as f32 };
            let pixels = level.data().iter().enumerate().map(|(i, x)| (x * 0.35 + colour(i)) as u8);
            let picture = Rgb8::new(size, size, pixels.collect());
            let path = folder.join(format!("P{person}/P{person}_{photograph:04}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            save_png(&path, &picture).unwrap();
        }
    }
}
