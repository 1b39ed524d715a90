//! `warpface tsne`: a picture of embeddings.

mod page;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::context::{Globals, create_folder, progress};
use super::faces::{Faces, FacesArgs};
use super::{Outcome, output};
use crate::backend::Device;
use crate::error::{Field, message};
use crate::image::name_of;
use crate::image::{self, Dot};
use crate::vectors::project::{TsneOptions, pca, tsne};
use crate::{Error, files};

/// How points are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Method {
    /// Neighbours stay neighbours; distances between groups say little.
    Tsne,
    /// The two directions in which embeddings differ most.
    Pca,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  warpface tsne photos/ -o faces.png --html faces.html --perplexity 20\n  \
                        warpface embed photos/ -o vectors/ && warpface tsne vectors/ -o pca.png --method pca")]
pub struct Args {
    #[command(flatten)]
    faces: FacesArgs,
    /// The picture, a colour for each person
    #[arg(short, long, value_name = "FILE.png", required_unless_present = "html")]
    output: Option<PathBuf>,
    /// A page on which hovering over a point shows the face
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// How points are found
    #[arg(long, value_enum, default_value_t = Method::Tsne, value_name = "tsne|pca")]
    method: Method,
    /// How many neighbours count, roughly; at most a third of the faces
    #[arg(long, default_value_t = 30.0, value_name = "N")]
    perplexity: f64,
    /// Steps
    #[arg(long, default_value_t = 1000, value_name = "N")]
    iterations: usize,
    /// Length of a step [default: faces / 48, and 50 at least]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// What is seen at a smaller angle counts as one point: 0 is exact and slow
    #[arg(long, default_value_t = 0.5, value_name = "ANGLE")]
    theta: f64,
    /// The same faces and seed give the same picture, whatever the threads
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// Side of the picture
    #[arg(long, default_value_t = 1200, value_name = "PIXELS")]
    side: usize,
    /// Faces that the page has pictures of, evenly spread; the others have names
    #[arg(long, default_value_t = 3000, value_name = "N")]
    pictures: usize,
}

/// Points, and what is said of them.
struct Picture {
    points: Vec<[f64; 2]>,
    /// Names and values.
    facts: Vec<(&'static str, serde_json::Value)>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        self.options().check()?;
        if !(16..=16_384).contains(&self.side) {
            return Err(Error::invalid(Field("side"), format!("{} is not 16 to 16384 pixels", self.side)).into());
        }
        let device = globals.open_device()?;
        let faces = self.faces.embed(globals, &device, "tsne")?;
        if faces.is_empty() {
            output::list_failures(0, &faces.failures);
            eprintln!("no face: nothing is drawn");
            return Ok(Outcome::Nothing);
        }
        let picture = self.picture(&device, &faces)?;
        let places = places(&picture.points);
        let people: Vec<&String> = faces.labels.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let colours: Vec<[u8; 3]> =
            faces.labels.iter().map(|label| image::colour(people.binary_search(&label).unwrap_or(0))).collect();
        if let Some(path) = &self.output {
            let dots = places.iter().zip(&colours).map(|(&at, &colour)| Dot { at, colour });
            self.put(path, image::encode_png(&image::scatter(&dots.collect::<Vec<_>>(), self.side))?)?;
        }
        if let Some(path) = &self.html {
            let title = self.faces.paths.iter().map(|path| name_of(path)).collect::<Vec<_>>().join(", ");
            self.put(path, page::html(&title, &picture.facts, &faces, &places, &colours, self.pictures))?;
        }
        self.print(globals, &faces, &picture)?;
        Ok(output::list_failures(faces.len() + faces.without_face.len(), &faces.failures))
    }

    fn options(&self) -> TsneOptions {
        TsneOptions {
            perplexity: self.perplexity,
            iterations: self.iterations,
            learning_rate: self.learning_rate,
            theta: self.theta,
            seed: self.seed,
            ..TsneOptions::default()
        }
    }

    fn picture(&self, device: &Device, faces: &Faces) -> Result<Picture> {
        if self.method == Method::Pca {
            let found = pca(device, &faces.embeddings);
            let facts = vec![("method", json!("pca")), ("explained", json!(found.explained))];
            return Ok(Picture { points: found.points, facts });
        }
        if faces.len() < 4 {
            let problem = message![
                format!("t-SNE needs four faces at least, and there are {}: take ", faces.len()),
                Field("method"),
                " pca"
            ];
            return Err(Error::invalid("faces", problem).into());
        }
        let bar = progress(self.iterations, "t-SNE");
        let options = self.options();
        let layout = tsne(device, &faces.embeddings, &options, |done| bar.set_position(done as u64))?;
        bar.finish_and_clear();
        if layout.perplexity < options.perplexity {
            let (count, perplexity) = (output::count(faces.len(), "face"), layout.perplexity);
            eprintln!("perplexity: {perplexity:.1}, for {count} have no more neighbours");
        }
        let facts = vec![
            ("method", json!("tsne")),
            ("perplexity", json!(layout.perplexity)),
            ("divergence", json!(layout.divergence)),
            ("seed", json!(self.seed)),
        ];
        Ok(Picture { points: layout.points, facts })
    }

    fn put(&self, path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
        if let Some(parent) = path.parent() {
            create_folder(parent)?;
        }
        Ok(files::write(path, bytes)?)
    }

    fn print(&self, globals: &Globals, faces: &Faces, picture: &Picture) -> Result<()> {
        let mut out = output::stdout();
        let written: Vec<&Path> = [&self.output, &self.html].into_iter().flatten().map(PathBuf::as_path).collect();
        if globals.json {
            let rows = faces.images.iter().zip(&faces.labels).zip(&picture.points);
            for ((path, label), point) in rows {
                output::json_line(&mut out, &json!({ "image": output::path(path), "label": label, "point": point }))?;
            }
            let mut line =
                json!({ "faces": faces.len(), "output": written.iter().map(output::path).collect::<Vec<_>>() });
            picture.facts.iter().for_each(|(name, value)| line[*name] = value.clone());
            return output::json_line(&mut out, &line);
        }
        for (name, value) in &picture.facts {
            writeln!(out, "{name:<12}{}", short(value))?;
        }
        for path in written {
            writeln!(out, "{} of {}", path.display(), output::count(faces.len(), "face"))?;
        }
        Ok(out.flush()?)
    }
}

/// A fact as people read it.
fn short(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) if number.is_f64() => format!("{:.4}", number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::Array(values) => values.iter().map(short).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Points from 0 to 1, both axes alike, the second one upwards.
fn places(points: &[[f64; 2]]) -> Vec<[f32; 2]> {
    let span = |k: usize| {
        let values = points.iter().map(|point| point[k]);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
    };
    let spans = [span(0), span(1)];
    let extent = spans.iter().map(|(low, high)| high - low).fold(f64::MIN_POSITIVE, f64::max);
    let place = |point: &[f64; 2]| {
        let [x, y] = [0, 1].map(|k| 0.5 + (point[k] - (spans[k].0 + spans[k].1) / 2.0) / extent);
        [x as f32, 1.0 - y as f32]
    };
    points.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_fill_the_square_without_being_stretched() {
        assert_eq!(places(&[[0.0, 0.0], [4.0, 2.0]]), [[0.0, 0.75], [1.0, 0.25]]);
        assert_eq!(places(&[[7.0, -3.0]; 2]), [[0.5; 2]; 2]);
    }
}
