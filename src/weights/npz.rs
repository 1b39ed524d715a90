//! NumPy's `.npz`: a zip archive whose members are `.npy` files, named `NAME.npy`.

use std::sync::Arc;

use super::archive::Archive;
use super::collector::Collector;
use super::view::Bytes;
use super::{Parsed, npy};

/// Adds the array of every `.npy` member.
pub(super) fn read(archive: &Archive, out: &mut Collector) -> Parsed<()> {
    if archive.names().iter().any(|name| name.ends_with("archive_format") || name.ends_with("models/model.json")) {
        return Err("is a program exported by torch.export (.pt2): save the model's state_dict() instead".into());
    }
    for member in archive.names() {
        let Some(name) = member.strip_suffix(".npy") else {
            out.skip(member, "not an .npy member")?;
            continue;
        };
        let part = |at| Arc::new(archive.part(member, at)) as Arc<dyn Bytes>;
        let head = archive.head(member, npy::HEAD)?;
        let npy = npy::Npy { head, len: archive.len_of(member)?, all: &|| archive.read(member), part: &part };
        npy::read(&npy, name, &format!("{name}/"), out).map_err(|problem| format!("member `{member}` {problem}"))?;
    }
    if out.is_empty() {
        return Err("is a zip archive without float arrays: neither an .npz, nor a PyTorch state dict, nor a \
                    `.keras`"
            .into());
    }
    Ok(())
}
