//! The faces of each cluster on one page.

use std::path::PathBuf;

use super::{Found, faces_of};
use crate::cli::faces::Faces;
use crate::cli::output;
use crate::eval::report::sheet::{Card, Section, Sheet, html};
use crate::image::name_of;
use crate::vectors::cluster::Method;

/// Side of a picture, in pixels.
const SIDE: usize = 112;

/// Faces of a cluster that are shown: a page of all photographs of thousands would be too large to open.
const SHOWN: usize = 60;

/// The page.
pub fn page(paths: &[PathBuf], method: Method, found: &Found) -> String {
    let Found { faces, clusters, threshold, agreement, .. } = found;
    let (members, noise) = (clusters.members(), clusters.noise());
    let groups = members.iter().chain((!noise.is_empty()).then_some(&noise));
    let pictures = groups.clone().flat_map(|rows| shown(rows)).map(|&row| Some(row));
    let mut pictures = faces.thumbnails(pictures, SIDE).into_iter();
    let titled = |(number, rows): (usize, &Vec<usize>)| {
        let is_cluster = number < members.len();
        let title = match is_cluster {
            true => super::folders::name(number, members.len()),
            false => "by themselves".to_owned(),
        };
        let person = if agreement.is_some() && is_cluster { most_frequent(faces, rows) } else { None };
        section(faces, title, rows, person, &mut pictures)
    };
    let sections = groups.enumerate().map(titled).collect();
    let mut figures = vec![
        ("clusters".to_owned(), members.len().to_string(), String::new()),
        ("faces".to_owned(), faces.len().to_string(), format!("{} by themselves", noise.len())),
    ];
    if let Some(agreement) = agreement {
        let note = format!(
            "of pairs; precision {}, recall {}",
            output::figure(agreement.precision),
            output::figure(agreement.recall)
        );
        figures.push(("F1".to_owned(), output::figure(agreement.f1), note));
    }
    let model = faces.origin.as_ref().map_or("unknown".to_owned(), |origin| origin.model.clone());
    let chosen = [("model", model), ("method", method.to_string()), ("threshold", format!("{threshold:.3}"))];
    html(&Sheet {
        kind: "clusters".to_owned(),
        title: paths.iter().map(|path| name_of(path)).collect::<Vec<_>>().join(", "),
        chosen: chosen.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        figures,
        sections,
    })
}

/// Whose photographs most of these are, the first by name of equally many.
fn most_frequent<'a>(faces: &'a Faces, rows: &[usize]) -> Option<&'a str> {
    let mut labels: Vec<&str> = rows.iter().map(|&row| faces.labels[row].as_str()).collect();
    labels.sort_unstable();
    let people = labels.chunk_by(|a, b| a == b).rev();
    people.max_by_key(|people| people.len()).map(|people| people[0])
}

/// The rows that have a card.
fn shown(rows: &[usize]) -> &[usize] {
    &rows[..rows.len().min(SHOWN)]
}

/// The faces of a cluster, each with the next picture; those that are not of `person`, where one is given, are marked.
fn section(
    faces: &Faces,
    title: String,
    rows: &[usize],
    person: Option<&str>,
    pictures: &mut impl Iterator<Item = Option<Vec<u8>>>,
) -> Section {
    let card = |&row: &usize| Card {
        picture: pictures.next().flatten(),
        name: faces.images[row].file_name().unwrap_or_default().to_string_lossy().into_owned(),
        note: faces.labels[row].clone(),
        marked: person.is_some_and(|person| person != faces.labels[row]),
    };
    let cards: Vec<Card> = shown(rows).iter().map(card).collect();
    let lead = match rows.len() - cards.len() {
        0 => faces_of(rows.len()),
        more => format!("{}; {more} more are not shown", faces_of(rows.len())),
    };
    Section { title, lead, cards }
}
