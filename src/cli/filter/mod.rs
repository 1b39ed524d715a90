//! `warpface filter`: `calculate_filtering_metrics.py`, and what to do about it.

mod moves;
mod page;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use super::context::{Globals, check_file, check_folder, create_folder};
use super::faces::{Faces, FacesArgs};
use super::{Outcome, output};
use crate::error::Field;
use crate::vectors::filter::{self, Found, Measured, Verdict};
use crate::{Error, files};
use moves::{Move, Moves};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  warpface filter photos/ --sheet doubtful.html\n  warpface filter photos/ --only mislabelled --move-to aside/\n\nDistances are Euclidean, not squared: of a face to its person's centre as the original has it, to the centre of its person's other faces, and to the nearest other person's. --metrics writes the original's four lists as JSON; it writes HDF5."
)]
pub struct Args {
    #[command(flatten)]
    faces: FacesArgs,
    /// Farther than this from its person's other faces is an outlier [default: Tukey's upper fence of all faces]
    #[arg(long, value_name = "DISTANCE")]
    outlier_distance: Option<f64>,
    /// Mark only these: outliers lie far from their person's other faces, mislabelled ones nearer to somebody else
    #[arg(long, value_name = "outliers|mislabelled")]
    only: Option<Only>,
    /// Write a page that shows what is marked beside the most typical faces of the same people, in one file
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Write class_names, image_list, label_list and distance_to_center as JSON
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Move the photographs of what is marked into the same folders below this one. Nothing is overwritten, and moved.jsonl
    /// there says where each came from
    #[arg(long, value_name = "DIR")]
    move_to: Option<PathBuf>,
    /// Only say what would be moved
    #[arg(long, requires = "move_to")]
    dry_run: bool,
}

/// What is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    Outliers,
    Mislabelled,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        if let Some(folder) = &self.move_to {
            self.check_apart(folder)?;
            check_folder(folder)?;
        }
        for (path, field) in [(&self.sheet, "sheet"), (&self.metrics, "metrics")] {
            path.as_ref().map_or(Ok(()), |path| check_file(path, field))?;
        }
        let device = globals.open_device()?;
        let mut faces = self.faces.embed(globals, &device, "filter")?;
        if faces.is_empty() {
            output::list_failures(0, &faces.failures);
            eprintln!("no face was found: there is nothing to filter");
            return Ok(Outcome::Nothing);
        }
        let found = filter::measure(&device, &faces.embeddings, &faces.labels, self.outlier_distance)?;
        tell_of_few(&found);
        let marked: Vec<usize> =
            found.ranked().into_iter().filter(|&row| self.marks(found.faces[row].verdict)).collect();
        if let Some(path) = &self.metrics {
            write_metrics(path, &faces, &found)?;
        }
        if let Some(path) = &self.sheet {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                create_folder(folder)?;
            }
            files::write(path, page::html(&faces, &found, &marked))?;
            eprintln!("sheet: {}", path.display());
        }
        let mut out = output::stdout();
        self.list(globals, &mut out, &faces, &found)?;
        let moved = match &self.move_to {
            None => Vec::new(),
            Some(folder) => {
                let moves = Moves::new(folder, &faces.images, &marked);
                if self.dry_run { moves.list } else { moves.run(&mut faces.failures)? }
            }
        };
        self.tell(globals, &mut out, &faces, &found, &marked, &moved)?;
        Ok(output::list_failures(faces.len() + faces.without_face.len(), &faces.failures))
    }

    fn marks(&self, verdict: Verdict) -> bool {
        match self.only {
            None => matches!(verdict, Verdict::Outlier | Verdict::Mislabelled),
            Some(Only::Outliers) => verdict == Verdict::Outlier,
            Some(Only::Mislabelled) => verdict == Verdict::Mislabelled,
        }
    }

    /// Refuses a folder among the people: it would be one of them the next time.
    fn check_apart(&self, folder: &std::path::Path) -> Result<()> {
        let real = |path: &std::path::Path| {
            // What is not there yet lies where the nearest folder above it does.
            let above = path.ancestors().find(|path| !path.as_os_str().is_empty() && path.exists());
            let above = above.unwrap_or(std::path::Path::new("."));
            let rest = path.strip_prefix(above).unwrap_or(path).to_owned();
            above.canonicalize().map(|above| above.join(rest)).unwrap_or_else(|_| path.to_owned())
        };
        let place = real(folder);
        match self.faces.paths.iter().find(|path| place.starts_with(real(path))) {
            Some(path) => {
                let problem = format!("{} lies in {}: it would be a person there", folder.display(), path.display());
                Err(Error::invalid(Field("move_to"), problem).into())
            }
            None => Ok(()),
        }
    }

    /// A line for each face, as JSON, or for each that is marked.
    fn list(&self, globals: &Globals, out: &mut impl Write, faces: &Faces, found: &Found) -> Result<()> {
        for row in found.ranked() {
            let face = &found.faces[row];
            if globals.json {
                output::json_line(out, &line(faces, found, row))?;
            } else if self.marks(face.verdict) {
                let (image, person) = (faces.images[row].display(), &found.people[face.person]);
                writeln!(out, "{image}  {}", words(face, found, person))?;
            }
        }
        Ok(())
    }

    fn tell(
        &self,
        globals: &Globals,
        out: &mut impl Write,
        faces: &Faces,
        found: &Found,
        marked: &[usize],
        moved: &[Move],
    ) -> Result<()> {
        let count = |verdict| found.faces.iter().filter(|face| face.verdict == verdict).count();
        let (outliers, mislabelled) = (count(Verdict::Outlier), count(Verdict::Mislabelled));
        if globals.json {
            let of = |&row: &usize| output::path(&faces.images[row]);
            let summary = json!({
                "faces": faces.len(), "people": found.people.len(), "outliers": outliers, "mislabelled": mislabelled,
                "outlier_distance": finite(found.outlier_distance), "marked": marked.iter().map(of).collect::<Vec<_>>(),
                "dry_run": self.dry_run, "moved": moved,
            });
            return output::json_line(out, &summary);
        }
        for one in moved {
            let what = if self.dry_run { "would be moved" } else { "moved" };
            writeln!(out, "{what}: {} to {}", one.from, one.to)?;
        }
        let (all, people) = (output::count(faces.len(), "face"), output::count(found.people.len(), "name"));
        let outliers = output::count(outliers, "outlier");
        let beyond = match finite(found.outlier_distance) {
            Some(distance) => format!("{outliers} beyond {distance:.3}"),
            None => format!("limit of outliers: {NO_LIMIT}"),
        };
        writeln!(out, "{all} of {people}: {mislabelled} nearer to somebody else, {beyond}")?;
        Ok(out.flush()?)
    }
}

