//! A batch cut into a part for each thread: images do not meet, so no thread waits for another between ops, and each
//! keeps its own part in its own cache.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rayon::prelude::*;

use super::{Cpu, CpuExecutable, CpuModule};
use crate::backend::{Executable, check_inputs};
use crate::graph::{Region, Step};
use crate::ops::Op;
use crate::{Plan, Result, Shape};

/// The parts of a batch.
pub(super) struct Split {
    cpu: Cpu,
    images: usize,
    parts: Vec<(Range<usize>, Arc<CpuExecutable>)>,
}

/// A plan that runs part by part.
pub(super) struct SplitExecutable {
    /// Told of, and profiled op by op.
    pub whole: CpuExecutable,
    pub parts: Split,
}

impl Split {
    /// The parts of `plan`'s batch; `None` where they would not be worth it, or where images meet.
    pub fn new(module: &CpuModule, plan: &Plan) -> Result<Option<Split>> {
        let cpu = module.cpu().clone();
        let images = plan.inputs.first().and_then(|view| view.shape.dims().first()).copied().unwrap_or(0);
        let threads = cpu.threads();
        // A vector's only axis is its values', not a batch's.
        let leads = |shape: &Shape| shape.rank() > 1 && shape.dims()[0] == images;
        let apart =
            plan.inputs.iter().chain(&plan.outputs).all(|view| view.region == Region::Arena && leads(&view.shape))
                && plan.steps.iter().all(|step| is_by_image(step, &leads));
        // Of so many weights, what each thread would read for its own images takes longest.
        let local = plan.steps.iter().any(|step| matches!(step.op, Op::LocalConv2d(_)));
        if threads < 2 || images < threads || !apart || local {
            return Ok(None);
        }
        let mut parts: Vec<(Range<usize>, Arc<CpuExecutable>)> = Vec::new();
        for thread in 0..threads {
            let range = thread * images / threads..(thread + 1) * images / threads;
            let alike = parts.iter().find(|(other, _)| other.len() == range.len()).map(|(_, part)| part.clone());
            let part = match alike {
                Some(part) => part,
                None => {
                    let shape = |shape: &Shape| Shape::new([&[range.len()], &shape.dims()[1..]].concat());
                    let inputs: Vec<Shape> = plan.inputs.iter().map(|view| shape(&view.shape)).collect();
                    Arc::new(module.executable(&inputs, false)?)
                }
            };
            parts.push((range, part));
        }
        Ok(Some(Split { cpu, images, parts }))
    }

    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        let part = |(range, part): &(Range<usize>, Arc<CpuExecutable>)| {
            let of = |x: &&'_ [f32]| {
                let image = x.len() / self.images;
                range.start * image..range.end * image
            };
            part.run(&inputs.iter().map(|x| &x[of(x)]).collect::<Vec<_>>())
        };
        let parts: Result<Vec<Vec<Vec<f32>>>> = self.cpu.pool().install(|| self.parts.par_iter().map(part).collect());
        let joined = parts?.into_iter().reduce(|mut joined, part| {
            joined.iter_mut().zip(part).for_each(|(to, from)| to.extend(from));
            joined
        });
        Ok(joined.unwrap_or_default())
    }
}

/// Whether each image of a step's output depends on the same image of its inputs alone: values are led by the batch,
/// everything else is constant.
fn is_by_image(step: &Step, leads: &impl Fn(&Shape) -> bool) -> bool {
    let apart = (0..step.inputs.len()).any(|i| step.op.by_image(i));
    let fits = step.inputs.iter().enumerate().all(|(i, view)| match view.region {
        Region::Arena => step.op.by_image(i) && leads(&view.shape),
        Region::Param(_) => !step.op.by_image(i),
        Region::State(_) => false,
    });
    apart && fits && leads(&step.output.shape)
}

impl Executable for SplitExecutable {
    fn plan(&self) -> &Plan {
        self.whole.plan()
    }

    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        check_inputs(self.whole.plan(), inputs)?;
        self.parts.run(inputs)
    }

    fn profile(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>> {
        self.whole.profile(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Activation, LocalConv2d, Relu};
    use crate::{Graph, Tensor};

    /// Whether a batch of four is cut for two threads.
    fn is_cut(graph: Graph, x: [usize; 4]) -> bool {
        let module = Cpu::new(2).unwrap().module(Arc::new(graph)).unwrap();
        let whole = module.executable(&[x.into()], true).unwrap();
        Split::new(&module, whole.plan()).unwrap().is_some()
    }

    #[test]
    fn threads_share_the_weights_of_locally_connected_layers() {
        let mut graph = Graph::new();
        let x = graph.input("x");
        let y = graph.op("relu", Relu, &[x]);
        graph.output(y);
        assert!(is_cut(graph, [4, 3, 3, 2]));
        let mut graph = Graph::new();
        let x = graph.input("x");
        let w = graph.param("w", Tensor::filler([2, 2, 3, 2, 2, 2]));
        let b = graph.param("b", Tensor::filler([2, 2, 3]));
        let y = graph.op("local", LocalConv2d { stride: [1, 1], activation: Activation::None }, &[x, w, b]);
        graph.output(y);
        assert!(!is_cut(graph, [4, 3, 3, 2]));
    }
}
