//! The cascade's submissions.

use std::sync::Arc;

use super::bind::{Bound, Prepared};
use super::context::Arg;
use super::driver::{Memory, Pinned, Stream};
use super::{Cuda, CudaModule};
use crate::Precision;
use crate::backend::cascade::{Engine, Item};
use crate::backend::kernels::Tuning;
use crate::{Error, Graph, Plan, Result};

/// What the host reads.
#[derive(Default)]
pub struct Scratch(Option<Pinned>);

impl Engine for Cuda {
    type Buffer = Arc<Memory>;
    type Module = CudaModule;
    type Prepared = Prepared;
    type Net = Bound;
    type Scratch = Scratch;

    fn tuning(&self) -> Tuning {
        Cuda::tuning(self, Precision::F32)
    }

    fn error(&self, problem: &str) -> Error {
        Cuda::error(self, problem)
    }

    fn load(&self, graph: Arc<Graph>) -> Result<CudaModule> {
        CudaModule::new(self.clone(), graph, Precision::F32, std::sync::Arc::new([]))
    }

    fn graph(module: &CudaModule) -> &Arc<Graph> {
        module.graph()
    }

    fn buffer(&self, name: &str, bytes: usize, _: bool) -> Result<Arc<Memory>> {
        Ok(Arc::new(self.memory(name, bytes)?))
    }

    fn bytes(buffer: &Arc<Memory>) -> usize {
        buffer.bytes()
    }

    fn write(&self, buffer: &Arc<Memory>, bytes: &[u8]) -> Result<()> {
        buffer.write(bytes)
    }

    fn prepare(&self, module: &CudaModule, plan: &Plan) -> Result<(Prepared, usize)> {
        let prepared = Prepared::new(module, plan)?;
        let elements = prepared.arena;
        Ok((prepared, elements))
    }

    fn arena(&self, elements: usize) -> Result<Arc<Memory>> {
        let arena = self.buffer("the arena", 4 * elements, false)?;
        // The last crops of a batch may be nobody's: they are computed from what is there, which should be something.
        self.driver().clear(Stream::Compute, arena.address(), arena.bytes())?;
        Ok(arena)
    }

    fn bind(&self, module: &CudaModule, plan: &Plan, prepared: Prepared, arena: &Arc<Memory>) -> Result<Bound> {
        prepared.bind(module, plan, arena.address())
    }

    fn submit(
        &self,
        scratch: &mut Scratch,
        items: &[Item<Cuda>],
        cleared: &[&Arc<Memory>],
        reads: &[(&Arc<Memory>, usize)],
    ) -> Result<Vec<u32>> {
        let driver = self.driver();
        for buffer in cleared {
            driver.clear(Stream::Compute, buffer.address(), buffer.bytes())?;
        }
        for item in items {
            match item {
                Item::Launch(launch) => {
                    let kernel = self.kernel(launch.stem, &format!("{}_f32", launch.entry), 0)?;
                    let args: Vec<Arg> = launch.buffers.iter().map(|buffer| Arg::Address(buffer.address())).collect();
                    driver.launch(&self.launch(kernel, &launch.params, &args, launch.groups, 0))?;
                }
                Item::Net(net) => net.bound.launches.iter().try_for_each(|(_, launch)| driver.launch(launch))?,
            }
        }
        let bytes = 4 * reads.iter().map(|(_, words)| words).sum::<usize>();
        let pinned = match &mut scratch.0 {
            Some(pinned) if pinned.bytes().len() >= bytes => pinned,
            slot => slot.insert(Pinned::new(driver, 2 * bytes)?),
        };
        let mut to = &mut pinned.bytes_mut()[..bytes];
        for &(buffer, words) in reads.iter().filter(|(_, words)| *words > 0) {
            let (part, rest) = to.split_at_mut(4 * words);
            // SAFETY: waited for below.
            unsafe { driver.download(Stream::Compute, part, buffer.address())? };
            to = rest;
        }
        driver.synchronize(Stream::Compute)?;
        Ok(bytemuck::pod_collect_to_vec(&pinned.bytes()[..bytes]))
    }
}
