//! A device and the arguments of one launch.
#![allow(dead_code)]

use ptxsim::{Checks, Fault, Launch, Machine, Module, Options};

pub struct Bench {
    pub machine: Machine,
    pub args: Vec<u8>,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Checks::ALL)
    }

    pub fn with(checks: Checks) -> Self {
        Self { machine: Machine::new(Options { budget: 1 << 20, checks, ..Options::default() }), args: Vec::new() }
    }

    /// An argument by value, aligned to its size.
    pub fn arg(&mut self, bytes: &[u8]) -> &mut Self {
        self.aligned(bytes, bytes.len().min(64))
    }

    /// An argument by value.
    pub fn aligned(&mut self, bytes: &[u8], align: usize) -> &mut Self {
        self.args.resize(self.args.len().next_multiple_of(align), 0);
        self.args.extend(bytes);
        self
    }

    /// An initialised buffer; its address becomes an argument.
    pub fn input<T: bytemuck::Pod>(&mut self, values: &[T]) -> u64 {
        let address = self.buffer(values);
        self.arg(&address.to_le_bytes());
        address
    }

    /// An initialised buffer that is no argument.
    pub fn buffer<T: bytemuck::Pod>(&mut self, values: &[T]) -> u64 {
        let bytes = bytemuck::cast_slice(values);
        let address = self.machine.alloc(bytes.len()).unwrap();
        self.machine.write(address, bytes).unwrap();
        address
    }

    /// An uninitialised buffer of `count` values; its address becomes an argument.
    pub fn output<T>(&mut self, count: usize) -> u64 {
        let address = self.machine.alloc(count * size_of::<T>()).unwrap();
        self.arg(&address.to_le_bytes());
        address
    }

    pub fn read<T: bytemuck::Pod>(&self, address: u64, count: usize) -> Vec<T> {
        let mut values = vec![T::zeroed(); count];
        assert!(self.machine.is_initialised(address, count * size_of::<T>()).unwrap(), "not all was written");
        self.machine.read(address, bytemuck::cast_slice_mut(&mut values)).unwrap();
        values
    }

    /// Runs one block.
    pub fn run(&self, module: &Module, name: &str, threads: u32) -> Result<(), Fault> {
        self.launch(module, name, [1; 3], threads, 0)
    }

    pub fn launch(&self, module: &Module, name: &str, grid: [u32; 3], threads: u32, shared: u32) -> Result<(), Fault> {
        let mut args = self.args.clone();
        args.resize(module.entry(name).unwrap().params_bytes, 0);
        self.machine.launch(module, name, &Launch { grid, block: [threads, 1, 1], shared, args: &args }).map(drop)
    }
}
