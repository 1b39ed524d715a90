//! Zip archives in memory: the envelope of `.npz` and of PyTorch files.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::Parsed;

/// How much of all members together may be unpacked, per byte of the archive; deflate reaches about 1000.
const EXPANSION: usize = 1100;

/// An open archive.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
    left: usize,
}

impl<'a> Archive<'a> {
    pub fn open(bytes: &'a [u8]) -> Parsed<Self> {
        let zip = ZipArchive::new(Cursor::new(bytes))
            .map_err(|e| format!("is a damaged or cut zip archive ({e}); fetch it again"))?;
        if let Some(recorded) = recorded_entries(bytes)
            && recorded != zip.len()
        {
            return Err(format!(
                "is a zip archive of {recorded} members, of which only {} have names of their own: \
                 which of the others is meant cannot be told",
                zip.len()
            ));
        }
        let names: Vec<String> = zip.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
            return Err("is a zip archive with two members of one name".into());
        }
        Ok(Archive { zip, names, left: bytes.len().saturating_mul(EXPANSION) })
    }

    /// The members' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A member's unpacked bytes; its checksum is verified on the way.
    pub fn read(&mut self, name: &str) -> Parsed<Vec<u8>> {
        let problem = |e: &dyn std::fmt::Display| format!("zip member `{name}`: {e}; fetch the file again");
        let index = self.names.iter().position(|n| n == name).ok_or_else(|| problem(&"it is missing"))?;
        let file = self.zip.by_index(index).map_err(|e| problem(&e))?;
        let mut bytes = Vec::new();
        // One byte beyond the limit tells a full member from one too large.
        let limit = u64::try_from(self.left).unwrap_or(u64::MAX);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| problem(&e))?;
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| problem(&"it unpacks to an absurd size"))?;
        Ok(bytes)
    }
}

/// The number of members as the end record gives it, unless it is a zip64 archive's placeholder.
fn recorded_entries(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let count = bytes.get(at + 10..at + 12)?;
    let count = u16::from_le_bytes([*count.first()?, *count.last()?]);
    (count != u16::MAX).then_some(usize::from(count))
}
