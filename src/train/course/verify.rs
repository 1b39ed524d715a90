//! LFW-style pairs measured while training goes on.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::eval::{self, Figures, Pairs, Person};
use crate::train::dataset::Dataset;
use crate::train::inference::Inference;
use crate::train::pairs::RandomPairs;
use crate::weights::network::Unfolded;
use crate::{Error, Result};

/// The pairs that a verification measures.
#[derive(Clone, Debug)]
pub enum VerificationPairs {
    /// A file, the same in every epoch; photographs lie in the folder.
    File(PathBuf, Box<Pairs>),
    /// Drawn anew in every epoch from a dataset's people.
    Random(RandomPairs, Arc<Dataset>),
}

/// How pairs are measured.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Which pairs.
    pub source: VerificationPairs,
    /// The protocol's options.
    pub options: eval::EvalOptions,
}

impl Verification {
    /// How many folds of a file's pairs are of one kind only, and of how many; none where too few pairs make folds.
    pub fn folds_of_one_kind(&self) -> Option<(usize, usize)> {
        let VerificationPairs::File(_, pairs) = &self.source else { return None };
        let same: Vec<bool> = pairs.pairs.iter().map(|pair| pair.same).collect();
        let alone = eval::folds::folds_of_one_kind(&same, self.options.folds).ok()?;
        (alone > 0).then_some((alone, self.options.folds))
    }

    /// The figures of these weights on the pairs of an epoch, and what was left out.
    ///
    /// # Errors
    /// Pairs that are not there or too few; the device's.
    pub fn measure(
        &self,
        inference: &Inference,
        weights: Unfolded,
        seed: u64,
        epoch: u32,
    ) -> Result<(Figures, Vec<String>)> {
        let drawn;
        let (dir, pairs): (&Path, &Pairs) = match &self.source {
            VerificationPairs::File(dir, pairs) => (dir, pairs),
            VerificationPairs::Random(random, dataset) => {
                drawn = random.draw(seed, epoch, dataset.people(), self.options.folds)?;
                (dataset.dir(), &drawn)
            }
        };
        let resolved = pairs.resolve(dir);
        if resolved.pairs.is_empty() {
            let problem = format!("none of the {} pairs has both photographs there", pairs.pairs.len());
            return Err(Error::data(dir, problem));
        }
        let mut left_out: Vec<String> = resolved.missing.iter().map(|name| format!("{name}: not there")).collect();
        let dataset = Arc::new(of_files(dir, &resolved.images)?);
        let numbers: HashMap<PathBuf, usize> = (0..dataset.images()).map(|i| (dataset.path(i), i)).collect();
        let embeddings = inference.embed(weights, &dataset)?;
        left_out.extend(embeddings.bad.iter().map(|&image| format!("{}: not decoded", dataset.path(image).display())));
        let number = |image: usize| numbers[&resolved.images[image]];
        let whole = |pair: &&eval::ResolvedPair| ![pair.a, pair.b].iter().any(|&i| embeddings.bad.contains(&number(i)));
        let kept: Vec<&eval::ResolvedPair> = resolved.pairs.iter().filter(whole).collect();
        let join = |pick: fn(&eval::ResolvedPair) -> usize| -> Vec<f32> {
            kept.iter().flat_map(|pair| embeddings.row(number(pick(pair)))).copied().collect()
        };
        let same: Vec<bool> = kept.iter().map(|pair| pair.same).collect();
        let found = eval::evaluate(&join(|p| p.a), &join(|p| p.b), embeddings.dim, &same, &self.options)?;
        Ok((found.figures, left_out))
    }
}

/// A dataset of exactly these files, folder by folder.
fn of_files(dir: &Path, files: &[PathBuf]) -> Result<Dataset> {
    let mut people: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(dir).unwrap_or(file);
        let name = |path: Option<&Path>| path.unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let photo = name(inside.file_name().map(Path::new));
        people.entry(name(inside.parent())).or_default().push(photo);
    }
    let people = people.into_iter().map(|(name, photos)| Person { name, photos });
    Dataset::new(dir, people.collect())
}
