//! The page of `tsne`: points over which faces appear, without a script.

use std::fmt::{self, Write};

use crate::cli::faces::Faces;
use crate::eval::report::page::{self, DataUri, Escaped};

/// Side of a face that appears.
const FACE: usize = 96;

/// What makes points of elements, and shows what is in them.
const STYLE: &str = "<style>
.plane { position: relative; aspect-ratio: 1; max-width: 900px; margin: 24px auto 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px }
.plane > a { position: absolute; width: 9px; height: 9px; margin: -4.5px 0 0 -4.5px; border-radius: 50%; outline-offset: 2px }
.plane > a > span { display: none; position: absolute; left: 8px; top: 8px; padding: 6px; width: 108px; border-radius: 8px; background: var(--card); border: 1px solid var(--line); color: var(--ink); font-size: 11px; line-height: 1.3; overflow-wrap: anywhere; pointer-events: none }
.plane > a.left > span { left: auto; right: 8px } .plane > a.up > span { top: auto; bottom: 8px }
.plane > a:hover, .plane > a:focus { z-index: 1; box-shadow: 0 0 0 2px var(--ink) }
.plane > a:hover > span, .plane > a:focus > span { display: block }
.plane img { display: block; width: 96px; height: 96px; border-radius: 4px }
</style>
";

/// The page; of the faces `pictures` are shown, evenly spread, and of the others the names.
pub fn html(
    title: &str,
    facts: &[(&'static str, serde_json::Value)],
    faces: &Faces,
    places: &[[f32; 2]],
    colours: &[[u8; 3]],
    pictures: usize,
) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, title, facts, faces, (places, colours), pictures);
    page
}

fn write_page(
    page: &mut String,
    title: &str,
    facts: &[(&'static str, serde_json::Value)],
    faces: &Faces,
    (places, colours): (&[[f32; 2]], &[[u8; 3]]),
    pictures: usize,
) -> fmt::Result {
    page::begin(page, title)?;
    let facts: Vec<(&str, String)> = facts.iter().map(|(name, value)| (*name, super::short(value))).collect();
    let count = faces.len().to_string();
    let chips = facts.iter().map(|(name, value)| (*name, value.as_str())).chain([("faces", count.as_str())]);
    page::header(page, "embeddings", title, chips)?;
    page.push_str(STYLE);
    page.push_str("<section class=\"plane\" aria-label=\"Faces by their embeddings\">\n");
    let thumbnails = thumbnails(faces, pictures);
    for (row, thumbnail) in thumbnails.iter().enumerate() {
        let ([x, y], [r, g, b]) = (places[row], colours[row]);
        let side = format!("{}{}", if x > 0.5 { "left " } else { "" }, if y > 0.5 { "up" } else { "" });
        let (label, name) = (Escaped(&faces.labels[row]), faces.images[row].file_name().unwrap_or_default());
        let (left, top) = (2.0 + 96.0 * x, 2.0 + 96.0 * y);
        write!(
            page,
            "<a tabindex=\"0\" class=\"{}\" style=\"left:{left:.2}%;top:{top:.2}%;background:#{r:02x}{g:02x}{b:02x}\"><span>",
            side.trim()
        )?;
        if let Some(thumbnail) = thumbnail {
            write!(page, "<img src=\"{}\" alt=\"\" loading=\"lazy\">", DataUri(thumbnail))?;
        }
        writeln!(page, "<b>{label}</b><br>{}</span></a>", Escaped(&name.to_string_lossy()))?;
    }
    page.push_str(
        "</section>\n<footer><p>Hover over a point, or reach it by the tab key, to see the face.</p></footer>\n",
    );
    page::end(page);
    Ok(())
}

/// Small pictures of evenly spread faces; a photograph that is gone has none.
fn thumbnails(faces: &Faces, most: usize) -> Vec<Option<Vec<u8>>> {
    let taken = |row: usize| (row + 1) * most / faces.len().max(1) > row * most / faces.len().max(1);
    faces.thumbnails((0..faces.len()).map(|row| (most >= faces.len() || taken(row)).then_some(row)), FACE)
}
