//! What is to be aligned: by this run, and by others on the same output.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use super::Args;
use super::claims::Claims;
use super::record::{Record, There};
use crate::cli::names::{Suffix, distinct};
use crate::cli::output;
use crate::cli::photos::Tally;
use crate::face::Aligner;
use crate::weights::sha256;
use crate::{Error, image};

/// Photographs to align, and where their crops go.
pub(super) struct Work {
    pub photographs: Vec<PathBuf>,
    /// Their crops within the output.
    pub inside: Vec<PathBuf>,
    /// Those that no run has finished, in this run's order.
    pub open: VecDeque<usize>,
    /// Those of them that have a crop, which is of other settings, or of another photograph.
    pub redo: HashSet<usize>,
    /// Those that another run has claimed.
    pub elsewhere: Vec<usize>,
    pub finished_before: usize,
}

impl Args {
    /// The photographs, and their crops' paths within the output; what is left out goes to the tally.
    pub(super) fn find(&self, tally: &mut Tally) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let found = image::people(&self.input)?;
        if found.people.is_empty() && found.problems.is_empty() {
            let loose = match found.loose.len() {
                0 => String::new(),
                n => format!(": {} in nobody's", output::count(n, "photograph")),
            };
            return Err(Error::data(&self.input, format!("no folders here; expected one per person{loose}")).into());
        }
        let (people, left_out) = found.or_left_out();
        tally.failures.extend(left_out);
        let photographs: Vec<PathBuf> = people.into_iter().flat_map(|person| person.photos).collect();
        let inside = |path: &PathBuf| path.strip_prefix(&self.input).unwrap_or(path).to_owned();
        let inside: Vec<PathBuf> = photographs.iter().map(inside).collect();
        Ok((photographs, distinct(&inside, Suffix::Png)))
    }

    /// Refuses an output in which the next run would take crops for photographs.
    pub(super) fn check_output(&self) -> Result<()> {
        let input = self.input.canonicalize().map_err(Error::io(&self.input, "read"))?;
        let output = real(&self.output);
        let Ok(inside) = output.strip_prefix(&input) else { return Ok(()) };
        if inside.iter().any(|part| part.as_encoded_bytes().starts_with(b".")) {
            return Ok(());
        }
        let problem = "lies within the folder of photographs, where crops would be taken for more; name another";
        Err(Error::data(&self.output, problem).into())
    }

    /// What is to be done, and that this run's settings are the output's.
    pub(super) fn settle(
        &self,
        aligner: &Aligner,
        photographs: Vec<PathBuf>,
        inside: Vec<PathBuf>,
        claims: Option<&mut Claims>,
    ) -> Result<Work> {
        let alignment = aligner.alignment();
        let record = Record {
            image_size: alignment.size,
            align: alignment.method,
            warp: alignment.warp,
            landmarks: aligner.landmarks().map(|predictor| sha256::file(predictor.path())).transpose()?,
            margin: alignment.margin,
            detect_multiple_faces: self.detect_multiple_faces,
            overwriting: false,
        };
        let there = self.there(&inside);
        let settle = |at_work| record.settle(&self.output, there.as_ref(), self.overwrite, at_work);
        match claims {
            Some(claims) => claims.alone(settle)??,
            None => settle(false)?,
        }
        // After an interrupted run with --overwrite, crops of other settings are still among the new ones.
        let since = Record::overwriting_since(&self.output);
        let (mut open, mut finished): (Vec<usize>, Vec<usize>) =
            (0..inside.len()).partition(|&i| !self.is_finished(&inside[i], since));
        self.reopen(&photographs, &inside, &mut open, &mut finished);
        let has_crop = |&i: &usize| !self.overwrite && self.is_finished(&inside[i], None);
        let redo = open.iter().copied().filter(has_crop).collect();
        if self.overwrite {
            (open, finished) = ((0..photographs.len()).collect(), Vec::new());
        }
        if self.random_order {
            shuffle(&mut open);
        }
        let finished_before = finished.len();
        Ok(Work { photographs, inside, open: open.into(), redo, elsewhere: Vec::new(), finished_before })
    }

    /// Opens all of those photographs that would have one name for their crops, where one has none yet: which of them the
    /// others' crops are of, nobody knows, since names depend on who else was there.
    fn reopen(&self, photographs: &[PathBuf], inside: &[PathBuf], open: &mut Vec<usize>, finished: &mut Vec<usize>) {
        let stem = |i: usize| photographs[i].with_extension("");
        let has_plain_name = |i: usize| inside[i].file_stem() == photographs[i].file_stem();
        let told_apart: HashSet<PathBuf> = open.iter().copied().filter(|&i| !has_plain_name(i)).map(stem).collect();
        let again: Vec<usize>;
        (again, *finished) = finished.iter().copied().partition(|&i| told_apart.contains(&stem(i)));
        open.extend(again);
        open.sort_unstable();
    }

    /// Takes the next photographs that nobody has finished or claimed; none when there are no more.
    pub(super) fn next(
        &self,
        work: &mut Work,
        claims: Option<&mut Claims>,
        began: Option<SystemTime>,
        at_once: usize,
    ) -> Result<Vec<usize>> {
        let since = began.filter(|_| self.overwrite);
        let mut picked = Vec::new();
        let mut pick = |is_taken: &dyn Fn(&Path) -> bool| -> Vec<PathBuf> {
            // Those of a run that was killed in the meantime are this run's again.
            let left = if work.open.is_empty() { std::mem::take(&mut work.elsewhere) } else { Vec::new() };
            for i in left {
                if is_taken(&work.inside[i]) || self.is_finished(&work.inside[i], since) {
                    work.elsewhere.push(i);
                } else {
                    work.open.push_back(i);
                }
            }
            while picked.len() < at_once
                && let Some(i) = work.open.pop_front()
            {
                let inside = &work.inside[i];
                let new = (!self.overwrite || since.is_some()) && self.is_finished(inside, since);
                let new = new && !work.redo.contains(&i);
                if new || is_taken(inside) { &mut work.elsewhere } else { &mut picked }.push(i);
            }
            picked.iter().map(|&i| work.inside[i].clone()).collect()
        };
        match claims {
            Some(claims) => drop(claims.claim(pick)?),
            None => drop(pick(&|_| false)),
        }
        Ok(picked)
    }

    /// The crops that are there, of whichever faces.
    pub(super) fn there(&self, inside: &[PathBuf]) -> Option<There> {
        let own: HashSet<&PathBuf> = inside.iter().collect();
        let there = |multiple: bool| {
            // `x_0.png` may be the crop of `x_0.jpg`.
            let files = inside.iter().map(|inside| face(inside, 0, multiple));
            let files = files.filter(|file| !multiple || !own.contains(file)).map(|file| self.output.join(file));
            let files: Vec<PathBuf> = files.filter(|file| file.exists()).collect();
            let count = files.len();
            files.into_iter().next().map(|crop| There { count, crop, detect_multiple_faces: multiple })
        };
        there(self.detect_multiple_faces).or_else(|| there(!self.detect_multiple_faces))
    }

    /// The file that a photograph's face `i` goes to.
    pub(super) fn file(&self, target: &Path, i: usize) -> PathBuf {
        face(target, i, self.detect_multiple_faces)
    }

    /// Whether a photograph's crop is there, and was made after `since`.
    pub(super) fn is_finished(&self, inside: &Path, since: Option<SystemTime>) -> bool {
        let Ok(crop) = fs::metadata(self.file(&self.output.join(inside), 0)) else { return false };
        since.is_none_or(|since| crop.modified().is_ok_and(|made| made > since))
    }

    /// Removes crops of an earlier run that are not made anew: `rows` were.
    pub(super) fn remove_older(&self, target: &Path, rows: usize, own: &HashSet<PathBuf>) -> Result<()> {
        let first = |multiple: bool| if multiple == self.detect_multiple_faces { rows } else { 0 };
        let several = (first(true)..).map(|i| face(target, i, true));
        let several = several.take_while(|file| file.exists() && !own.contains(file));
        let one = (first(false)..1).map(|i| face(target, i, false)).filter(|file| file.exists() && !is_face(file, own));
        for file in one.chain(several) {
            fs::remove_file(&file).map_err(Error::io(&file, "remove"))?;
        }
        Ok(())
    }
}

/// A path without links, of which the last parts need not be there yet.
fn real(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        let rest = path.strip_prefix(above).unwrap_or(path);
        above.canonicalize().ok().map(|above| above.join(rest))
    });
    known.unwrap_or_else(|| path.to_owned())
}

/// The file of a photograph's crop, or of its face `i` where there may be several.
fn face(target: &Path, i: usize, multiple: bool) -> PathBuf {
    if !multiple {
        return target.to_owned();
    }
    let stem = target.file_stem().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{stem}_{i}.png"))
}

/// Whether a file is called as a face of one of these targets: `x_0.png` is the crop of `x_0.jpg`, or a face of `x.jpg`.
fn is_face(file: &Path, targets: &HashSet<PathBuf>) -> bool {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let of = stem.rsplit_once('_').filter(|(_, digits)| number(digits));
    of.is_some_and(|(of, _)| targets.contains(&file.with_file_name(of).with_added_extension("png")))
}

/// Fisher-Yates, seeded by the clock and the process: runs side by side should differ.
fn shuffle<T>(items: &mut [T]) {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut state = clock.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32) | 1;
    for i in (1..items.len()).rev() {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        items.swap(i, ((state >> 33) % (i as u64 + 1)) as usize);
    }
}
