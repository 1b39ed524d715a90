//! The server: its protocols as their own clients speak them, its limits, and what those do who mean it no good.

mod client;
#[path = "../common/mod.rs"]
mod common;
mod guarded;
mod hostile;
mod page;
mod peers;
mod predict;
mod program;
mod served;
mod tasks;
mod v2;
