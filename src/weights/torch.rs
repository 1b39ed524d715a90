//! PyTorch's `.pt` and `.pth`: a pickle of a state dict that refers to storages of raw values.
//!
//! Since PyTorch 1.6 the file is a zip with `data.pkl` and one member a storage; before, everything was written in a
//! row (facenet-pytorch's MTCNN files still are). See `torch/serialization.py` and `torch/_utils.py`.

use std::collections::BTreeMap;

use super::Parsed;
#[cfg(feature = "decode")]
use super::archive::Archive;
use super::collector::Collector;
use super::cursor::Cursor;
use super::dtype::{Dtype, Float};
use super::pickle::{Id, Pickle, Value};

/// `torch.serialization.MAGIC_NUMBER`, pickled with protocol 2: how the older layout begins.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// `torch.serialization.PROTOCOL_VERSION`.
const LEGACY_VERSION: i128 = 1001;
/// Checkpoints nest a state dict or two; pickles may contain themselves.
const MAX_DEPTH: usize = 16;
/// Under which keys training scripts keep the model's state dict.
const WRAPPERS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// Whether a zip archive is PyTorch's.
#[cfg(feature = "decode")]
pub(super) fn is_archive(archive: &Archive<'_>) -> bool {
    archive.names().iter().any(|name| name == "data.pkl" || name.ends_with("/data.pkl"))
}

/// Whether a file is of the layout before the zip.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(LEGACY_MAGIC)
}

/// Reads a state dict from the zip layout.
#[cfg(feature = "decode")]
pub(super) fn read_archive(archive: &mut Archive<'_>, out: &mut Collector) -> Parsed<()> {
    let names = archive.names();
    let member = names.iter().find(|name| name.ends_with("data.pkl")).cloned().unwrap_or_default();
    let prefix = member.strip_suffix("data.pkl").unwrap_or_default();
    if names.iter().any(|name| name.starts_with(&format!("{prefix}code/"))) {
        return Err("is a TorchScript program: save the model's state_dict() instead".into());
    }
    let byteorder = format!("{prefix}byteorder");
    let big_endian = names.contains(&byteorder) && archive.read(&byteorder)?.trim_ascii() == b"big";
    let bytes = archive.read(&member)?;
    let pickle = Pickle::parse(&bytes, allowed)?;
    let mut storages = BTreeMap::new();
    for storage in declared(&pickle)? {
        let data = archive.read(&format!("{prefix}data/{}", storage.key))?;
        storages.insert(storage.key.clone(), storage.decode(&data, big_endian)?);
    }
    state_dict(&pickle, &storages, out)
}

/// Reads a state dict from the layout before the zip: magic, version and system, the state dict, the storages' keys
/// (five pickles), then each storage: its number of elements and its bytes.
pub(super) fn read_legacy(bytes: &[u8], out: &mut Collector) -> Parsed<()> {
    let mut rest = bytes.get(LEGACY_MAGIC.len()..).unwrap_or_default();
    let mut next = || -> Parsed<Pickle<'_>> {
        let pickle = Pickle::parse(rest, allowed)?;
        rest = rest.get(pickle.length..).unwrap_or_default();
        Ok(pickle)
    };
    let (version, system, tree, keys) = (next()?, next()?, next()?, next()?);
    if version.int(version.root()) != Some(LEGACY_VERSION) {
        return Err("is a PyTorch file of an unknown version: save it again by torch.save".into());
    }
    let big_endian = lookup(&system, system.root(), "little_endian").and_then(|id| system.bool(id)) == Some(false);
    let declared: BTreeMap<String, Storage> = declared(&tree)?.into_iter().map(|s| (s.key.clone(), s)).collect();
    let mut cursor = Cursor::new(rest);
    let mut storages = BTreeMap::new();
    for &key in keys.sequence(keys.root()).ok_or("is damaged: its storages have no list")? {
        let key = keys.key(key).ok_or("is damaged: a storage's key is not text")?;
        let storage = declared.get(key.as_ref()).ok_or_else(|| format!("is damaged: nobody uses storage {key}"))?;
        let elements = cursor.length()?;
        let bytes =
            elements.checked_mul(storage.size).ok_or_else(|| format!("is damaged: storage {key} is too long"))?;
        storages.insert(key.into_owned(), storage.decode(cursor.take(bytes)?, big_endian)?);
    }
    state_dict(&tree, &storages, out)
}

/// What a pickle of a state dict is made of.
fn allowed(global: &str) -> bool {
    matches!(
        global,
        "torch._utils._rebuild_tensor_v2"
            | "torch._utils._rebuild_parameter"
            | "collections.OrderedDict"
            | "torch.Size"
    ) || (global.starts_with("torch.") && global.ends_with("Storage"))
}

/// A storage as a persistent reference declares it.
struct Storage {
    key: String,
    /// Bytes of an element.
    size: usize,
    /// `None` for integers.
    float: Option<Float>,
}

impl Storage {
    /// `('storage', torch.FloatStorage, key, device, elements)`, and in the older layout a view's origin, or `None`.
    fn parse(pickle: &Pickle<'_>, reference: Id) -> Option<Self> {
        let &[_, kind, key, _, _, ref view @ ..] = pickle.sequence(reference)? else { return None };
        if view.iter().any(|&view| !matches!(pickle.get(view), Value::None)) {
            return None;
        }
        let (size, float) = match pickle.global(kind)?.rsplit_once('.')?.1 {
            "HalfStorage" => (2, Some(Float::F16)),
            "BFloat16Storage" => (2, Some(Float::Bf16)),
            "FloatStorage" => (4, Some(Float::F32)),
            "DoubleStorage" => (8, Some(Float::F64)),
            "ByteStorage" | "CharStorage" | "BoolStorage" => (1, None),
            "ShortStorage" => (2, None),
            "IntStorage" => (4, None),
            "LongStorage" => (8, None),
            _ => return None,
        };
        Some(Storage { key: pickle.key(key)?.into_owned(), size, float })
    }

