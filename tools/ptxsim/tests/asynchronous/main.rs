//! Tensor-core and asynchronous instructions: each computes what it should, and each mistake in their use is found.
//!
//! Kernels are hand-written PTX under `kernels/`; a mistake is planted by editing the text.

#[path = "../common/bench.rs"]
mod bench;
mod bulk;
mod copy;
mod matrix;
mod mbarrier;
mod pipeline;
mod tensor;
mod warpgroup;

use bench::Bench;
use ptxsim::{Fault, FaultKind, Launch, Module};

/// The PTX of `kernels/<name>.ptx` with each pair's first text, which must occur, replaced by its second.
fn kernel(text: &str, edits: &[(&str, &str)]) -> Module {
    let mut text = text.to_string();
    for (from, to) in edits {
        assert!(text.contains(from), "nothing to replace: {from}");
        text = text.replace(from, to);
    }
    Module::parse("test", &text).unwrap()
}

/// The fault must be of this kind and say each of these things.
#[track_caller]
fn assert_fault(result: Result<(), Fault>, kind: FaultKind, says: &[&str]) {
    let fault = result.expect_err("the mistake was not found");
    let message = fault.to_string();
    assert_eq!(fault.kind, kind, "{message}");
    for part in says {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

/// The line number of the first line that holds `text`, as a fault would write it.
fn line_of(ptx: &str, text: &str) -> String {
    let line = ptx.lines().position(|line| line.contains(text)).expect("the line exists");
    format!("line {}", line + 1)
}
