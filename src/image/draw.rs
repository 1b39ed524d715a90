//! Found faces, drawn onto their photograph.

use super::Rgb8;

/// A face to be drawn, in pixels of the photograph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawFace {
    /// `[x1, y1, x2, y2]`.
    pub bounds: [f32; 4],
    /// The detector's score, 0 to 1.
    pub score: f32,
    /// `[x, y]` of the eyes, the nose and the corners of the mouth.
    pub landmarks: [[f32; 2]; 5],
}

const FRAME: [u8; 3] = [64, 224, 128];
const MARK: [u8; 3] = [255, 196, 0];
const INK: [u8; 3] = [16, 32, 24];

/// Draws each face's frame, landmarks and score, in lines whose width goes with the photograph's size.
pub fn draw_faces(img: &mut Rgb8, faces: &[DrawFace]) {
    let longest = img.width().max(img.height()) as f32;
    let line = (longest / 300.0).round().max(2.0);
    for face in faces {
        draw_frame(img, face.bounds, line);
    }
    for face in faces {
        let side = (face.bounds[2] - face.bounds[0]).abs();
        let radius = (line * 1.25).min(side / 16.0).max(1.0);
        for [x, y] in face.landmarks {
            fill_disc(img, x, y, radius, MARK);
        }
        draw_score(img, face, line);
    }
}

fn draw_frame(img: &mut Rgb8, [x1, y1, x2, y2]: [f32; 4], line: f32) {
    let (outer, inner) = ((line / 2.0).floor(), (line / 2.0).ceil());
    for (a, b) in [(y1 - outer, y1 + inner), (y2 - inner, y2 + outer)] {
        fill_rect(img, [x1 - outer, a, x2 + outer, b], FRAME);
    }
    for (a, b) in [(x1 - outer, x1 + inner), (x2 - inner, x2 + outer)] {
        fill_rect(img, [a, y1 - outer, b, y2 + outer], FRAME);
    }
}

/// The score on a tab on the frame's upper edge, or under it where the photograph ends.
fn draw_score(img: &mut Rgb8, face: &DrawFace, line: f32) {
    let text = format!("{:.2}", face.score);
    let dot = line;
    let height = (GLYPH_HEIGHT as f32 + 2.0) * dot;
    let width = (text.len() as f32 * (GLYPH_WIDTH as f32 + 1.0) + 1.0) * dot;
    let above = face.bounds[1] - (line / 2.0).floor() - height;
    let (left, top) = (face.bounds[0] - (line / 2.0).floor(), if above >= 0.0 { above } else { face.bounds[1] });
    fill_rect(img, [left, top, left + width, top + height], FRAME);
    for (i, glyph) in text.chars().filter_map(glyph).enumerate() {
        let x = left + dot + i as f32 * (GLYPH_WIDTH as f32 + 1.0) * dot;
        for (row, bits) in glyph.into_iter().enumerate() {
            let y = top + (1 + row) as f32 * dot;
            for column in (0..GLYPH_WIDTH).filter(|column| bits >> (GLYPH_WIDTH - 1 - column) & 1 == 1) {
                let x = x + column as f32 * dot;
                fill_rect(img, [x, y, x + dot, y + dot], INK);
            }
        }
    }
}

const GLYPH_WIDTH: usize = 3;
const GLYPH_HEIGHT: usize = 5;

/// A character's five rows, the leftmost of three dots in the highest bit.
fn glyph(c: char) -> Option<[u8; GLYPH_HEIGHT]> {
    Some(match c {
        '0' => [0b111, 0b101, 0b101, 0b101, 0b111],
        '1' => [0b010, 0b110, 0b010, 0b010, 0b111],
        '2' => [0b111, 0b001, 0b111, 0b100, 0b111],
        '3' => [0b111, 0b001, 0b111, 0b001, 0b111],
        '4' => [0b101, 0b101, 0b111, 0b001, 0b001],
        '5' => [0b111, 0b100, 0b111, 0b001, 0b111],
        '6' => [0b111, 0b100, 0b111, 0b101, 0b111],
        '7' => [0b111, 0b001, 0b010, 0b010, 0b010],
        '8' => [0b111, 0b101, 0b111, 0b101, 0b111],
        '9' => [0b111, 0b101, 0b111, 0b001, 0b111],
        '.' => [0b000, 0b000, 0b000, 0b000, 0b010],
        '-' => [0b000, 0b000, 0b111, 0b000, 0b000],
        _ => return None,
    })
}

/// Casting floats to integers saturates, and sends NaN to 0: no coordinate leaves the picture.
fn fill_rect(img: &mut Rgb8, [x1, y1, x2, y2]: [f32; 4], color: [u8; 3]) {
    let (width, height) = (img.width(), img.height());
    let (x1, x2) = (x1.round() as usize, (x2.round() as usize).min(width));
    let (y1, y2) = (y1.round() as usize, (y2.round() as usize).min(height));
    for y in y1..y2 {
        for x in x1..x2 {
            img.data_mut()[(y * width + x) * 3..][..3].copy_from_slice(&color);
        }
    }
}

/// A disc with a soft edge.
pub(super) fn fill_disc(img: &mut Rgb8, cx: f32, cy: f32, radius: f32, color: [u8; 3]) {
    let (width, height) = (img.width(), img.height());
    let reach = radius + 1.0;
    let span = |center: f32, end: usize| ((center - reach) as usize)..((center + reach + 1.0) as usize).min(end);
    for y in span(cy, height) {
        for x in span(cx, width) {
            let distance = (x as f32 - cx).hypot(y as f32 - cy);
            let cover = (radius + 0.5 - distance).clamp(0.0, 1.0);
            for (sample, ink) in img.data_mut()[(y * width + x) * 3..][..3].iter_mut().zip(color) {
                *sample = (f32::from(*sample) * (1.0 - cover) + f32::from(ink) * cover).round() as u8;
            }
        }
    }
}
