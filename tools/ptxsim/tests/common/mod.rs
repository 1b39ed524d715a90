//! Runs hand-written PTX.
#![allow(dead_code)]

use ptxsim::{Checks, Fault, FaultKind, Launch, Machine, Module, Options, Stats};

/// A kernel `k` that takes an input and an output buffer, in `%rd1` and `%rd2`, with its body and plenty of registers.
pub fn kernel(body: &str) -> String {
    format!(
        ".version 8.4\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 in, .param .u64 out)\n{{\n\
         .reg .pred %p<16>; .reg .b16 %rs<16>; .reg .b32 %r<64>; .reg .f32 %f<64>; .reg .b64 %rd<32>; .reg .f64 %fd<16>;\n\
         ld.param.u64 %rd1, [in]; ld.param.u64 %rd2, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 4;\n\
         add.s64 %rd4, %rd1, %rd3; add.s64 %rd5, %rd2, %rd3;\n{body}\nret;\n}}\n"
    )
}

/// What a launch of [`kernel`] leaves in its output.
pub struct Run {
    pub result: Result<Stats, Fault>,
    pub out: Vec<u32>,
}

/// Runs a kernel's body in one block of `threads`; the output has a word a thread, and 64 more.
pub fn run(body: &str, input: &[u32], threads: u32) -> Run {
    run_text(&kernel(body), input, [1, 1, 1], threads, Checks::ALL)
}

pub fn run_text(text: &str, input: &[u32], grid: [u32; 3], threads: u32, checks: Checks) -> Run {
    let module = Module::parse("test", text).unwrap();
    let machine = Machine::new(Options { checks, budget: 1 << 20, ..Options::default() });
    let words = (threads * grid[0]) as usize + 64;
    let from = machine.alloc(4 * input.len().max(1)).unwrap();
    machine.write(from, bytes(input)).unwrap();
    let to = machine.alloc(4 * words).unwrap();
    let args = [from.to_le_bytes(), to.to_le_bytes()].concat();
    let result = machine.launch(&module, "k", &Launch { grid, block: [threads, 1, 1], shared: 0, args: &args });
    let mut out = vec![0u32; words];
    machine.read(to, bytemuck::cast_slice_mut(&mut out)).unwrap();
    Run { result, out }
}

/// The output, of a body that must not fail.
pub fn output(body: &str, input: &[u32], threads: u32) -> Vec<u32> {
    let run = run(body, input, threads);
    run.result.unwrap();
    run.out
}

/// Fails unless the body ends in this kind of fault, at the line that holds `at`.
pub fn faults(body: &str, input: &[u32], threads: u32, kind: FaultKind, at: &str) -> Fault {
    let fault = run(body, input, threads).result.expect_err("the planted bug was not found");
    assert_eq!(fault.kind, kind, "{fault}");
    assert!(fault.text.contains(at), "{fault}");
    assert_eq!(fault.kernel, "k");
    fault
}

pub fn bytes(words: &[u32]) -> &[u8] {
    bytemuck::cast_slice(words)
}

pub fn f(x: f32) -> u32 {
    x.to_bits()
}