/// The distance of outliers where nobody has two faces.
const NO_LIMIT: &str = "none (no outliers can be told)";

/// Tells of people of whom nothing can be said.
fn tell_of_few(found: &Found) {
    let alone = found.faces.iter().filter(|face| face.to_own.is_none()).count();
    if alone > 0 {
        eprintln!("{} of one photograph: nothing can be said of them", output::count(alone, "name"));
    }
    if found.people.len() == 1 {
        eprintln!("all are of {}: only outliers can be found", found.people[0]);
    }
}

/// JSON has no infinity.
fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

fn line(faces: &Faces, found: &Found, row: usize) -> Value {
    let face = &found.faces[row];
    json!({
        "image": output::path(&faces.images[row]), "person": found.people[face.person], "verdict": face.verdict,
        "distance_to_center": face.to_centre, "distance_to_others": face.to_own,
        "nearest_other": face.nearest_other.map(|other| &found.people[other]),
        "distance_to_nearest_other": finite(face.to_other),
    })
}

/// What is said of a marked face.
fn words(face: &Measured, found: &Found, person: &str) -> String {
    let own = face.to_own.unwrap_or(face.to_centre);
    match (face.verdict, face.nearest_other) {
        (Verdict::Mislabelled, Some(other)) => {
            format!("{own:.3} from {person}, {:.3} from {}", face.to_other, found.people[other])
        }
        _ => format!("{own:.3} from {person}"),
    }
}

/// The lists of the original's HDF5 file.
fn write_metrics(path: &std::path::Path, faces: &Faces, found: &Found) -> Result<()> {
    let metrics = json!({
        "class_names": found.people,
        "image_list": faces.images.iter().map(output::path).collect::<Vec<_>>(),
        "label_list": found.faces.iter().map(|face| face.person).collect::<Vec<_>>(),
        "distance_to_center": found.faces.iter().map(|face| face.to_centre).collect::<Vec<_>>(),
    });
    Ok(files::write(path, serde_json::to_vec(&metrics).map_err(std::io::Error::from)?)?)
}
