//! `warpface cluster`.

mod folders;
mod sheet;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use super::context::{Globals, create_folder, progress};
use super::faces::{Faces, FacesArgs};
use super::threshold::of_model;
use super::{Outcome, output};
use crate::backend::Device;
use crate::files;
use crate::ops::Metric;
use crate::vectors::cluster::{Agreement, ClusterOptions, Clusters, Linkage, Method, cluster};
use folders::Put;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  warpface cluster photos/ -o people/ --sheet people.html\n  \
                        warpface embed photos/ -o vectors/ && warpface cluster vectors/ --method dbscan --json")]
pub struct Args {
    #[command(flatten)]
    faces: FacesArgs,
    /// How clusters are found; agglomerative takes up to 10,000 faces
    #[arg(long, default_value_t = Method::ChineseWhispers, value_name = "chinese-whispers|dbscan|agglomerative")]
    method: Method,
    /// Faces farther apart than this are no neighbours; agglomerative joins clusters up to it. A squared Euclidean distance
    /// [default: a part of what `compare` goes by, that fits the method]
    #[arg(long, value_name = "DISTANCE")]
    threshold: Option<f64>,
    /// Fewer faces make no cluster; with dbscan also how many faces within the threshold, itself among them, make a face one
    /// from which a cluster grows
    #[arg(long, default_value_t = 2, value_name = "N")]
    min_faces: usize,
    /// How many of its nearest neighbours a face listens to, with chinese-whispers
    #[arg(long, default_value_t = 30, value_name = "N")]
    neighbours: usize,
    /// How far apart two clusters are, with agglomerative: the mean, largest or smallest distance of their faces
    #[arg(long, default_value_t = Linkage::Average, value_name = "average|complete|single")]
    linkage: Linkage,
    /// For the orders in which faces listen, with chinese-whispers
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// A new folder for the photographs, with a folder for each cluster, cluster_000 the largest, and one for the rest, `noise`
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Copy the photographs there, as is done without a flag
    #[arg(long, requires = "output", conflicts_with = "link")]
    copy: bool,
    /// Make symbolic links to the photographs instead
    #[arg(long, requires = "output")]
    link: bool,
    /// A page that shows the faces cluster by cluster, in one file
    #[arg(long, value_name = "FILE.html")]
    sheet: Option<PathBuf>,
    /// Compare the clusters with the folders of people: precision, recall and F1 over pairs of faces
    #[arg(long)]
    evaluate: bool,
}

/// What was found, and how.
struct Found {
    faces: Faces,
    clusters: Clusters,
    threshold: f64,
    /// Where the threshold comes from.
    origin: String,
    agreement: Option<Agreement>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        if let Some(folder) = &self.output {
            folders::check(folder)?;
        }
        let device = globals.open_device()?;
        let faces = self.faces.embed(globals, &device, "embed")?;
        let found = self.cluster(&device, faces)?;
        let mut failures = Vec::new();
        if let Some(folder) = &self.output {
            let put = if self.link { Put::Link } else { Put::Copy };
            failures = folders::write(folder, put, &found.faces, &found.clusters)?;
        }
        if let Some(path) = &self.sheet {
            self.write_sheet(path, &found)?;
        }
        self.print(globals, &found)?;
        let faces = found.faces;
        failures.extend(faces.failures);
        let outcome = output::list_failures(faces.images.len() + faces.without_face.len(), &failures);
        if faces.images.is_empty() {
            eprintln!("there are no faces to cluster");
            return Ok(Outcome::Nothing);
        }
        Ok(outcome)
    }

    fn cluster(&self, device: &Device, faces: Faces) -> Result<Found> {
        let (threshold, origin) = match self.threshold {
            Some(threshold) => (threshold, "as asked".to_owned()),
            None => {
                let hash = faces.origin.as_ref().map(|origin| origin.sha256.as_str());
                let same = of_model(faces.model.as_deref(), hash, Metric::Euclidean)?;
                let share = self.method.share_of_threshold();
                (share * same.distance, format!("{share} of {:.3}, {}", same.distance, same.origin))
            }
        };
        let options = ClusterOptions {
            method: self.method,
            threshold: threshold as f32,
            min_faces: self.min_faces,
            neighbours: self.neighbours,
            linkage: self.linkage,
            seed: self.seed,
        };
        let bar = progress(faces.len(), "cluster");
        let clusters = cluster(device, &faces.embeddings, &options, &mut |done, of| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        let agreement = self.evaluate.then(|| Agreement::new(&clusters, &faces.labels));
        Ok(Found { faces, clusters, threshold, origin, agreement })
    }

    fn write_sheet(&self, path: &Path, found: &Found) -> Result<()> {
        let page = sheet::page(&self.faces.paths, self.method, found);
        if let Some(parent) = path.parent() {
            create_folder(parent)?;
        }
        files::write(path, page)?;
        eprintln!("sheet: {}", path.display());
        Ok(())
    }

    fn print(&self, globals: &Globals, found: &Found) -> Result<()> {
        let Found { faces, clusters, threshold, origin, agreement } = found;
        let (members, noise) = (clusters.members(), clusters.noise());
        let mut out = output::stdout();
        if globals.json {
            let images = |rows: &[usize]| -> Vec<String> { faces.photographs_of(rows).map(output::path).collect() };
            let clusters: Vec<Value> = members.iter().map(|rows| json!({ "images": images(rows) })).collect();
            let without_face: Vec<String> = faces.without_face.iter().map(output::path).collect();
            let mut line = json!({
                "clusters": clusters, "noise": images(&noise), "faces": faces.len(), "without_face": without_face,
                "method": self.method.to_string(), "threshold": threshold, "output": self.output.as_ref().map(output::path),
            });
            if let Some(agreement) = agreement {
                line["evaluation"] = json!(agreement);
            }
            return output::json_line(&mut out, &line);
        }
        for (number, rows) in members.iter().enumerate() {
            let first = faces.images[rows[0]].display();
            writeln!(out, "{}  {}, such as {first}", folders::name(number, members.len()), faces_of(rows.len()))?;
        }
        let of = format!("{} of {}", faces_of(noise.len()), faces_of(faces.len()));
        writeln!(out, "{}; {of} by themselves", output::count(members.len(), "cluster"))?;
        writeln!(out, "{} at {threshold:.3}: {origin}", self.method)?;
        if let Some(Agreement { precision, recall, f1 }) = agreement {
            let [precision, recall, f1] = [*precision, *recall, *f1].map(output::figure);
            writeln!(out, "pairs of faces: precision {precision}, recall {recall}, F1 {f1}")?;
        }
        Ok(out.flush()?)
    }
}

fn faces_of(n: usize) -> String {
    output::count(n, "face")
}

impl Faces {
    /// The photographs of these rows, each once.
    fn photographs_of<'a>(&'a self, rows: &'a [usize]) -> impl Iterator<Item = &'a PathBuf> {
        let is_new = |(i, row): (usize, &usize)| i == 0 || self.images[*row] != self.images[rows[i - 1]];
        rows.iter().enumerate().filter(move |&entry| is_new(entry)).map(|(_, row)| &self.images[*row])
    }
}
