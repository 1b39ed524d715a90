//! Agglomerative clustering by kodama, on the distances of all pairs.

use std::fmt;
use std::str::FromStr;

use rayon::prelude::*;

use super::ClusterOptions;
use super::content::Content;
use super::sets::Sets;
use crate::backend::Device;
use crate::error::Field;
use crate::vectors::search::squared_distance;
use crate::{Error, Result};

/// More faces' distances are not held in memory.
const MOST: usize = 10_000;

/// How far apart two clusters are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linkage {
    /// The mean of their faces' squared distances.
    #[default]
    Average,
    /// The largest.
    Complete,
    /// The smallest.
    Single,
}

/// Every linkage by its name.
pub const LINKAGES: [(&str, Linkage); 3] =
    [("average", Linkage::Average), ("complete", Linkage::Complete), ("single", Linkage::Single)];

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LINKAGES.iter().find(|(_, linkage)| linkage == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for Linkage {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = LINKAGES.iter().find(|(known, _)| *known == name);
        let problem = "there are average, complete and single";
        found.map(|(_, linkage)| *linkage).ok_or_else(|| Error::invalid(format!("linkage `{name}`"), problem))
    }
}

/// Joins clusters up to the threshold. Copies of a row are there as often as they came, next to each other: they are joined
/// first, and which comes first says nothing.
pub(super) fn cluster(
    device: &Device,
    content: &Content,
    options: &ClusterOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Option<usize>>> {
    let faces: Vec<usize> = (0..content.len()).flat_map(|row| std::iter::repeat_n(row, content.copies(row))).collect();
    let n = faces.len();
    if n > MOST {
        let gigabytes = 4.0 * n as f64 * (n as f64 - 1.0) / 2.0 / 1e9;
        let problem = format!(
            "agglomerative holds the distances of all pairs, {gigabytes:.1} GB of {n} faces; above {MOST} faces take \
             chinese-whispers or dbscan"
        );
        return Err(Error::invalid(Field("method"), problem));
    }
    let mut distances = Vec::with_capacity(n * n.saturating_sub(1) / 2);
    for (i, &face) in faces.iter().enumerate() {
        let row = content.distinct.row(face);
        let measure = |&other: &usize| squared_distance(row, content.distinct.row(other));
        device.install(|| distances.par_extend(faces[i + 1..].par_iter().map(measure)));
        progress(i + 1, n);
    }
    let linkage = match options.linkage {
        Linkage::Average => kodama::Method::Average,
        Linkage::Complete => kodama::Method::Complete,
        Linkage::Single => kodama::Method::Single,
    };
    let joined = kodama::linkage(&mut distances, n, linkage);
    let mut sets = Sets::new(content.len());
    // A face of each cluster: those of the faces themselves, then of what each step makes.
    let mut member = faces;
    for step in joined.steps() {
        let (a, b) = (member[step.cluster1], member[step.cluster2]);
        if step.dissimilarity <= options.threshold {
            sets.join(a, b);
        }
        member.push(a);
    }
    Ok((0..content.len()).map(|row| Some(sets.least(row))).collect())
}
