//! NumPy's `.npz`: a zip archive whose members are `.npy` files, named `NAME.npy`.

use super::archive::Archive;
use super::collector::Collector;
use super::{Parsed, npy};

/// Reads every `.npy` member.
pub(super) fn read(archive: &mut Archive<'_>, out: &mut Collector) -> Parsed<()> {
    for member in archive.names().to_vec() {
        let Some(name) = member.strip_suffix(".npy") else {
            out.skip(&member, "not an .npy member")?;
            continue;
        };
        let bytes = archive.read(&member)?;
        npy::read(&bytes, name, &format!("{name}/"), out).map_err(|problem| format!("member `{member}` {problem}"))?;
    }
    if out.is_empty() {
        return Err("is a zip archive without float arrays: neither an .npz nor a PyTorch state dict \
                    (a Keras 3 `.keras` file must be saved as `.h5`)"
            .into());
    }
    Ok(())
}
