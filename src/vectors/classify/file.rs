//! A classifier as a file: safetensors with the faces and the machines, and JSON beside them that says the rest.
//!
//! | tensor | type and shape | holds |
//! |---|---|---|
//! | `faces` | f32 `[n, dim]` | the known faces, person by person |
//! | `starts` | i64 `[people + 1]` | where each person's rows begin, and where the last ones end |
//! | `coefficients` | f64 `[n, people - 1]` | svm: what each face weighs against each of the other people |
//! | `biases` | f64 `[pairs]` | svm: of each two people |
//! | `sigmoids` | f64 `[pairs, 2]` | svm: slope and offset of each two people's probability |
//!
//! Nothing in a file is trusted: shapes, names and numbers are checked, and nothing in it is run.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::{Classifier, KnownFaces, Method, Rule, Split, Svm, Unknown};
use crate::face::Embeddings;
use crate::vectors::Origin;
use crate::{Error, Result, files};

/// Under which name a file has its JSON.
const NAME: &str = "warpface.classifier";

/// The version of the files that are written, and the latest that is read.
pub const VERSION: u32 = 1;

/// A classifier, and what is known of how it came to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The classifier.
    pub classifier: Classifier,
    /// What made its embeddings, where that is known.
    pub origin: Option<Origin>,
    /// How the photographs of each person were parted, where they were.
    pub split: Option<Split>,
    /// A hash of the names of all photographs, those that were not trained on among them: whether a folder is the one that it
    /// was trained on.
    pub photographs: Option<String>,
}

/// A file's JSON.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    method: Method,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    neighbours: Option<usize>,
    people: Vec<String>,
    unknown: Unknown,
    origin: Option<Origin>,
    split: Option<Split>,
    photographs: Option<String>,
}

/// All that can be read of any version.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Trained {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        files::write(path, self.to_bytes()?)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the parts make no file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let classifier = &self.classifier;
        let header = Header {
            version: VERSION,
            method: classifier.method(),
            neighbours: classifier.neighbours(),
            people: classifier.known.people().to_vec(),
            unknown: classifier.unknown,
            origin: self.origin.clone(),
            split: self.split,
            photographs: self.photographs.clone(),
        };
        let wrong = |problem: String| Error::invalid("a classifier to be written", problem);
        let json = serde_json::to_string(&header).map_err(|e| wrong(e.to_string()))?;
        let (faces, people) = (classifier.known.faces(), classifier.known.people().len());
        let starts: Vec<u8> =
            classifier.known.starts().iter().flat_map(|&start| (start as i64).to_le_bytes()).collect();
        let values: Vec<u8> = faces.as_slice().iter().flat_map(|x| x.to_le_bytes()).collect();
        let bytes = |values: &[f64]| -> Vec<u8> { values.iter().flat_map(|x| x.to_le_bytes()).collect() };
        let mut tensors = vec![
            ("faces", Dtype::F32, vec![faces.len(), faces.dim()], values),
            ("starts", Dtype::I64, vec![people + 1], starts),
        ];
        if let Rule::Svm(svm) = &classifier.rule {
            let pairs = svm.biases().len();
            tensors.push(("coefficients", Dtype::F64, vec![faces.len(), people - 1], bytes(svm.coefficients())));
            tensors.push(("biases", Dtype::F64, vec![pairs], bytes(svm.biases())));
            tensors.push(("sigmoids", Dtype::F64, vec![pairs, 2], bytes(&svm.sigmoids())));
        }
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            Ok((*name, TensorView::new(*dtype, shape.clone(), bytes).map_err(|e| wrong(e.to_string()))?))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        // One entry: a map of several has no order of its own.
        let metadata = HashMap::from([(NAME.to_owned(), json)]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| wrong(e.to_string()))
    }

    /// Reads a file that [`Trained::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Data`] for all that is no such file, is damaged, or was written by a
    /// later version.
    pub fn load(path: impl AsRef<Path>) -> Result<Trained> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Self::from_bytes(path, &bytes)
    }

    /// [`Trained::load`] of bytes that are in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`Trained::load`].
    pub fn from_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Trained> {
        let path = path.as_ref();
        parse(bytes).map_err(|problem| Error::data(path, problem))
    }
}

