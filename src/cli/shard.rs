//! A part of the photographs, for one of several machines.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::error::Field;

/// One of several parts, which hold each photograph once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    of: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            None => Err("expected a number of how many, as 1/4".to_owned()),
            Some((_, 0)) => Err("there is no part of 0; expected as 1/4".to_owned()),
            Some((number, of)) if number == 0 || number > of => {
                Err(format!("part {number} of {of} is none: they count from 1 to {of}"))
            }
            Some((number, of)) => Ok(Shard { number, of }),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// A part, as a flag.
#[derive(Debug, Default, clap::Args)]
pub struct ShardArgs {
    /// Do a part of the photographs, such as 1/4 to 4/4 on four machines, which together do each once: the first eight bytes
    /// of the SHA-256 of its path below the folder that is given, modulo N, say to which part a photograph belongs
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

impl ShardArgs {
    /// The places of this part's photographs; `given` are the paths that they were found by.
    pub fn of(&self, images: &[PathBuf], given: &[PathBuf]) -> Vec<usize> {
        let is_ours = |i: &usize| self.shard.is_none_or(|shard| shard.has(&below(&images[*i], given)));
        (0..images.len()).filter(is_ours).collect()
    }

    /// Refuses a part of what is embedded already.
    pub fn check(&self, are_embedded: bool) -> Result<()> {
        if self.shard.is_some() && are_embedded {
            return Err(Error::invalid(Field("shard"), "is a part of photographs, and these are embeddings").into());
        }
        Ok(())
    }

    /// In words, for what a run that resumes must have in common with the one before.
    pub fn words(&self) -> String {
        self.shard.map_or("all".to_owned(), |shard| shard.to_string())
    }
}

impl Shard {
    fn has(self, below: &[u8]) -> bool {
        let hash = Sha256::digest(below);
        let first = hash.first_chunk::<8>().copied().unwrap_or_default();
        u64::from_be_bytes(first) % self.of == self.number - 1
    }
}

/// A photograph's path below the folder that it was found by, with slashes on every system; a file that was named itself has
/// its name alone.
fn below(image: &Path, given: &[PathBuf]) -> Vec<u8> {
    let inside = given.iter().filter_map(|folder| image.strip_prefix(folder).ok());
    // Of a folder and one within it, whichever order they are given in.
    let shortest = inside.filter(|rest| !rest.as_os_str().is_empty()).min_by_key(|rest| rest.components().count());
    let rest = shortest.or_else(|| image.file_name().map(Path::new)).unwrap_or(image);
    let parts = rest.components().filter(|part| matches!(part, Component::Normal(_)));
    let parts: Vec<&[u8]> = parts.map(|part| part.as_os_str().as_encoded_bytes()).collect();
    parts.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_part_is_refused() {
        for (text, words) in [
            ("3/2", "from 1 to 2"),
            ("0/0", "part of 0"),
            ("0/4", "from 1 to 4"),
            ("1", "1/4"),
            ("a/b", "1/4"),
            ("-1/2", "1/4"),
        ] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert_eq!("4/4".parse::<Shard>().unwrap().to_string(), "4/4");
    }

    #[test]
    fn parts_hold_each_photograph_once_wherever_the_folder_lies() {
        let places = |root: &str| -> Vec<PathBuf> {
            (0..1000).map(|i| Path::new(root).join(format!("person{}/{i}.jpg", i % 7))).collect()
        };
        let part = |number: u64, root: &str| {
            let args = ShardArgs { shard: Some(Shard { number, of: 3 }) };
            args.of(&places(root), &[PathBuf::from(root)])
        };
        let mut all: Vec<usize> = (1..=3).flat_map(|number| part(number, "/mnt/a/photos")).collect();
        all.sort();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        for number in 1..=3 {
            let here = part(number, "/mnt/a/photos");
            assert_eq!(here, part(number, "./other"));
            assert!((250..420).contains(&here.len()), "{}", here.len());
        }
        assert_eq!(ShardArgs { shard: None }.of(&places("x"), &[]).len(), 1000);
    }

    #[test]
    fn the_hash_is_what_the_help_says() {
        // hashlib.sha256(b"ann/1.jpg").digest()[:8] as a big-endian number, modulo 5.
        assert_eq!(below(Path::new("/p/ann/1.jpg"), &["/p".into(), "/p/ann".into()]), b"1.jpg");
        assert_eq!(below(Path::new("/p/ann/1.jpg"), &["/p".into()]), b"ann/1.jpg");
        assert_eq!(below(Path::new("/p/ann/1.jpg"), &["/p/ann/1.jpg".into()]), b"1.jpg");
        let of: Vec<u64> = (1..=5).filter(|&number| Shard { number, of: 5 }.has(b"ann/1.jpg")).collect();
        assert_eq!(of, [2]);
    }
}
