//! What the pages of this crate share: their frame, and their parts.

use std::fmt::{self, Display, Write};

use super::plots::{self, Mark, Plot};

/// The page up to its first part.
pub fn begin(page: &mut String, title: &str) -> fmt::Result {
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} · warpface</title>\n\
         <style>\n{}{}</style>\n</head>\n<body>\n<main>\n",
        Escaped(title),
        include_str!("page.css"),
        plots::colour_rules(),
    )
}

/// The page from its last part on.
pub fn end(page: &mut String) {
    page.push_str("</main>\n</body>\n</html>\n");
}

/// What the page is about: its kind, its title, and names with values in short.
pub fn header<'a>(
    page: &mut String,
    kind: &str,
    title: &str,
    chips: impl Iterator<Item = (&'a str, &'a str)>,
) -> fmt::Result {
    writeln!(page, "<header>\n<p class=\"brand\">warpface · {kind}</p>\n<h1>{}</h1>", Escaped(title))?;
    page.push_str("<dl class=\"chips\">\n");
    for (name, value) in chips {
        writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Escaped(value))?;
    }
    page.push_str("</dl>\n</header>\n");
    Ok(())
}

/// The figures that matter most: name, value and note.
pub fn tiles<'a>(page: &mut String, tiles: impl IntoIterator<Item = (&'a str, String, String)>) -> fmt::Result {
    page.push_str("<section class=\"tiles\" aria-label=\"Figures\">\n");
    for (name, value, note) in tiles {
        writeln!(
            page,
            "<div><h2>{}</h2><p class=\"value\">{}</p><p class=\"note\">{}</p></div>",
            Escaped(name),
            Escaped(&value),
            Escaped(&note)
        )?;
    }
    page.push_str("</section>\n");
    Ok(())
}

/// A chart with its legend; `none` says what it would need where there is nothing to draw.
pub fn figure(page: &mut String, title: &str, plot: &Plot, legend: &[(Mark, String)], none: &str) -> fmt::Result {
    writeln!(page, "<figure>\n<h2>{title}</h2>")?;
    match plot {
        Some(svg) => writeln!(page, "{svg}")?,
        None => writeln!(page, "<p class=\"none\">{none}</p>")?,
    }
    page.push_str("<figcaption>");
    for (mark, name) in legend {
        write!(page, "<span><i class=\"{}\"></i>{}</span>", mark.class(), Escaped(name))?;
    }
    page.push_str("</figcaption>\n</figure>\n");
    Ok(())
}

/// A list with its length, or `none` where it is empty.
pub fn list(page: &mut String, title: &str, items: &[String], none: &str) -> fmt::Result {
    if items.is_empty() {
        return writeln!(page, "<section>\n<h2>{title}</h2>\n<p class=\"lead\">{none}</p>\n</section>");
    }
    writeln!(page, "<section>\n<h2>{title}: {}</h2>\n<ul class=\"skipped\">", items.len())?;
    for item in items {
        writeln!(page, "<li>{}</li>", Escaped(item))?;
    }
    page.push_str("</ul>\n</section>\n");
    Ok(())
}

/// A rate as percent, or a dash where it is undefined.
pub fn percent(rate: f64) -> String {
    if rate.is_nan() { "–".into() } else { format!("{:.2}\u{a0}%", 100.0 * rate) }
}

/// A number of four digits after the point, or a dash where it is undefined.
pub fn number(x: f64) -> String {
    if x.is_nan() { "–".into() } else { format!("{x:.4}") }
}

/// Text that HTML takes literally.
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            c => f.write_char(c),
        })
    }
}

/// A PNG or JPEG file within the page: `data:image/png;base64,…` (RFC 4648).
pub struct DataUri<'a>(pub &'a [u8]);

impl Display for DataUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let kind = if self.0.starts_with(&[0xff, 0xd8]) { "jpeg" } else { "png" };
        write!(f, "data:image/{kind};base64,")?;
        for chunk in self.0.chunks(3) {
            let bits = (0..3).fold(0, |bits, i| bits << 8 | usize::from(chunk.get(i).copied().unwrap_or(0)));
            for i in 0..4 {
                let digit = char::from(DIGITS[bits >> (18 - 6 * i) & 63]);
                f.write_char(if i <= chunk.len() { digit } else { '=' })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_rfc_4648() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(DataUri(bytes.as_bytes()).to_string(), format!("data:image/png;base64,{text}"));
        }
        assert!(DataUri(&[0xff, 0xd8, 0xff]).to_string().starts_with("data:image/jpeg;base64,"));
    }
}