/// What is wrong is told in words, to which the file's name is added.
fn parse(bytes: &[u8]) -> Result<Trained, String> {
    let damaged = |what: String| format!("is a damaged or cut file ({what}); train the classifier again");
    let none = "is no classifier: `warpface classify train` writes one";
    let looks = bytes.get(8) == Some(&b'{') && bytes.windows(NAME.len()).any(|window| window == NAME.as_bytes());
    if !looks {
        return Err(none.to_owned());
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
    let json = metadata.metadata().as_ref().and_then(|map| map.get(NAME)).ok_or(none)?;
    let version: Version = serde_json::from_str(json).map_err(|e| damaged(e.to_string()))?;
    if version.version != VERSION {
        let version = version.version;
        return Err(format!(
            "is a classifier of version {version}, and this program reads version {VERSION}: train it again, or take the \
             program that wrote it"
        ));
    }
    let header: Header = serde_json::from_str(json).map_err(|e| damaged(e.to_string()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
    let classifier = classifier(&header, &tensors).map_err(damaged)?;
    let Header { origin, split, photographs, .. } = header;
    let dim = classifier.known.faces().dim();
    if let Some(origin) = origin.as_ref().filter(|origin| origin.dim != dim) {
        return Err(damaged(format!("its model makes {} values, and its faces have {dim}", origin.dim)));
    }
    Ok(Trained { classifier, origin, split, photographs })
}

fn classifier(header: &Header, tensors: &SafeTensors<'_>) -> Result<Classifier, String> {
    let (shape, values) = tensor(tensors, "faces", Dtype::F32)?;
    let [_, dim] = shape[..] else { return Err(format!("`faces` has the shape {shape:?}")) };
    if dim == 0 {
        return Err("`faces` has rows without values".to_owned());
    }
    let faces = Embeddings::new(dim, numbers(values, f32::from_le_bytes));
    let (_, starts) = tensor(tensors, "starts", Dtype::I64)?;
    let starts: Option<Vec<usize>> =
        numbers(starts, i64::from_le_bytes).into_iter().map(|start| usize::try_from(start).ok()).collect();
    let starts = starts.ok_or("`starts` has a row below 0")?;
    let known = KnownFaces::of_parts(header.people.clone(), starts, faces).map_err(|e| e.to_string())?;
    let unknown = header.unknown;
    if !(unknown.threshold.is_finite() && unknown.threshold >= 0.0) {
        return Err(format!("its threshold is {}", unknown.threshold));
    }
    let rule = match (header.method, header.neighbours) {
        (Method::Knn, Some(neighbours)) if neighbours > 0 => Rule::Knn(neighbours),
        (Method::Knn, _) => return Err("it does not say how many faces vote".to_owned()),
        (Method::Svm, _) => {
            let [coefficients, biases, sigmoids] = ["coefficients", "biases", "sigmoids"]
                .map(|name| tensor(tensors, name, Dtype::F64).map(|(_, bytes)| numbers(bytes, f64::from_le_bytes)));
            Rule::Svm(Svm::of_parts(&known, coefficients?, biases?, &sigmoids?).map_err(|e| e.to_string())?)
        }
    };
    let centres = known.centres();
    Ok(Classifier { known, rule, unknown, centres })
}

/// A tensor's shape and bytes.
fn tensor<'a>(tensors: &SafeTensors<'a>, name: &str, dtype: Dtype) -> Result<(Vec<usize>, &'a [u8]), String> {
    let view = tensors.tensor(name).map_err(|_| format!("it has no `{name}`"))?;
    if view.dtype() != dtype {
        return Err(format!("`{name}` is of type {:?}, not {dtype:?}", view.dtype()));
    }
    Ok((view.shape().to_vec(), view.data()))
}

/// Numbers of `N` bytes each.
fn numbers<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect()
}
