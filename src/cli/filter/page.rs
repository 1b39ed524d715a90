//! The page of `filter`: what is marked, beside faces that are typical of the same people.

use super::{NO_LIMIT, finite, words};
use crate::cli::faces::Faces;
use crate::cli::output;
use crate::eval::report::sheet::{self, Card, Section, Sheet};
use crate::vectors::filter::{Found, Verdict};

/// Side of a face, in pixels.
const FACE: usize = 112;

/// How many typical faces of a person are shown.
const TYPICAL: usize = 6;

/// A person's faces on the page: those that are marked, and typical ones.
struct Shown {
    person: usize,
    marked: Vec<usize>,
    typical: Vec<usize>,
}

/// The page; people with the doubtful faces first, those who stand out most.
pub fn html(faces: &Faces, found: &Found, marked: &[usize]) -> String {
    let shown = shown(found, marked);
    let rows = shown.iter().flat_map(|shown| shown.marked.iter().chain(&shown.typical));
    let mut pictures = faces.thumbnails(rows.map(|&row| Some(row)), FACE).into_iter();
    let sections = shown.iter().map(|shown| section(faces, found, shown, &mut pictures)).collect();
    let count = |verdict| found.faces.iter().filter(|face| face.verdict == verdict).count().to_string();
    let beyond = finite(found.outlier_distance).map(|x| format!("beyond {x:.3} from a person's other faces"));
    let beyond = beyond.unwrap_or_else(|| format!("limit: {NO_LIMIT}"));
    sheet::html(&Sheet {
        kind: "filter".to_owned(),
        title: "Doubtful faces".to_owned(),
        chosen: vec![("model".to_owned(), faces.origin.as_ref().map_or("unknown", |origin| &origin.model).to_owned())],
        figures: vec![
            ("Faces".to_owned(), faces.len().to_string(), output::count(found.people.len(), "name")),
            ("Mislabelled".to_owned(), count(Verdict::Mislabelled), "nearer to somebody else".to_owned()),
            ("Outliers".to_owned(), count(Verdict::Outlier), beyond),
        ],
        sections,
    })
}

fn shown(found: &Found, marked: &[usize]) -> Vec<Shown> {
    let mut people: Vec<Shown> = Vec::new();
    for &row in marked {
        let person = found.faces[row].person;
        match people.last_mut() {
            Some(last) if last.person == person => last.marked.push(row),
            _ => people.push(Shown { person, marked: vec![row], typical: Vec::new() }),
        }
    }
    for row in 0..found.faces.len() {
        let at = people.binary_search_by_key(&found.faces[row].person, |shown| shown.person);
        if let Ok(at) = at
            && !people[at].marked.contains(&row)
        {
            people[at].typical.push(row);
        }
    }
    let centre = |row: usize| found.faces[row].to_centre;
    for shown in &mut people {
        shown.typical.sort_by(|&a, &b| centre(a).total_cmp(&centre(b)).then(a.cmp(&b)));
        shown.typical.truncate(TYPICAL);
    }
    let worst = |shown: &Shown| found.faces[shown.marked[0]].to_own.unwrap_or(0.0);
    people.sort_by(|a, b| worst(b).total_cmp(&worst(a)).then(a.person.cmp(&b.person)));
    people
}

fn section(
    faces: &Faces,
    found: &Found,
    shown: &Shown,
    pictures: &mut impl Iterator<Item = Option<Vec<u8>>>,
) -> Section {
    let name = &found.people[shown.person];
    let mut card = |row: usize, marked: bool| {
        let path = &faces.images[row];
        let note = match marked {
            true => words(&found.faces[row], found, name),
            false => format!("{:.3}", found.faces[row].to_own.unwrap_or(0.0)),
        };
        let name = output::path(path.file_name().unwrap_or(path.as_os_str()));
        Card { picture: pictures.next().flatten(), name, note, marked }
    };
    let mut cards: Vec<Card> = shown.marked.iter().map(|&row| card(row, true)).collect();
    cards.extend(shown.typical.iter().map(|&row| card(row, false)));
    let beside = if shown.typical.is_empty() { "" } else { ", beside the most typical" };
    let lead = format!("{} marked{beside}", output::count(shown.marked.len(), "face"));
    Section { title: name.clone(), lead, cards }
}
