//! Points of a plane as a picture.

use super::Rgb8;
use super::draw::fill_disc;

/// A point with its colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// Where it is, from 0 at the left and top to 1 at the right and bottom.
    pub at: [f32; 2],
    /// Red, green, blue.
    pub colour: [u8; 3],
}

const PAPER: [u8; 3] = [255, 255, 255];

/// A white square of `side` pixels with dots on it, the later ones over the earlier; the more there are the smaller they are.
pub fn scatter(dots: &[Dot], side: usize) -> Rgb8 {
    let mut picture = Rgb8::new(side, side, PAPER.repeat(side * side));
    let whole = side as f32;
    let radius = (whole / 2.5 / (dots.len().max(1) as f32).sqrt()).clamp(whole / 800.0, whole / 100.0).max(1.0);
    let inner = whole - 4.0 * radius;
    for dot in dots {
        let [x, y] = dot.at.map(|x| 2.0 * radius + x * inner);
        fill_disc(&mut picture, x, y, radius, dot.colour);
    }
    picture
}

/// A colour for each number, neighbours far apart: hues by the golden angle, two lightnesses by turns.
pub fn colour(number: usize) -> [u8; 3] {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let hue = (number as f64 * GOLDEN).fract() * 6.0;
    let lightness = if number.is_multiple_of(2) { 0.45 } else { 0.6 };
    let channel = |shift: f64| {
        // Saturation 0.65: HSL to RGB, a trapezoid for each channel.
        let at = (hue + shift) % 6.0;
        let height = (at - 3.0).abs() - 1.0;
        let spread = 0.65 * f64::min(lightness, 1.0 - lightness);
        (255.0 * (lightness + spread * (2.0 * height.clamp(0.0, 1.0) - 1.0))).round() as u8
    };
    [channel(0.0), channel(4.0), channel(2.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_where_they_belong_and_colours_differ() {
        let dots = [Dot { at: [0.0, 0.0], colour: [9, 8, 7] }, Dot { at: [1.0, 1.0], colour: [200, 0, 0] }];
        let picture = scatter(&dots, 100);
        let pixel = |x: usize, y: usize| &picture.data()[(y * 100 + x) * 3..][..3];
        assert_eq!((pixel(2, 2), pixel(98, 98), pixel(50, 50)), (&[9, 8, 7][..], &[200, 0, 0][..], &[255; 3][..]));
        let colours: std::collections::HashSet<[u8; 3]> = (0..100).map(colour).collect();
        assert!(colours.len() > 95);
        assert_eq!(scatter(&[], 8).data(), [255; 8 * 8 * 3]);
    }
}
