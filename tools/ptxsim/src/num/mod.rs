//! Number formats narrower than `f32`, and what PTX does with them: rounding, saturation, fused multiply-add.
//!
//! Every narrow value is exact in `f64`, so arithmetic goes there and comes back through one rounding.

#![allow(missing_docs, reason = "formats, types and error fields whose names say it all")]

mod arithmetic;
mod format;
mod integer;
mod pack;

pub use arithmetic::{fma, sum_to_odd};
pub use format::{Format, Rounding, Saturation, bf16_to_f32, f16_to_f32, tf32_to_f32};
pub use integer::{from_integer, to_integer};
pub use pack::{pack_bf16x2, pack_e4m3x2, pack_e5m2x2, pack_f16x2};
