//! Where the readers put what they find: named tensors within a budget of memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use crate::tensor::Tensor;

use super::dtype::Dtype;
use super::sequence::Layer;
use super::source::Source;
use super::view::{Bytes, Order, Plain, TensorView};
use super::{Format, ModelFacts, Parsed, TensorMap, TorchModule};

/// Tensors on their way into a [`TensorMap`].
///
/// A small file can describe huge tensors (strides of zero, one value repeated, one storage under many names). What is
/// kept must stay in proportion to the file's size, so every element and every name is paid for.
pub(super) struct Collector {
    tensors: BTreeMap<String, TensorView>,
    skipped: BTreeMap<String, String>,
    facts: ModelFacts,
    layers: Vec<Layer>,
    modules: Vec<TorchModule>,
    budget: usize,
}

impl Collector {
    /// For a file of this many bytes.
    pub fn new(file_bytes: usize) -> Self {
        let budget = file_bytes.saturating_mul(16).saturating_add(1 << 16);
        Collector {
            tensors: BTreeMap::new(),
            skipped: BTreeMap::new(),
            facts: ModelFacts::default(),
            layers: Vec::new(),
            modules: Vec::new(),
            budget,
        }
    }

    /// What was found so far.
    pub fn tensors(&self) -> &BTreeMap<String, TensorView> {
        &self.tensors
    }

    /// Keeps the layers of a graph, in order.
    pub fn set_layers(&mut self, layers: Vec<Layer>) {
        self.layers = layers;
    }

    /// Keeps the modules of a Torch7 network, in order.
    pub fn set_modules(&mut self, modules: Vec<TorchModule>) {
        self.modules = modules;
    }

    /// Counts bytes that lie in another file, and are there.
    pub fn earn(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_add(bytes.saturating_mul(2));
    }

    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Pays for `cost` elements, bytes of a name or visited nodes.
    pub fn spend(&mut self, cost: usize) -> Parsed<()> {
        self.budget = self.budget.checked_sub(cost).ok_or("is damaged: it describes far more data than it holds")?;
        Ok(())
    }

    /// How many elements a tensor of these extents has, paid for: call it before allocating them.
    pub fn admit(&mut self, name: &str, dims: &[usize]) -> Parsed<usize> {
        // Zero extents are multiplied last, so that `[huge, huge, 0]` is refused rather than overflowed. Bytes of an f64 each
        // must fit an address, of 32 bits in a browser.
        let product = dims
            .iter()
            .filter(|&&d| d != 0)
            .try_fold(1usize, |n, &d| n.checked_mul(d).filter(|&n| n <= usize::MAX >> 4));
        let elements = match product {
            Some(n) if !dims.contains(&0) => n,
            Some(_) => 0,
            None => return Err(format!("is damaged: tensor `{name}` claims the shape {dims:?}")),
        };
        self.spend(elements.saturating_add(name.len() + 8 * dims.len() + 1))
            .map_err(|problem| format!("{problem} (tensor `{name}`, shape {dims:?})"))?;
        Ok(elements)
    }

    /// Adds a tensor that [`Collector::admit`] let in.
    pub fn insert(&mut self, name: &str, dims: &[usize], data: Vec<f32>) -> Parsed<()> {
        if data.len() != elements(dims) {
            return Err(format!("is damaged: tensor `{name}` of shape {dims:?} has {} values", data.len()));
        }
        self.insert_view(name, Tensor::new(dims, data).into())
    }

    /// Adds a tensor from its bytes in memory; `fortran` is column-major order.
    pub fn insert_bytes(
        &mut self,
        name: &str,
        dims: &[usize],
        dtype: Dtype,
        fortran: bool,
        bytes: &[u8],
    ) -> Parsed<()> {
        let bytes_there = Part { bytes: Arc::new(Plain { source: Source::memory(bytes), at: 0 }), len: bytes.len() };
        let view = self.view(name, dims, dtype, fortran, bytes_there)?;
        self.insert_view(name, view.decode()?.into())
    }

    /// Adds a tensor that stays where it is, of as many bytes as its shape needs; `fortran` is column-major order.
    pub fn insert_stored(&mut self, name: &str, dims: &[usize], dtype: Dtype, fortran: bool, part: Part) -> Parsed<()> {
        let view = self.view(name, dims, dtype, fortran, part)?;
        self.insert_view(name, view)
    }

