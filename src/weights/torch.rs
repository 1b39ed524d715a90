//! PyTorch's `.pt` and `.pth`: a pickle of a state dict that refers to storages of raw values.
//!
//! Since PyTorch 1.6 the file is a zip with `data.pkl` and one member a storage; before, everything was written in a
//! row (facenet-pytorch's MTCNN files still are). See `torch/serialization.py` and `torch/_utils.py`.

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(feature = "decode")]
use super::archive::Archive;
use super::collector::{Collector, Strided};
use super::cursor::Cursor;
use super::dtype::{Dtype, Float};
use super::pickle::{Id, Pickle, Value};
use super::source::Source;
use super::view::{Bytes, Plain};
use super::{Parsed, QUANTIZED};

/// `torch.serialization.MAGIC_NUMBER`, pickled with protocol 2: how the older layout begins.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// `torch.serialization.PROTOCOL_VERSION`.
const LEGACY_VERSION: i128 = 1001;
/// Checkpoints nest a state dict or two; pickles may contain themselves.
const MAX_DEPTH: usize = 16;

/// Whether a zip archive is PyTorch's.
#[cfg(feature = "decode")]
pub(super) fn is_archive(archive: &Archive) -> bool {
    archive.names().iter().any(|name| name == "data.pkl" || name.ends_with("/data.pkl"))
}

/// Whether a file is of the layout before the zip.
pub(super) fn is_legacy(head: &[u8]) -> bool {
    head.starts_with(LEGACY_MAGIC)
}

/// Reads a state dict from the zip layout.
#[cfg(feature = "decode")]
pub(super) fn read_archive(archive: &Archive, out: &mut Collector) -> Parsed<()> {
    let names = archive.names();
    let member = names.iter().find(|name| name.ends_with("data.pkl")).cloned().unwrap_or_default();
    let prefix = member.strip_suffix("data.pkl").unwrap_or_default();
    if names.iter().any(|name| name.starts_with(&format!("{prefix}code/"))) {
        return Err("is a TorchScript program: save the model's state_dict() instead".into());
    }
    let byteorder = format!("{prefix}byteorder");
    let big_endian = archive.has(&byteorder) && archive.read(&byteorder)?.trim_ascii() == b"big";
    let bytes = archive.read(&member)?;
    let pickle = Pickle::parse(&bytes, allowed)?;
    let mut storages = BTreeMap::new();
    for storage in declared(&pickle)? {
        let data = format!("{prefix}data/{}", storage.key);
        let elements = storage.elements_of(archive.len_of(&data)?)?;
        let at = match storage.shared {
            // Each of its tensors would unpack all of it again.
            true => {
                let all = Source::memory(archive.read(&data)?);
                Box::new(move |at| Arc::new(Plain { source: all.clone(), at }) as Arc<dyn Bytes>) as Place
            }
            false => {
                let archive = archive.clone();
                Box::new(move |at| Arc::new(archive.part(&data, at)) as Arc<dyn Bytes>) as Place
            }
        };
        storages.insert(storage.key.clone(), Placed { dtype: storage.dtype(big_endian), elements, at });
    }
    state_dict(&pickle, &storages, out)
}

/// Reads a state dict from the layout before the zip: magic, version and system, the state dict, the storages' keys
/// (five pickles), then each storage: its number of elements and its bytes.
pub(super) fn read_legacy(source: &Source, out: &mut Collector) -> Parsed<()> {
    let all = source.all()?;
    let mut rest = all.get(LEGACY_MAGIC.len()..).unwrap_or_default();
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
    let begin = all.len() - rest.len();
    let mut cursor = Cursor::new(rest);
    let mut storages = BTreeMap::new();
    for &key in keys.sequence(keys.root()).ok_or("is damaged: its storages have no list")? {
        let key = keys.key(key).ok_or("is damaged: a storage's key is not text")?;
        let storage = declared.get(key.as_ref()).ok_or_else(|| format!("is damaged: nobody uses storage {key}"))?;
        let elements = cursor.length()?;
        let bytes =
            elements.checked_mul(storage.size).ok_or_else(|| format!("is damaged: storage {key} is too long"))?;
        let (source, from) = (source.clone(), begin + cursor.at());
        cursor.take(bytes)?;
        let at = Box::new(move |at: usize| Arc::new(Plain { source: source.clone(), at: from + at }) as Arc<dyn Bytes>);
        storages.insert(key.into_owned(), Placed { dtype: storage.dtype(big_endian), elements, at });
    }
    state_dict(&tree, &storages, out)
}

/// What a pickle of a state dict is made of.
fn allowed(global: &str) -> bool {
    matches!(
        global,
        "torch._utils._rebuild_tensor_v2"
            | "torch._utils._rebuild_parameter"
            | "torch._utils._rebuild_qtensor"
            | "torch._utils._rebuild_tensor_v3"
            | "collections.OrderedDict"
            | "torch.Size"
    ) || (global.starts_with("torch.") && global.ends_with("Storage"))
        || is_constant(global)
}

/// A type of elements or a kind of quantization, such as `torch.qint8`.
fn is_constant(global: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    global.strip_prefix("torch.").is_some_and(|name| name.chars().all(word))
}

