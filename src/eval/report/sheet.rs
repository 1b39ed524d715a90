//! A contact sheet: faces side by side in one self-contained HTML page.

use std::fmt::{self, Write};

use super::page::{self, DataUri, Escaped};

/// What the sheet shows.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// What the page is about, in a word or two, such as `clusters`.
    pub kind: String,
    /// The page's title, such as the folder's name.
    pub title: String,
    /// Name and value of what was chosen.
    pub chosen: Vec<(String, String)>,
    /// The figures that matter most: name, value, note.
    pub figures: Vec<(String, String, String)>,
    /// The faces, part by part.
    pub sections: Vec<Section>,
}

/// A part of a sheet.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its title, such as a person's name.
    pub title: String,
    /// What is said of all its faces.
    pub lead: String,
    /// The faces.
    pub cards: Vec<Card>,
}

/// A face on a sheet.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// A PNG or JPEG file's bytes; none of a photograph that is gone.
    pub picture: Option<Vec<u8>>,
    /// What the photograph is called.
    pub name: String,
    /// What is said of it, such as a distance.
    pub note: String,
    /// Whether it stands out.
    pub marked: bool,
}

/// The page.
pub fn html(sheet: &Sheet) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, sheet);
    page
}

fn write_page(page: &mut String, sheet: &Sheet) -> fmt::Result {
    page::begin(page, &sheet.title)?;
    let chosen = sheet.chosen.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    page::header(page, &sheet.kind, &sheet.title, chosen)?;
    page::tiles(page, sheet.figures.iter().map(|(name, value, note)| (name.as_str(), value.clone(), note.clone())))?;
    sheet.sections.iter().try_for_each(|section| write_section(page, section))?;
    page::end(page);
    Ok(())
}

fn write_section(page: &mut String, section: &Section) -> fmt::Result {
    let (title, lead) = (Escaped(&section.title), Escaped(&section.lead));
    writeln!(page, "<section>\n<h2>{title}</h2>\n<p class=\"lead\">{lead}</p>\n<div class=\"cards\">")?;
    for card in &section.cards {
        let class = if card.marked { " class=\"wrong\"" } else { "" };
        let name = Escaped(&card.name);
        write!(page, "<article{class} title=\"{name}\">")?;
        match &card.picture {
            Some(picture) => write!(page, "<img src=\"{}\" alt=\"{name}\" loading=\"lazy\">", DataUri(picture))?,
            None => page.push_str("<div class=\"gone\">no picture</div>"),
        }
        writeln!(page, "<p class=\"verdict\">{}</p><p class=\"names\">{name}</p></article>", Escaped(&card.note))?;
    }
    page.push_str("</div>\n</section>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_holds_what_it_is_given_as_text() {
        let card = Card { picture: None, name: "<b>.jpg".into(), note: "0.5 & more".into(), marked: true };
        let shown = Card { picture: Some(vec![0xff, 0xd8]), ..Card::default() };
        let section = Section { title: "Ann".into(), lead: "two".into(), cards: vec![card, shown] };
        let page = html(&Sheet { kind: "clusters".into(), sections: vec![section], ..Sheet::default() });
        assert!(page.contains("&lt;b&gt;.jpg") && page.contains("0.5 &amp; more") && page.contains("class=\"wrong\""));
        assert_eq!(page.matches("<img src=\"data:image/jpeg;base64,/9g=\"").count(), 1);
    }
}
