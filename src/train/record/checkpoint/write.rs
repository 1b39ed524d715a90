//! Checkpoints' files, which appear whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::files::{Aside, PARTIAL};
use crate::weights::sha256::hex;
use crate::{Error, Result};

/// Whether an interrupted save left this file behind.
pub(super) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("step-") && name.ends_with(PARTIAL)
}

/// What goes through is counted and hashed.
pub(super) struct Hashed<W> {
    out: W,
    bytes: u64,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.out.write(data)?;
        self.hash.update(&data[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Puts what `content` writes at `path`, replacing what is there in one stroke; returns its length and SHA-256. If it
/// fails, nothing of it is left.
///
/// # Errors
/// What the system says, with what to do.
pub(super) fn atomically(
    path: &Path,
    content: impl FnOnce(&mut Hashed<Aside>) -> io::Result<()>,
) -> Result<(u64, String)> {
    let written = fill(path, content).inspect(|_| {
        // The rename itself is on the disk only when its folder is. Some systems cannot flush a folder.
        if let Some(Ok(folder)) = path.parent().map(File::open) {
            let _ = folder.sync_all();
        }
    });
    written.map_err(|e| {
        let advice = match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                "make room, keep fewer checkpoints, or choose another folder"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotFound => {
                "choose a folder that can be written"
            }
            _ => "nothing of it was kept",
        };
        let reason = io::Error::new(e.kind(), format!("{e}; earlier checkpoints are intact; {advice}"));
        Error::io(path, "save the checkpoint")(reason)
    })
}

fn fill(path: &Path, content: impl FnOnce(&mut Hashed<Aside>) -> io::Result<()>) -> io::Result<(u64, String)> {
    let mut hashed = Hashed { out: Aside::create(path)?, bytes: 0, hash: Sha256::new() };
    content(&mut hashed)?;
    hashed.out.finish()?;
    hashed.out.put()?;
    Ok((hashed.bytes, hex(hashed.hash)))
}

/// SHA-256 in lowercase hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}
