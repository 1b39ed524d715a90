//! Below which distance two faces are of one person: what was measured for a model, by us or by its user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::eval::threshold::of_paper;
use crate::files;
use crate::ops::Metric;
use crate::weights::{manifest, sha256};

/// Thresholds measured by `warpface lfw` from raw photographs on the first two of LFW's ten folds (grey copies):
/// file, squared Euclidean, cosine.
const MEASURED: [(&str, f64, f64); 2] = [("graph_final.pb", 1.165, 0.37), ("facenet_keras.h5", 1.195, 0.37)];

/// A threshold, and where it comes from.
pub struct Threshold {
    /// Nearer than this is the same person.
    pub distance: f64,
    /// Who measured it, on what.
    pub origin: String,
}

/// What `threshold --save` keeps beside a model.
#[derive(Default, Serialize, Deserialize)]
struct Saved {
    /// The content of the model that it is of.
    sha256: String,
    /// By the name of the distance.
    thresholds: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    threshold: f64,
    /// How it was measured.
    origin: String,
}

/// The file beside a model.
fn beside(model: &Path) -> PathBuf {
    model.with_added_extension("threshold.json")
}

fn read(path: &Path) -> Result<Option<Saved>> {
    match std::fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        bytes => {
            let saved = serde_json::from_slice(&bytes.map_err(Error::io(path, "read"))?);
            Ok(Some(saved.map_err(|e| {
                Error::data(path, format!("is no threshold that `threshold --save` wrote: {e}; remove it"))
            })?))
        }
    }
}

/// The threshold of a model: what its user saved beside it, else what was measured for the published file, else the
/// FaceNet paper's.
pub fn of_model(model: Option<&Path>, sha256_of_model: Option<&str>, metric: Metric) -> Result<Threshold> {
    if let Some(path) = model
        && let Some(saved) = read(&beside(path))?
    {
        let hash = sha256_of_model.map_or_else(|| sha256::model(path), |hash| Ok(hash.to_owned()))?;
        let file = beside(path);
        match saved.thresholds.get(&metric.to_string()) {
            _ if saved.sha256 != hash => {
                eprintln!("{}: is of another file of this name, and not taken", file.display());
            }
            Some(entry) if entry.threshold.is_finite() && entry.threshold > 0.0 => {
                return Ok(Threshold { distance: entry.threshold, origin: entry.origin.clone() });
            }
            Some(entry) => {
                let problem =
                    format!("holds the threshold {}, which is no distance above 0; remove it", entry.threshold);
                return Err(Error::data(&file, problem).into());
            }
            None => {}
        }
    }
    let published = sha256_of_model.and_then(manifest::lookup).map(|entry| entry.name.as_str());
    let measured = MEASURED.iter().find(|(file, ..)| Some(*file) == published);
    let (distance, origin) = match (measured, metric) {
        (Some((file, euclidean, cosine)), _) => (
            if metric == Metric::Cosine { *cosine } else { *euclidean },
            format!("measured for {file} on the first two folds of LFW"),
        ),
        (None, metric) => {
            let what =
                if metric == Metric::Cosine { "FaceNet paper's, as an angle" } else { "FaceNet paper's for LFW" };
            (of_paper(metric), format!("the {what}; unproved for this model"))
        }
    };
    Ok(Threshold { distance, origin })
}

/// Keeps a threshold beside a model, where [`of_model`] finds it; those of other distances stay.
pub fn save(model: &Path, hash: &str, metric: Metric, threshold: &Threshold) -> Result<PathBuf> {
    let path = beside(model);
    let mut saved = read(&path)?.filter(|saved| saved.sha256 == hash).unwrap_or_default();
    hash.clone_into(&mut saved.sha256);
    let entry = Entry { threshold: threshold.distance, origin: threshold.origin.clone() };
    saved.thresholds.insert(metric.to_string(), entry);
    let json = serde_json::to_vec_pretty(&saved).map_err(std::io::Error::from)?;
    files::write(&path, json)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_comes_first_and_only_for_this_content() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m.pb");
        std::fs::write(&model, "weights").unwrap();
        let hash = sha256::model(&model).unwrap();
        let of = |metric| of_model(Some(&model), None, metric).unwrap().distance;
        assert_eq!(of(Metric::Euclidean), 1.242);
        let threshold = |distance| Threshold { distance, origin: "mine".into() };
        save(&model, &hash, Metric::Euclidean, &threshold(1.5)).unwrap();
        save(&model, &hash, Metric::Cosine, &threshold(0.25)).unwrap();
        assert_eq!((of(Metric::Euclidean), of(Metric::Cosine)), (1.5, 0.25));
        std::fs::write(&model, "other weights").unwrap();
        assert_eq!(of(Metric::Euclidean), 1.242);
        std::fs::write(&model, "weights").unwrap();
        save(&model, &hash, Metric::Euclidean, &threshold(0.0)).unwrap();
        let error = of_model(Some(&model), None, Metric::Euclidean).err().unwrap().to_string();
        assert!(error.contains("m.pb.threshold.json") && error.contains("no distance above 0"), "{error}");
        std::fs::write(beside(&model), "{}").unwrap();
        let error = of_model(Some(&model), None, Metric::Euclidean).err().unwrap().to_string();
        assert!(error.contains("m.pb.threshold.json"), "{error}");
    }

    #[test]
    fn published_models_have_measured_thresholds() {
        let entry = manifest::lookup("graph_final.pb").unwrap();
        let of = of_model(None, Some(&entry.sha256), Metric::Euclidean).unwrap();
        assert_eq!(of.distance, 1.165);
        assert!(of.origin.contains("graph_final.pb"));
    }
}