    fn decode(&self, bytes: &[u8], big_endian: bool) -> Parsed<Option<Vec<f32>>> {
        if !bytes.len().is_multiple_of(self.size) {
            return Err(format!("is damaged: storage {} is not a whole number of elements", self.key));
        }
        Ok(self.float.map(|float| Dtype { float, big_endian }.decode(bytes)))
    }
}

/// The storages that a pickle refers to, each once.
fn declared(pickle: &Pickle<'_>) -> Parsed<Vec<Storage>> {
    let mut storages: BTreeMap<String, Storage> = BTreeMap::new();
    for value in pickle.values() {
        let &Value::Persistent(reference) = value else { continue };
        let storage = Storage::parse(pickle, reference)
            .ok_or("holds a storage of unknown kind: save the state dict again by a current torch.save")?;
        match storages.get(&storage.key) {
            Some(known) if known.float != storage.float || known.size != storage.size => {
                return Err(format!("is damaged: storage {} is of two types", storage.key));
            }
            Some(_) => {}
            None => drop(storages.insert(storage.key.clone(), storage)),
        }
    }
    Ok(storages.into_values().collect())
}

/// Decoded storages by key; integers are `None`.
type Storages = BTreeMap<String, Option<Vec<f32>>>;

fn state_dict(pickle: &Pickle<'_>, storages: &Storages, out: &mut Collector) -> Parsed<()> {
    let mut root = pickle.root();
    if !matches!(pickle.get(root), Value::Dict(_)) {
        return Err("holds no dict of tensors: save the model's state_dict()".into());
    }
    let wrapped = |&id: &Id| matches!(pickle.get(id), Value::Dict(_));
    if let Some(inner) = WRAPPERS.iter().find_map(|key| lookup(pickle, root, key).filter(wrapped)) {
        root = inner;
    }
    flatten(pickle, root, "", storages, MAX_DEPTH, out)
}

fn lookup(pickle: &Pickle<'_>, dict: Id, key: &str) -> Option<Id> {
    let Value::Dict(pairs) = pickle.get(dict) else { return None };
    pairs.iter().find(|&&(k, _)| pickle.text(k).is_some_and(|k| k == key)).map(|&(_, value)| value)
}

fn flatten(
    pickle: &Pickle<'_>,
    id: Id,
    name: &str,
    storages: &Storages,
    depth: usize,
    out: &mut Collector,
) -> Parsed<()> {
    let depth = depth.checked_sub(1).ok_or("is damaged: its dicts are nested without end")?;
    out.spend(1)?;
    match pickle.get(id) {
        Value::Dict(pairs) => {
            for &(key, value) in pairs {
                let key = pickle.key(key).ok_or("holds a dict whose keys are neither text nor numbers")?;
                let child = if name.is_empty() { key.into_owned() } else { format!("{name}.{key}") };
                flatten(pickle, value, &child, storages, depth, out)?;
            }
            Ok(())
        }
        Value::Call { .. } => match pickle.call(id) {
            Some(("torch._utils._rebuild_parameter", &[tensor, ..], _)) => {
                flatten(pickle, tensor, name, storages, depth, out)
            }
            Some(("torch._utils._rebuild_tensor_v2", arguments, _)) => {
                let view = View::parse(pickle, arguments)
                    .ok_or_else(|| format!("is damaged: `{name}` is not a tensor as PyTorch pickles it"))?;
                view.read(name, storages, out)
            }
            _ => out.skip(name, "not a tensor"),
        },
        _ => out.skip(name, "not a tensor"),
    }
}

/// A tensor: a strided view of a storage.
struct View {
    key: String,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

impl View {
    /// `_rebuild_tensor_v2(storage, offset, shape, stride, …)`.
    fn parse(pickle: &Pickle<'_>, arguments: &[Id]) -> Option<Self> {
        let &[storage, offset, shape, stride, ..] = arguments else { return None };
        let &Value::Persistent(reference) = pickle.get(storage) else { return None };
        let (shape, stride) = (pickle.usizes(shape)?, pickle.usizes(stride)?);
        (shape.len() == stride.len()).then_some(())?;
        Some(View { key: Storage::parse(pickle, reference)?.key, offset: pickle.usize(offset)?, shape, stride })
    }

    fn read(&self, name: &str, storages: &Storages, out: &mut Collector) -> Parsed<()> {
        let Some(values) = storages.get(&self.key).ok_or_else(|| format!("is damaged: `{name}` has no storage"))?
        else {
            return out.skip(name, "integers");
        };
        let elements = out.admit(name, &self.shape)?;
        let outside = || format!("is damaged or cut short: `{name}` reaches beyond its storage; fetch it again");
        if elements == 0 {
            return out.insert(name, &self.shape, Vec::new());
        }
        // The last element is the farthest: if it is inside, all are.
        let last = self.shape.iter().zip(&self.stride).try_fold(self.offset, |at, (&extent, &stride)| {
            at.checked_add(stride.checked_mul(extent.checked_sub(1)?)?)
        });
        if last.ok_or_else(outside)? >= values.len() {
            return Err(outside());
        }
        let mut offsets = vec![self.offset];
        for (&extent, &stride) in self.shape.iter().zip(&self.stride) {
            offsets = offsets.iter().flat_map(|&at| (0..extent).map(move |i| at + i * stride)).collect();
        }
        let data = offsets.iter().map(|&at| values.get(at).copied()).collect::<Option<Vec<f32>>>();
        out.insert(name, &self.shape, data.ok_or_else(outside)?)
    }
}