    fn view(&mut self, name: &str, dims: &[usize], dtype: Dtype, fortran: bool, part: Part) -> Parsed<TensorView> {
        let elements = self.admit(name, dims)?;
        if elements.checked_mul(dtype.size()) != Some(part.len) {
            return Err(format!(
                "is damaged or cut short: tensor `{name}` of shape {dims:?} needs {} bytes and has {}; fetch it again",
                elements.saturating_mul(dtype.size()),
                part.len
            ));
        }
        let order = if fortran { Order::Fortran } else { Order::RowMajor };
        Ok(TensorView::stored(dims, part.bytes, dtype, order))
    }

    /// Adds a tensor that is a strided view of a storage, of which `place` gives the bytes from a place on.
    pub fn insert_strided(
        &mut self,
        name: &str,
        view: &Strided,
        dtype: Dtype,
        place: impl FnOnce(usize) -> Arc<dyn Bytes>,
    ) -> Parsed<()> {
        if self.admit(name, view.shape)? == 0 {
            return self.insert(name, view.shape, Vec::new());
        }
        let outside = || format!("is damaged or cut short: `{name}` reaches beyond its storage; fetch it again");
        let span = view.span().ok_or_else(outside)?;
        if view.offset.checked_add(span).is_none_or(|end| end > view.among) {
            return Err(outside());
        }
        let order = match view.is_dense() {
            true => Order::RowMajor,
            false => Order::Strided(view.strides.to_vec(), span),
        };
        self.insert_view(name, TensorView::stored(view.shape, place(view.offset * dtype.size()), dtype, order))
    }

    /// Adds a tensor of an admitted shape.
    pub fn insert_view(&mut self, name: &str, view: TensorView) -> Parsed<()> {
        match self.tensors.entry(name.to_owned()) {
            Entry::Vacant(slot) => drop(slot.insert(view)),
            Entry::Occupied(_) => {
                return Err(format!("holds tensor `{name}` twice: which one is meant cannot be told"));
            }
        }
        Ok(())
    }

    /// Notes what is there and not kept.
    pub fn skip(&mut self, name: &str, why: impl Into<String>) -> Parsed<()> {
        self.spend(name.len() + 1)?;
        self.skipped.insert(name.to_owned(), why.into());
        Ok(())
    }

    /// Whether a tensor's name is such.
    #[cfg(feature = "decode")]
    pub fn has_name(&self, is: impl Fn(&str) -> bool) -> bool {
        self.tensors.keys().any(|name| is(name))
    }

    /// What a file without a float tensor has instead.
    pub fn why_empty(&self) -> String {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        self.skipped.values().for_each(|why| *reasons.entry(why).or_default() += 1);
        match reasons.into_iter().max_by_key(|&(_, n)| n) {
            Some((why, n)) => format!(
                "but holds no float tensors that can be read: {n} of {} are left out ({why}); save them as f32, f16 or bf16",
                self.skipped.len()
            ),
            None => "but holds no tensors".into(),
        }
    }

    /// Takes what a file says of the network's input.
    pub fn learn(&mut self, name: &str, value: &str) -> Parsed<()> {
        self.facts.learn(name, value)
    }

    pub fn finish(self, path: &Path, format: Format) -> TensorMap {
        let Collector { tensors, skipped, facts, layers, modules, .. } = self;
        TensorMap { path: path.to_owned(), format, tensors, skipped, facts, layers, modules }
    }
}

/// A tensor's place in a storage, in elements.
pub(super) struct Strided<'a> {
    pub shape: &'a [usize],
    pub strides: &'a [usize],
    pub offset: usize,
    /// Elements of the storage.
    pub among: usize,
}

impl Strided<'_> {
    /// Elements from the first to the last, of a view that has some. The last is the farthest: if it is inside, all are.
    fn span(&self) -> Option<usize> {
        let mut steps = self.shape.iter().zip(self.strides);
        let last = steps
            .try_fold(0usize, |at, (&extent, &stride)| at.checked_add(stride.checked_mul(extent.checked_sub(1)?)?));
        last?.checked_add(1)
    }

    /// Whether the elements lie one after the other.
    fn is_dense(&self) -> bool {
        let mut step = 1;
        self.shape.iter().zip(self.strides).rev().all(|(&extent, &stride)| {
            let dense = extent == 1 || stride == step;
            step *= extent;
            dense
        })
    }
}

/// Where a tensor's bytes are, and how many there are.
pub(super) struct Part {
    pub bytes: Arc<dyn Bytes>,
    pub len: usize,
}

impl Part {
    /// These bytes of a file, which must be within it.
    pub fn of(source: &Source, at: usize, len: usize) -> Part {
        Part { bytes: Arc::new(Plain { source: source.clone(), at }), len }
    }
}

/// Elements of an admitted shape, in an order that cannot overflow.
fn elements(dims: &[usize]) -> usize {
    if dims.contains(&0) { 0 } else { dims.iter().product() }
}
