//! Reading published packages: wheels are zips, source archives are `.tar.gz` or zips.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::GzDecoder;

/// Calls `take` with the path and the content of each file of the archive that `wanted` picks by its path.
pub fn for_each_file(
    archive: &Path,
    wanted: impl Fn(&str) -> bool,
    mut take: impl FnMut(&str, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut read = || -> Result<()> {
        let mut file = BufReader::new(File::open(archive)?);
        let mut magic = [0; 2];
        file.read_exact(&mut magic)?;
        file.rewind()?;
        if magic == *b"PK" {
            let mut zip = zip::ZipArchive::new(file)?;
            for i in 0..zip.len() {
                let mut member = zip.by_index(i)?;
                let name = member.name()?.into_owned();
                if member.is_file() && wanted(&name) {
                    take(&name, &mut member)?;
                }
            }
        } else {
            let mut tar = tar::Archive::new(GzDecoder::new(file));
            for member in tar.entries()? {
                let mut member = member?;
                let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
                if member.header().entry_type().is_file() && wanted(&name) {
                    take(&name, &mut member)?;
                }
            }
        }
        Ok(())
    };
    read().with_context(|| format!("cannot unpack {}", archive.display()))
}
