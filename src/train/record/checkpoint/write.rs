//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// What the name of a file that is being written ends in.
const TEMPORARY: &str = ".partial";

/// Whether an interrupted save left this file behind.
pub(super) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("step-") && name.ends_with(TEMPORARY)
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
    content: impl FnOnce(&mut Hashed<BufWriter<File>>) -> io::Result<()>,
) -> Result<(u64, String)> {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY);
    let temporary = PathBuf::from(name);
    let written = fill(&temporary, content).and_then(|done| {
        fs::rename(&temporary, path)?;
        // The rename itself is on the disk only when its folder is. Some systems cannot flush a folder.
        if let Some(Ok(folder)) = path.parent().map(File::open) {
            let _ = folder.sync_all();
        }
        Ok(done)
    });
    written.map_err(|e| {
        let _ = fs::remove_file(&temporary);
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

fn fill(
    path: &Path,
    content: impl FnOnce(&mut Hashed<BufWriter<File>>) -> io::Result<()>,
) -> io::Result<(u64, String)> {
    let out = BufWriter::with_capacity(1 << 16, File::create(path)?);
    let mut hashed = Hashed { out, bytes: 0, hash: Sha256::new() };
    content(&mut hashed)?;
    // Some file systems find out only now that there is no room.
    hashed.out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
    Ok((hashed.bytes, hex(hashed.hash)))
}

/// SHA-256 in lowercase hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
