//! Tensor-core and asynchronous instructions: each computes what it should, and each mistake in their use is found.
//!
//! Kernels are hand-written PTX under `kernels/`; a mistake is planted by editing the text.

mod bulk;
mod copy;
mod matrix;
mod mbarrier;
mod pipeline;
mod tensor;
mod warpgroup;

use ptxsim::{Fault, FaultKind, Launch, Machine, Module, Options};

/// The PTX of `kernels/<name>.ptx` with each pair's first text, which must occur, replaced by its second.
fn kernel(text: &str, edits: &[(&str, &str)]) -> Module {
    let mut text = text.to_string();
    for (from, to) in edits {
        assert!(text.contains(from), "nothing to replace: {from}");
        text = text.replace(from, to);
    }
    Module::parse("test", &text).unwrap()
}

/// A device and the buffers of one launch.
struct Bench {
    machine: Machine,
    args: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        Self { machine: Machine::new(Options { budget: 1 << 20, ..Options::default() }), args: Vec::new() }
    }

    /// An argument by value, aligned to its size.
    fn arg(&mut self, bytes: &[u8]) -> &mut Self {
        let align = bytes.len().min(64);
        self.args.resize(self.args.len().next_multiple_of(align), 0);
        self.args.extend(bytes);
        self
    }

    /// An initialised buffer; its address becomes an argument.
    fn input<T: bytemuck::Pod>(&mut self, values: &[T]) -> u64 {
        let address = self.buffer(values);
        self.arg(&address.to_le_bytes());
        address
    }

    /// An initialised buffer that is no argument.
    fn buffer<T: bytemuck::Pod>(&mut self, values: &[T]) -> u64 {
        let bytes = bytemuck::cast_slice(values);
        let address = self.machine.alloc(bytes.len()).unwrap();
        self.machine.write(address, bytes).unwrap();
        address
    }

    /// An uninitialised buffer of `count` values; its address becomes an argument.
    fn output<T>(&mut self, count: usize) -> u64 {
        let address = self.machine.alloc(count * size_of::<T>()).unwrap();
        self.arg(&address.to_le_bytes());
        address
    }

    fn read<T: bytemuck::Pod>(&self, address: u64, count: usize) -> Vec<T> {
        let mut values = vec![T::zeroed(); count];
        assert!(self.machine.is_initialised(address, count * size_of::<T>()).unwrap(), "not all was written");
        self.machine.read(address, bytemuck::cast_slice_mut(&mut values)).unwrap();
        values
    }

    /// Runs one block.
    fn run(&self, module: &Module, name: &str, threads: u32) -> Result<(), Fault> {
        let mut args = self.args.clone();
        args.resize(module.entry(name).unwrap().params_bytes, 0);
        let launch = Launch { grid: [1; 3], block: [threads, 1, 1], shared: 0, args: &args };
        self.machine.launch(module, name, &launch).map(drop)
    }
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
