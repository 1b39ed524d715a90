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

/// What stands beside a face in place of its score.
#[cfg(feature = "decode")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceName {
    /// The text.
    pub text: String,
    /// Whether it is somebody's name: the frames of others are grey.
    pub is_known: bool,
}

const FRAME: [u8; 3] = [64, 224, 128];
/// Of an unknown face.
#[cfg(feature = "decode")]
const GREY: [u8; 3] = [176, 176, 176];
const MARK: [u8; 3] = [255, 196, 0];
const INK: [u8; 3] = [16, 32, 24];

/// Draws each face's frame, landmarks and score, in lines whose width goes with the photograph's size.
pub fn draw_faces(img: &mut Rgb8, faces: &[DrawFace]) {
    let line = line_width(img);
    draw_marks(img, faces, line, |_| FRAME);
    for face in faces {
        let glyphs: Vec<Glyph> = format!("{:.2}", face.score).chars().filter_map(digit).collect();
        draw_tab(img, face, line, line, FRAME, &glyphs);
    }
}

/// [`draw_faces`] with a name for each face in place of its score. ASCII and Latin-1 are drawn, an
/// underscore as a space, and a box for any other character; a text that is longer than the photograph is wide is cut.
#[cfg(feature = "decode")]
pub fn draw_named_faces(img: &mut Rgb8, faces: &[DrawFace], names: &[FaceName]) {
    let line = line_width(img);
    let color = |face: usize| if names.get(face).is_none_or(|name| name.is_known) { FRAME } else { GREY };
    draw_marks(img, faces, line, color);
    // A letter has more dots than a digit, and a name more letters than a score.
    let dot = (line / 2.0).floor().max(1.0);
    for (i, (face, name)) in faces.iter().zip(names).enumerate() {
        let glyphs: Vec<Glyph> = name.text.chars().map(letter).collect();
        draw_tab(img, face, line, dot, color(i), &glyphs);
    }
}

fn line_width(img: &Rgb8) -> f32 {
    let longest = img.width().max(img.height()) as f32;
    (longest / 300.0).round().max(2.0)
}

/// All frames, in the colour of the face at each place, and over them the landmarks.
fn draw_marks(img: &mut Rgb8, faces: &[DrawFace], line: f32, color: impl Fn(usize) -> [u8; 3]) {
    for (i, face) in faces.iter().enumerate() {
        draw_frame(img, face.bounds, line, color(i));
    }
    for face in faces {
        let side = (face.bounds[2] - face.bounds[0]).abs();
        let radius = (line * 1.25).min(side / 16.0).max(1.0);
        for [x, y] in face.landmarks {
            fill_disc(img, x, y, radius, MARK);
        }
    }
}

fn draw_frame(img: &mut Rgb8, [x1, y1, x2, y2]: [f32; 4], line: f32, color: [u8; 3]) {
    let (outer, inner) = ((line / 2.0).floor(), (line / 2.0).ceil());
    for (a, b) in [(y1 - outer, y1 + inner), (y2 - inner, y2 + outer)] {
        fill_rect(img, [x1 - outer, a, x2 + outer, b], color);
    }
    for (a, b) in [(x1 - outer, x1 + inner), (x2 - inner, x2 + outer)] {
        fill_rect(img, [a, y1 - outer, b, y2 + outer], color);
    }
}

/// A text on a tab on the frame's upper edge, or under it where the photograph ends; moved to the left as far as it would
/// reach beyond the photograph.
fn draw_tab(img: &mut Rgb8, face: &DrawFace, line: f32, dot: f32, color: [u8; 3], glyphs: &[Glyph]) {
    let rows = glyphs.iter().map(|glyph| glyph.rows.len()).max().unwrap_or(0);
    let columns: usize = glyphs.iter().map(|glyph| glyph.width + 1).sum();
    let (width, height) = ((columns as f32 + 1.0) * dot, (rows as f32 + 2.0) * dot);
    let above = face.bounds[1] - (line / 2.0).floor() - height;
    let left = face.bounds[0] - (line / 2.0).floor();
    let left =
        if left + width > img.width() as f32 { (img.width() as f32 - width).clamp(0.0, left.max(0.0)) } else { left };
    let top = if above >= 0.0 { above } else { face.bounds[1] };
    fill_rect(img, [left, top, left + width, top + height], color);
    let mut x = left + dot;
    for glyph in glyphs {
        for (row, bits) in glyph.rows.iter().enumerate() {
            let y = top + (1 + row) as f32 * dot;
            for column in (0..glyph.width).filter(|column| bits >> (glyph.width - 1 - column) & 1 == 1) {
                let x = x + column as f32 * dot;
                fill_rect(img, [x, y, x + dot, y + dot], INK);
            }
        }
        x += (glyph.width + 1) as f32 * dot;
    }
}

/// A character's rows of dots, the leftmost in the highest of `width` bits.
struct Glyph {
    width: usize,
    rows: Vec<u8>,
}

/// A character of a score.
fn digit(c: char) -> Option<Glyph> {
    let rows: [u8; 5] = match c {
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
    };
    Some(Glyph { width: 3, rows: rows.to_vec() })
}

/// A character of a name: the font has the leftmost dot in the lowest bit, and a column between characters.
#[cfg(feature = "decode")]
fn letter(c: char) -> Glyph {
    use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
    let c = if c == '_' { ' ' } else { c };
    let rows = BASIC_FONTS.get(c).or_else(|| LATIN_FONTS.get(c));
    let rows = rows.unwrap_or([0x7e, 0x42, 0x42, 0x42, 0x42, 0x42, 0x7e, 0]);
    Glyph { width: 7, rows: rows.map(|row| row.reverse_bits() >> 1).to_vec() }
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
