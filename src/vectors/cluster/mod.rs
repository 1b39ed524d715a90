//! Who is the same person, where nobody has said so.
//!
//! Three methods over exact neighbours ([`Neighbours`]). The clusters do not depend on the order
//! of the rows: work goes through them in the order of their content, ties are broken by it, and rows of equal content are
//! one.
//!
//! ```
//! use warpface::Device;
//! use warpface::face::Embeddings;
//! use warpface::vectors::cluster::{ClusterOptions, Method, cluster};
//!
//! let rows = Embeddings::new(2, vec![1.0, 0.0, 0.0, 1.0, 0.96, 0.28, 0.28, 0.96, -1.0, 0.0]);
//! let options = ClusterOptions::new(Method::ChineseWhispers, 0.5);
//! let clusters = cluster(&Device::cpu(1)?, &rows, &options, &mut |_, _| ())?;
//! assert_eq!(clusters.of(0), clusters.of(2));
//! assert_eq!(clusters.of(1), clusters.of(3));
//! assert_eq!((clusters.len(), clusters.of(4)), (2, None));
//! # Ok::<(), warpface::Error>(())
//! ```

mod agglomerative;
mod agreement;
mod content;
mod dbscan;
mod sets;
mod whispers;

pub use agglomerative::{LINKAGES, Linkage};
pub use agreement::Agreement;

use std::fmt;
use std::str::FromStr;

use crate::backend::Device;
use crate::error::Field;
use crate::face::Embeddings;
use crate::vectors::search::Neighbours;
use crate::{Error, Result};
use content::Content;

/// How clusters are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Chinese whispers (Biemann 2006) on the nearest neighbours: a face takes the cluster that most of its neighbours are of,
    /// near ones counting more, until none changes.
    ChineseWhispers,
    /// DBSCAN (Ester et al. 1996). A face that is no core itself goes to its nearest core's cluster.
    Dbscan,
    /// Agglomerative, up to 10,000 faces: the two clusters that are nearest to each other are joined while they are near
    /// enough.
    Agglomerative,
}

/// Every method by its name.
const METHODS: [(&str, Method); 3] = [
    ("chinese-whispers", Method::ChineseWhispers),
    ("dbscan", Method::Dbscan),
    ("agglomerative", Method::Agglomerative),
];

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = METHODS.iter().find(|(_, method)| method == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = METHODS.iter().find(|(known, _)| *known == name);
        let problem = "there are chinese-whispers, dbscan and agglomerative";
        found.map(|(_, method)| *method).ok_or_else(|| Error::invalid(format!("method `{name}`"), problem))
    }
}

impl Method {
    /// Which part of the distance up to which two faces are best taken for one person this method best goes by: a wrong pair
    /// among all pairs costs a pair, and here it may join two people.
    ///
    /// Measured on the people of LFW with 20 photographs or more, with facenet_keras.h5 and graph_final.pb.
    pub fn share_of_threshold(self) -> f64 {
        match self {
            Method::ChineseWhispers => 0.65,
            Method::Dbscan => 0.42,
            Method::Agglomerative => 0.78,
        }
    }
}

/// How to cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterOptions {
    /// The method.
    pub method: Method,
    /// Farther apart, as a squared distance, faces are no neighbours; of [`Method::Agglomerative`] the distance of clusters up
    /// to which they are joined.
    pub threshold: f32,
    /// Clusters of fewer faces are given up; of [`Method::Dbscan`] also the faces within the threshold, itself among them,
    /// that make a face a core.
    pub min_faces: usize,
    /// Of [`Method::ChineseWhispers`]: the most neighbours that a face listens to, beside those who listen to it.
    pub neighbours: usize,
    /// Of [`Method::Agglomerative`]: how far apart clusters are.
    pub linkage: Linkage,
    /// Of [`Method::ChineseWhispers`]: for the orders in which faces listen.
    pub seed: u64,
}

impl ClusterOptions {
    /// A method with its threshold; two faces make a cluster, of 30 neighbours, by average linkage and seed 0.
    pub fn new(method: Method, threshold: f32) -> Self {
        ClusterOptions { method, threshold, min_faces: 2, neighbours: 30, linkage: Linkage::Average, seed: 0 }
    }

    fn check(&self) -> Result<()> {
        if !(self.threshold.is_finite() && self.threshold > 0.0) {
            return Err(Error::invalid(Field("threshold"), format!("{} is no distance above 0", self.threshold)));
        }
        for (field, value) in [("min_faces", self.min_faces), ("neighbours", self.neighbours)] {
            if value == 0 {
                return Err(Error::invalid(Field(field), "expected 1 or more, got 0"));
            }
        }
        Ok(())
    }
}

/// Which row is of which cluster. Clusters are numbered by their size, the largest first, those of one size by content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters {
    of: Vec<Option<usize>>,
    count: usize,
}

impl Clusters {
    /// How many clusters there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The cluster of a row; nothing where it is of none.
    pub fn of(&self, row: usize) -> Option<usize> {
        self.of[row]
    }

    /// The rows of each cluster, ascending.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.count];
        for (row, cluster) in self.of.iter().enumerate() {
            if let Some(cluster) = *cluster {
                members[cluster].push(row);
            }
        }
        members
    }

    /// The rows that are of no cluster, ascending.
    pub fn noise(&self) -> Vec<usize> {
        (0..self.of.len()).filter(|&row| self.of[row].is_none()).collect()
    }

    /// From what a method calls each distinct row's cluster.
    fn new(content: &Content, named: &[Option<usize>], min_faces: usize) -> Clusters {
        let mut sizes = vec![0usize; named.len()];
        // The first row by content that has the name.
        let mut first = vec![usize::MAX; named.len()];
        for (row, name) in named.iter().enumerate() {
            if let Some(name) = *name {
                sizes[name] += content.copies(row);
                first[name] = first[name].min(row);
            }
        }
        let mut names: Vec<usize> = (0..named.len()).filter(|&name| sizes[name] >= min_faces.max(1)).collect();
        names.sort_unstable_by_key(|&name| (std::cmp::Reverse(sizes[name]), first[name]));
        let mut numbers = vec![None; named.len()];
        names.iter().enumerate().for_each(|(number, &name)| numbers[name] = Some(number));
        let of = content.rows().map(|distinct| named[distinct].and_then(|name| numbers[name])).collect();
        Clusters { of, count: names.len() }
    }
}

/// Clusters of these rows. `progress` is told how many comparisons of a row with all are done, of how many.
///
/// # Errors
/// [`Error::Invalid`] for options that make no sense, a row with a value that is not finite, or more rows than
/// [`Method::Agglomerative`] takes; the device's.
pub fn cluster(
    device: &Device,
    rows: &Embeddings,
    options: &ClusterOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Clusters> {
    options.check()?;
    // Refuses what has no distance, by the row's number here.
    Neighbours::new(device, rows)?;
    let content = Content::new(rows);
    let named = match options.method {
        _ if rows.is_empty() => return Ok(Clusters::default()),
        Method::ChineseWhispers => whispers::cluster(device, &content, options, progress)?,
        Method::Dbscan => dbscan::cluster(device, &content, options, progress)?,
        Method::Agglomerative => agglomerative::cluster(device, &content, options, progress)?,
    };
    Ok(Clusters::new(&content, &named, options.min_faces))
}
