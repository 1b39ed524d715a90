//! A device's ceilings, measured on the spot: what rows of a bench are read against.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Device, Executable};
use crate::graph::Step;
use crate::ops::{Dense, ScaledAdd};
use crate::{Graph, Plan, Precision, Result, Shape, Tensor};

/// Values of each array streamed: 64 MiB, beyond a cache.
const STREAM: usize = 16 << 20;
/// Runs go on this long, and at least three times; the fastest counts.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

/// What a device reaches at best (Williams, Waterman and Patterson 2009): no op is faster than its operations at the
/// one rate, nor than its bytes at the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roofline {
    /// Floating-point operations of a large matrix product, in 10^9 per second.
    pub gflops: f64,
    /// Bytes read and written by a large copy, in 10^9 per second.
    pub gb_s: f64,
    /// In which the matrices were multiplied, and values are stored.
    pub precision: Precision,
}

impl Roofline {
    /// Measures a device; it should have nothing else to do meanwhile. Takes about a second.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device fails, or does not have the precision.
    pub fn measure(device: &Device, precision: Precision) -> Result<Roofline> {
        let bytes_per_second = match device.backend().copy_rate() {
            Some(rate) => rate,
            None => stream_rate(device)?,
        };
        Ok(Roofline { gflops: gemm_rate(device, precision)? / 1e9, gb_s: bytes_per_second / 1e9, precision })
    }

    /// The least seconds that this many operations and bytes take. Data that stays in a cache may beat it, and so may
    /// an algorithm that does with fewer operations than the formula.
    pub fn seconds(&self, flops: u64, bytes: u64) -> f64 {
        (flops as f64 / self.gflops).max(bytes as f64 / self.gb_s) / 1e9
    }

    /// Bytes that a step must move at least, its values stored in the precision's type.
    pub fn step_bytes(&self, step: &Step) -> u64 {
        self.precision.stored(step.min_values())
    }

    /// The least seconds of a step.
    pub fn step_seconds(&self, step: &Step) -> f64 {
        self.seconds(step.flops, self.step_bytes(step))
    }

    /// The least seconds of a plan: one step after the other, each at its own ceiling.
    pub fn plan_seconds(&self, plan: &Plan) -> f64 {
        plan.steps.iter().map(|step| self.step_seconds(step)).sum()
    }
}

/// Seconds of the fastest of several runs, after one that does not count.
pub(super) fn fastest(mut run: impl FnMut() -> Result<Duration>) -> Result<f64> {
    run()?;
    let (start, mut best) = (Instant::now(), Duration::MAX);
    for i in 0.. {
        if i >= 3 && start.elapsed() >= LONG_ENOUGH {
            break;
        }
        best = best.min(run()?);
    }
    Ok(best.as_secs_f64())
}

/// Extents of the matrices multiplied, `n x n` by `n x n`: large enough that all but the arithmetic is lost in it, also
/// where a multiprocessor takes a tile of 128 x 256 and there are 132 of them.
fn gemm_extent(device: &Device, precision: Precision) -> usize {
    match (device.info().kind, precision) {
        ("cuda", Precision::F16 | Precision::Bf16) => 8192,
        ("cuda", _) => 4096,
        _ => 1024,
    }
}

/// Operations per second of a matrix product by the device's own kernels.
fn gemm_rate(device: &Device, precision: Precision) -> Result<f64> {
    let n = gemm_extent(device, precision);
    let mut graph = Graph::new();
    let x = graph.input("x");
    let w = graph.param("w", Tensor::filler([n, n]));
    let y = graph.op("gemm", Dense { bias: false, activation: Default::default() }, &[x, w]);
    graph.output(y);
    rate(device, graph, precision, &[[n, n].into()], |plan| plan.flops())
}

/// Bytes per second of an op that does next to nothing with much data.
fn stream_rate(device: &Device) -> Result<f64> {
    let mut graph = Graph::new();
    let (a, b) = (graph.input("a"), graph.input("b"));
    let y = graph.op("add", ScaledAdd { scale: 0.5 }, &[a, b]);
    graph.output(y);
    let shape = Shape::from([STREAM / 1024, 1024]);
    rate(device, graph, Precision::F32, &[shape.clone(), shape], |plan| {
        plan.steps.iter().map(|step| Precision::F32.stored(step.min_values())).sum()
    })
}

fn rate(
    device: &Device,
    graph: Graph,
    precision: Precision,
    inputs: &[Shape],
    amount: impl Fn(&Plan) -> u64,
) -> Result<f64> {
    let executable: Box<dyn Executable> = device.backend().load_in(Arc::new(graph), precision)?.plan(inputs)?;
    let data: Vec<Tensor> = inputs.iter().map(|shape| Tensor::filler(shape.clone())).collect();
    let data: Vec<&[f32]> = data.iter().map(Tensor::data).collect();
    let seconds = fastest(|| Ok(executable.profile(&data)?.iter().sum()))?;
    Ok(amount(executable.plan()) as f64 / seconds)
}

/// Bytes per second, read and written, that copying large arrays on all threads of a pool moves.
pub(super) fn copy_rate(pool: &rayon::ThreadPool) -> f64 {
    use rayon::prelude::*;

    let from = vec![1.0f32; 2 * STREAM];
    let mut to = vec![0.0f32; 2 * STREAM];
    let chunk = to.len().div_ceil(pool.current_num_threads());
    let seconds = fastest(|| {
        let start = Instant::now();
        pool.install(|| {
            to.par_chunks_mut(chunk).zip(from.par_chunks(chunk)).for_each(|(to, from)| to.copy_from_slice(from));
        });
        std::hint::black_box(&to);
        Ok(start.elapsed())
    });
    // A copy cannot fail.
    seconds.map_or(f64::NAN, |seconds| (2 * size_of_val(&*from)) as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_ceiling_counts() {
        let roofline = Roofline { gflops: 100.0, gb_s: 10.0, precision: Precision::F32 };
        assert_eq!(roofline.seconds(100_000_000_000, 1_000_000_000), 1.0);
        assert_eq!(roofline.seconds(1_000_000_000, 20_000_000_000), 2.0);
    }

    #[test]
    fn the_cpu_has_ceilings() {
        let roofline = Roofline::measure(&Device::cpu(1).unwrap(), Precision::F32).unwrap();
        assert!(roofline.gflops > 0.1 && roofline.gb_s > 0.1, "{roofline:?}");
    }
}