/// A storage as a persistent reference declares it.
struct Storage {
    key: String,
    /// Bytes of an element.
    size: usize,
    /// `None` for integers.
    float: Option<Float>,
    /// Whether several tensors lie in it.
    shared: bool,
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
            "ByteStorage" | "CharStorage" | "BoolStorage" | "UntypedStorage" | "QInt8Storage" | "QUInt8Storage" => {
                (1, None)
            }
            "ShortStorage" => (2, None),
            "IntStorage" | "QInt32Storage" => (4, None),
            "LongStorage" => (8, None),
            _ => return None,
        };
        Some(Storage { key: pickle.key(key)?.into_owned(), size, float, shared: false })
    }

    #[cfg(feature = "decode")]
    fn elements_of(&self, bytes: usize) -> Parsed<usize> {
        match bytes.is_multiple_of(self.size) {
            true => Ok(bytes / self.size),
            false => Err(format!("is damaged: storage {} is not a whole number of elements", self.key)),
        }
    }

    fn dtype(&self, big_endian: bool) -> Option<Dtype> {
        self.float.map(|float| Dtype { float, big_endian })
    }
}

/// A storage's bytes from a place on.
type Place = Box<dyn Fn(usize) -> Arc<dyn Bytes>>;

/// A storage where it lies.
struct Placed {
    /// `None` for integers.
    dtype: Option<Dtype>,
    elements: usize,
    at: Place,
}

/// The storages that a pickle refers to, each once.
fn declared(pickle: &Pickle<'_>) -> Parsed<Vec<Storage>> {
    let mut storages: BTreeMap<String, Storage> = BTreeMap::new();
    for value in pickle.values() {
        let &Value::Persistent(reference) = value else { continue };
        let storage = Storage::parse(pickle, reference)
            .ok_or("holds a storage of unknown kind: save the state dict again by a current torch.save")?;
        match storages.get_mut(&storage.key) {
            Some(known) if known.float != storage.float || known.size != storage.size => {
                return Err(format!("is damaged: storage {} is of two types", storage.key));
            }
            Some(known) => known.shared = true,
            None => drop(storages.insert(storage.key.clone(), storage)),
        }
    }
    Ok(storages.into_values().collect())
}

/// Storages by key.
type Storages = BTreeMap<String, Placed>;

fn state_dict(pickle: &Pickle<'_>, storages: &Storages, out: &mut Collector) -> Parsed<()> {
    let mut root = pickle.root();
    match pickle.get(root) {
        Value::Dict(_) => {}
        Value::List(items) | Value::Tuple(items) => {
            let n = items.len();
            return Err(format!("holds a list of {n}, not a dict of tensors: save the model's state_dict()"));
        }
        _ => return Err("holds no dict of tensors: save the model's state_dict()".into()),
    }
    let mut found = Vec::new();
    state_dicts(pickle, root, MAX_DEPTH, &mut found, out)?;
    // Training scripts keep it beside an optimizer's state, which has no dict of names to tensors, under any key. Where
    // there are two, both are kept, under their keys.
    if let [only] = *found {
        root = only;
        if root != pickle.root()
            && let Value::Dict(pairs) = pickle.get(pickle.root())
        {
            for &(key, _) in pairs.iter().filter(|&&(_, value)| value != root) {
                out.skip(&pickle.key(key).unwrap_or_default(), "beside the network's dict")?;
            }
        }
    }
    // Those of the network itself come last.
    for dict in [pickle.root(), root] {
        for &(name, value) in pickle.attributes(dict) {
            if let (Some(name), Some(value)) = (pickle.text(name), pickle.text(value)) {
                out.learn(&name, &value)?;
            }
        }
    }
    flatten(pickle, root, "", storages, MAX_DEPTH, out)
}

/// The dicts that have tensors under names.
fn state_dicts(pickle: &Pickle<'_>, id: Id, depth: usize, found: &mut Vec<Id>, out: &mut Collector) -> Parsed<()> {
    let depth = depth.checked_sub(1).ok_or("is damaged: its dicts are nested without end")?;
    out.spend(1)?;
    let Value::Dict(pairs) = pickle.get(id) else { return Ok(()) };
    let is_tensor = |id: Id| pickle.call(id).is_some_and(|(name, ..)| name.starts_with("torch._utils._rebuild_"));
    if pairs.iter().any(|&(key, value)| pickle.text(key).is_some() && is_tensor(value)) {
        found.push(id);
        return Ok(());
    }
    pairs.iter().try_for_each(|&(key, value)| match pickle.text(key) {
        Some(_) => state_dicts(pickle, value, depth, found, out),
        None => Ok(()),
    })
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
            Some(("torch._utils._rebuild_qtensor", ..)) => out.skip(name, QUANTIZED),
            Some(("torch._utils._rebuild_tensor_v3", arguments, _)) => {
                let kind = arguments.iter().filter_map(|&id| pickle.global(id)).find(|global| is_constant(global));
                out.skip(name, format!("type {}", kind.unwrap_or("unknown").trim_start_matches("torch.")))
            }
            _ => out.skip(name, "not a tensor"),
        },
        // A quantized layer's weights and biases.
        Value::Tuple(items) if items.iter().any(|&id| is_quantized(pickle, id)) => out.skip(name, QUANTIZED),
        _ => out.skip(name, "not a tensor"),
    }
}

fn is_quantized(pickle: &Pickle<'_>, id: Id) -> bool {
    pickle.call(id).is_some_and(|(name, ..)| name == "torch._utils._rebuild_qtensor")
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
        let storage = storages.get(&self.key).ok_or_else(|| format!("is damaged: `{name}` has no storage"))?;
        let Some(dtype) = storage.dtype else { return out.skip(name, "integers") };
        let view = Strided { shape: &self.shape, strides: &self.stride, offset: self.offset, among: storage.elements };
        out.insert_strided(name, &view, dtype, |at| (storage.at)(at))
    }
}
