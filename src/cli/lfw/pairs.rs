//! Which pairs are measured: of a file, drawn by a seed, or packed with their photographs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::context::create_folder;
use crate::cli::output;
use crate::error::{Field, message};
use crate::eval::folds::folds_of_one_kind;
use crate::eval::{self, Packed, Pairs, Person, ResolvedPair};
use crate::image::{self, Limits, Rgb8};
use crate::{Error, files};

/// Pairs of each kind that are drawn for a fold, where nothing else is asked for.
const DRAWN: usize = 60;

/// Which pairs, as flags.
#[derive(Debug, clap::Args)]
pub struct PairsArgs {
    /// The pairs, in the form of LFW's pairs.txt, or CALFW's and CPLFW's lists. A photograph is found by its name whatever
    /// its suffix: crops are .png where photographs are .jpg
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Draw the pairs from the folder by this seed, and write them to the pairs file first
    #[arg(long, value_name = "SEED", requires = "pairs")]
    seeded_pairs: Option<u64>,
    /// How many pairs --seeded-pairs draws, half of them of one person [default: 120 for each fold, or as many as the
    /// photographs make]
    #[arg(long, value_name = "N", requires = "seeded_pairs")]
    pair_count: Option<usize>,
    /// Let --seeded-pairs replace a pairs file that is there
    #[arg(long, requires = "seeded_pairs")]
    overwrite: bool,
    /// Put the pairs in the order of this seed first: for lists that have all pairs of one person before the others
    #[arg(long, value_name = "SEED")]
    shuffle_pairs: Option<u64>,
    /// Folds of the cross validation, consecutive parts of the pairs [default: the pairs file's header, else 10; 5 of drawn
    /// pairs]
    #[arg(long, value_name = "N")]
    folds: Option<usize>,
}

/// The photographs that pairs are made of.
pub enum Source {
    /// Files.
    Files(Vec<PathBuf>),
    /// A set in one file, and what its photographs are called.
    Packed(Packed, Vec<PathBuf>),
}

impl Source {
    /// What each photograph is called.
    pub fn names(&self) -> &[PathBuf] {
        match self {
            Source::Files(names) | Source::Packed(_, names) => names,
        }
    }

    /// A photograph's pixels.
    pub fn decode(&self, i: usize) -> crate::Result<Rgb8> {
        match self {
            Source::Files(paths) => image::decode(&paths[i]),
            Source::Packed(set, names) => image::decode_bytes(&names[i], set.photograph(i), &Limits::default()),
        }
    }
}

/// What is to be measured.
pub struct Asked {
    pub source: Source,
    /// Pairs whose photographs are both there.
    pub pairs: Vec<ResolvedPair>,
    /// Photographs that are not.
    pub missing: Vec<String>,
    /// The folds, unless others are asked for.
    folds: usize,
}

impl PairsArgs {
    /// The file that the pairs are in.
    pub fn file<'a>(&'a self, folder: &'a Path) -> &'a Path {
        self.pairs.as_deref().unwrap_or(folder)
    }

    /// The pairs, and their photographs in the folder.
    pub fn read(&self, folder: &Path) -> Result<Asked> {
        let kind = fs::metadata(folder).map_err(Error::io(folder, "read"))?;
        let mut asked = if kind.is_dir() { self.of_folder(folder)? } else { self.packed(folder)? };
        if let Some(seed) = self.shuffle_pairs {
            eval::pairs::shuffle(&mut asked.pairs, seed);
        }
        Ok(asked)
    }

    fn of_folder(&self, folder: &Path) -> Result<Asked> {
        let Some(file) = &self.pairs else {
            return Err(Error::invalid(Field("pairs"), "which pairs? name their file").into());
        };
        if let Some(seed) = self.seeded_pairs {
            self.draw(seed, folder, file)?;
        }
        let pairs = Pairs::read(file)?;
        if let Some(mismatch) = pairs.header_mismatch() {
            eprintln!("{}: {mismatch}", file.display());
        }
        if pairs.folds.is_none() && self.folds.is_none() {
            let folds = pairs.default_folds();
            eprintln!("{}: names no folds; {folds} are taken, --folds N changes it", file.display());
        }
        let resolved = pairs.resolve(folder);
        let hint = resolved.nearest.as_ref().map(|(missing, nearest)| {
            let like = nearest.as_ref().map(|path| format!("; most alike is {}", path.display()));
            format!("{} is not there{}", missing.display(), like.unwrap_or_default())
        });
        if resolved.pairs.is_empty() {
            let whole = format!("none of its {} pairs has both photographs in {}", pairs.pairs.len(), folder.display());
            return Err(Error::data(file, format!("{whole}: {}", hint.unwrap_or_default())).into());
        }
        if let Some(hint) = hint {
            eprintln!("{} missing: {hint}", output::count(resolved.missing.len(), "photograph"));
        }
        if let Some(first) = resolved.several.first() {
            let (count, first) = (output::count(resolved.several.len(), "photograph"), first.display());
            eprintln!(
                "{count} with several faces: the first face, as {first}, is taken, though another may be meant; align \
                 without --detect-multiple-faces keeps the large and central one"
            );
        }
        let (folds, source) = (pairs.default_folds(), Source::Files(resolved.images));
        Ok(Asked { source, pairs: resolved.pairs, missing: resolved.missing, folds })
    }

