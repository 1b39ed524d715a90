//! What the tensor-core and asynchronous instructions compute, apart from any executor: plain functions over
//! registers, bytes and addresses.

#![allow(missing_docs, reason = "formats, types and error fields whose names say it all")]

pub mod cp_async;
pub mod descriptor;
pub mod fragment;
pub mod in_flight;
pub mod ldmatrix;
pub mod matmul;
pub mod mbarrier;
pub mod mma;
pub mod swizzle;
pub mod tensor_map;
pub mod tma;
pub mod wgmma;

/// One 32-bit register of a whole warp.
pub type WarpRegister = [u32; 32];
