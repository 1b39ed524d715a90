//! Every op's cases for a browser: the crate `warpface-web-cases`, whose modules are those of the tests beside. What is f32 on
//! the browser's WebGPU is compared with the reference.
// Their tests are of other backends.
#![cfg(not(test))]

#[allow(dead_code)]
mod case;
#[path = "../common"]
mod common {
    //! What the cases use of `tests/common`.
    mod noise;
    mod worst;

    pub use noise::Noise;
    pub use warpface::ops::Tolerance;
    pub use worst::worst;
}
#[allow(dead_code)]
mod gradient;
#[path = "../../src/ops/list.rs"]
mod list;
mod windows;

use std::sync::Arc;

use case::{Case, Feeding, expected, tolerance};
use common::worst;
use wasm_bindgen::prelude::*;

use warpface::backend::wgpu::Gpu;
use warpface::{Device, Precision, Shape};

/// In place of the tests of each backend: the cases themselves.
macro_rules! backend_test {
    ($cases:ident $(, $tensor_cores:ident)?) => {
        pub fn all() -> Vec<crate::Case> {
            $cases()
        }
    };
}

macro_rules! modules {
    ($($(#[$doc:meta])* $stem:ident::$name:ident $(, $extra:ident)*;)+) => {
        $(#[allow(dead_code, unused_imports)]
        mod $stem;)+

        /// Each op's stem and cases.
        const ALL: &[(&str, fn() -> Vec<Case>)] = &[$((stringify!($stem), $stem::all)),+];
    };
}

list::for_each_op!(modules);

/// Every op's stem.
#[wasm_bindgen]
pub fn stems() -> Vec<String> {
    ALL.iter().map(|(stem, _)| (*stem).to_owned()).collect()
}

/// The browser's GPU.
#[wasm_bindgen]
pub struct Browser(Device);

#[wasm_bindgen]
impl Browser {
    /// Opens it.
    pub async fn open() -> Result<Browser, JsError> {
        Ok(Browser(Device::from_backend(Gpu::open().await?)))
    }

    /// Runs an op's cases, `most` of them, spread over all; each that is wrong is a line that names it. The first is
    /// how many ran.
    pub async fn run(&self, stem: String, most: usize) -> Result<Vec<String>, JsError> {
        let (_, cases) = ALL.iter().find(|(name, _)| *name == stem).ok_or_else(|| JsError::new("no such op"))?;
        let cases = cases();
        let step = cases.len().div_ceil(most.max(1)).max(1);
        let chosen: Vec<Case> = cases.into_iter().step_by(step).collect();
        let mut lines = vec![chosen.len().to_string()];
        for case in &chosen {
            if let Err(problem) = self.check(case).await {
                lines.push(format!("{stem} {}: {problem}", case.name));
            }
        }
        Ok(lines)
    }
}

impl Browser {
    async fn check(&self, case: &Case) -> Result<(), String> {
        let (graph, fed) = case.graph(Feeding::Values);
        let expected = expected(&case.op, &graph, &fed).map_err(|error| error.to_string())?;
        let shapes: Vec<Shape> = fed.iter().map(|x| x.shape().clone()).collect();
        let inputs: Vec<&[f32]> = fed.iter().map(|x| x.data()).collect();
        let run = async || {
            let module = self.0.backend().load_in(Arc::new(graph.clone()), Precision::F32)?;
            module.plan(&shapes)?.run_async(&inputs).await
        };
        let got = run().await.map_err(|error| error.to_string())?;
        worst(&got[0], expected.data(), tolerance(case, Precision::F32)).map_or(Ok(()), Err)
    }
}
