//! The package for browsers in headless Chromium, on WebGPU: `cargo xtask test` builds it; absent, with Node.js or Chromium, these
//! tests skip loudly.
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod browser;
mod decode;
mod faces;
mod files;
mod ops;
mod page;
mod readme;