    /// A file in place of a folder.
    fn packed(&self, file: &Path) -> Result<Asked> {
        let bytes = fs::read(file).map_err(Error::io(file, "read"))?;
        // What begins as a pickle does may be one; Python 2's oldest have no sign.
        let is_bin = file.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("bin"));
        if let Some(what) = image::foreign(&bytes).filter(|_| !is_bin) {
            return Err(Error::data(file, format!("is no folder of people, but {what}")).into());
        }
        if !is_bin {
            let problem = "is no folder: name a folder with a folder for each person, or insightface's .bin";
            return Err(Error::data(file, problem).into());
        }
        if self.pairs.is_some() {
            let problem = "the .bin has its own pairs; leave the file out";
            return Err(Error::invalid(Field("pairs"), problem).into());
        }
        let set = Packed::parse(bytes, file)?;
        let pairs = set.pairs().to_vec();
        if pairs.is_empty() {
            return Err(Error::data(file, "has no pairs").into());
        }
        let names = set.names(file.file_name().unwrap_or(file.as_os_str()));
        let folds = pairs.len().min(10);
        Ok(Asked { source: Source::Packed(set, names), pairs, missing: Vec::new(), folds })
    }

    /// Writes pairs drawn by the seed, unless these very ones are there.
    fn draw(&self, seed: u64, folder: &Path, file: &Path) -> Result<()> {
        let (people, left_out) = eval::list_people(folder)?;
        left_out.iter().for_each(|problem| eprintln!("{problem}"));
        let (same, different) = self.counts(&people, folder)?;
        let folds = self.folds.unwrap_or((same + different).clamp(1, 5));
        let pairs = eval::generate_counts(seed, &people, folds, same, different)?;
        let text = pairs.to_text()?;
        let old = fs::read(file).ok();
        if old.is_some_and(|old| old != text.as_bytes()) && !self.overwrite {
            let there = format!("{} is there already, with other pairs: measure those without ", file.display());
            let problem = message![there, Field("seeded_pairs"), ", or replace them by ", Field("overwrite")];
            return Err(Error::invalid(Field("seeded_pairs"), problem).into());
        }
        if let Some(parent) = file.parent() {
            create_folder(parent)?;
        }
        files::write(file, text)?;
        eprintln!("pairs: {} drawn by seed {seed}, in {}", pairs.pairs.len(), file.display());
        Ok(())
    }

    /// How many pairs of one person and of different people are drawn.
    fn counts(&self, people: &[Person], folder: &Path) -> Result<(usize, usize)> {
        if let Some(count) = self.pair_count {
            if count < 2 {
                return Err(Error::invalid(Field("pair_count"), "both kinds of pairs must come: 2 at least").into());
            }
            return Ok((count / 2, count - count / 2));
        }
        let (same, different) = eval::possible_pairs(people);
        if same == 0 || different == 0 {
            let found = format!("{same} pairs of one person and {different} of two come of its photographs");
            let problem = format!("{found}; both must: two people are needed, and one with two photographs");
            return Err(Error::data(folder, problem).into());
        }
        let wanted = self.folds.unwrap_or(5).saturating_mul(DRAWN);
        let least = usize::try_from(same.min(different)).unwrap_or(usize::MAX);
        if least < wanted {
            let of = output::count(people.len(), "person").replace("persons", "people");
            eprintln!("pairs: {of} make {same} pairs of one person and {different} of two: {least} of each are drawn");
        }
        Ok((wanted.min(least), wanted.min(least)))
    }

    /// The folds that pairs of these kinds are measured in; warns of folds that say little.
    pub fn check_folds(&self, asked: &Asked, same: &[bool]) -> crate::Result<usize> {
        let folds = self.folds.unwrap_or(asked.folds);
        if same.is_empty() {
            let problem = "no pair is left: of each a photograph could not be read, or has no face";
            return Err(Error::invalid("pairs", problem));
        }
        if same.iter().all(|&is| is == same[0]) {
            eprintln!("all pairs are of one kind: VAL, FAR, AUC and EER, or some of them, are not defined");
        }
        if folds == 1 {
            eprintln!(
                "one fold: the threshold is chosen on the pairs that it is measured on, so accuracy is optimistic; \
                 --folds 10 measures as the original does"
            );
        }
        let alone = folds_of_one_kind(same, folds)?;
        if alone > 0 {
            eprintln!(
                "{alone} of {folds} folds hold pairs of one kind only, as the file has them in order: their accuracy is \
                 that of one kind; --shuffle-pairs SEED mixes them"
            );
        }
        Ok(folds)
    }
}
