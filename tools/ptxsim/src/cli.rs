//! Runs one kernel from the shell: buffers from `.npy` files, results to `.npy` files.

use crate::npy::{self, Array};
use clap::Parser;
use ptxsim::profile::{Limit, Occupancy, Resources};
use ptxsim::{Checks, Entry, Fault, Launch, Machine, Module, Options, Profile, Stats};
use std::fs;
use std::path::{Path, PathBuf};

/// Runs PTX kernels on the CPU and reports what they must not do.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// The PTX file.
    file: PathBuf,
    /// The kernel; without it the file's kernels are listed.
    kernel: Option<String>,
    /// Blocks in x, y, z.
    #[arg(long, default_value = "1", value_parser = extents)]
    grid: Extents,
    /// Threads of a block in x, y, z.
    #[arg(long, default_value = "32", value_parser = extents)]
    block: Extents,
    /// Dynamic shared memory in bytes.
    #[arg(long, default_value_t = 0)]
    shared: u32,
    /// The parameters in order: `in:FILE.npy` (a buffer), `out:TYPE:COUNT` (a buffer written to `argN.npy`), `inout:FILE.npy`
    /// (both), a number such as `u32:1024` or `f32:0.5`, or a structure's fields with commas: `u32:8,8,3,f32:0.5`. A
    /// pointer that is null is `u64:0`.
    #[arg(long, num_args = 1..)]
    args: Vec<String>,
    /// Where results go.
    #[arg(long, default_value = ".")]
    out_dir: PathBuf,
    /// `all`, `none`, or some of `uninitialised`, `races`, `asynchronous`, with commas.
    #[arg(long, default_value = "all", value_parser = checks)]
    check: Checks,
    /// Compute capability of the device.
    #[arg(long, default_value = "9.0")]
    capability: String,
    /// Threads; 0 for as many as there are cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Warp instructions a block may execute; 0 for no limit.
    #[arg(long, default_value_t = 1 << 32)]
    budget: u64,
    /// Prints how often each opcode was executed.
    #[arg(long, conflicts_with = "profile")]
    stats: bool,
    /// Prints what the launch asks of a GPU: instructions by class, sectors of global memory, passes over the banks of shared
    /// memory, products on tensor cores, and the lines that ask for more than they need.
    #[arg(long)]
    profile: bool,
    /// A table of the kernels' registers, such as kernels/ptx/RESOURCES.md: a profile then says how many blocks a
    /// multiprocessor holds.
    #[arg(long, requires = "profile", value_name = "FILE")]
    resources: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
struct Extents([u32; 3]);

fn extents(text: &str) -> Result<Extents, String> {
    let mut out = [1; 3];
    for (i, part) in text.split(',').enumerate() {
        *out.get_mut(i).ok_or("at most three numbers")? = part.parse().map_err(|e| format!("`{part}`: {e}"))?;
    }
    Ok(Extents(out))
}

fn checks(text: &str) -> Result<Checks, String> {
    match text {
        "all" => return Ok(Checks::ALL),
        "none" => return Ok(Checks::NONE),
        _ => {}
    }
    let mut out = Checks::NONE;
    for part in text.split(',') {
        match part {
            "uninitialised" => out.uninitialised = true,
            "races" => out.races = true,
            "asynchronous" => out.asynchronous = true,
            _ => return Err(format!("`{part}` is none of uninitialised, races, asynchronous")),
        }
    }
    Ok(out)
}

/// The types that arguments are written with, and their numpy names.
const TYPES: [(&str, &str); 11] = [
    ("f32", "<f4"),
    ("f64", "<f8"),
    ("f16", "<f2"),
    ("u8", "|u1"),
    ("s8", "|i1"),
    ("u16", "<u2"),
    ("s16", "<i2"),
    ("u32", "<u4"),
    ("s32", "<i4"),
    ("u64", "<u8"),
    ("s64", "<i8"),
];

/// A buffer whose contents are written to a file at the end.
struct Output {
    path: PathBuf,
    address: u64,
    bytes: usize,
    dtype: String,
    shape: Vec<u64>,
}

/// Why nothing came of it.
pub enum Failure {
    /// The arguments or files are of no use.
    Input(String),
    /// The kernel did what it must not.
    Fault(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Input(message)
    }
}

/// Does what the arguments say.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let named = |path: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = fs::read(&arguments.file).map_err(|e| named(&arguments.file, &e))?;
    let text = String::from_utf8(text).map_err(|_| named(&arguments.file, &"this is no text, and so no PTX"))?;
    let module = Module::parse(&arguments.file.display().to_string(), &text).map_err(|e| e.to_string())?;
    let Some(kernel) = &arguments.kernel else {
        list(&module);
        return Ok(());
    };
    let entry = module.entry(kernel).ok_or_else(|| {
        let names: Vec<&str> = module.entries().map(|entry| entry.name.as_str()).collect();
        format!("no kernel `{kernel}` in {}, which has {}", arguments.file.display(), names.join(" "))
    })?;
    if entry.params.len() != arguments.args.len() {
        let (takes, given) = (entry.params.len(), arguments.args.len());
        return Err(format!("`{kernel}` takes {takes} arguments, not {given}:\n{}", describe(entry)).into());
    }
    let capability = arguments.capability.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let machine = Machine::new(Options {
        capability: capability.ok_or("a capability is two numbers, such as 8.0".to_string())?,
        threads: arguments.threads,
        checks: arguments.check,
        budget: arguments.budget,
    });
    let (mut packed, mut outputs) = (vec![0; entry.params_bytes], Vec::new());
    for (i, (param, text)) in entry.params.iter().zip(&arguments.args).enumerate() {
        let bytes = argument(&machine, text, i, &arguments.out_dir, &mut outputs)
            .map_err(|e| format!("argument {i} `{text}`: {e}"))?;
        if bytes.len() != param.size {
            let (given, takes) = (bytes.len(), param.size);
            return Err(format!("argument {i} `{text}` has {given} bytes, where `{}` takes {takes}", param.name).into());
        }
        packed[param.offset..param.offset + param.size].copy_from_slice(&bytes);
    }
    let launch = Launch { grid: arguments.grid.0, block: arguments.block.0, shared: arguments.shared, args: &packed };
    let registers = registers(arguments, kernel, machine.options.capability)?;
    let start = std::time::Instant::now();
    let done = execute(&machine, &module, kernel, &launch, arguments.profile);
    let done = done.map_err(|fault| Failure::Fault(fault.to_string()))?;
    let seconds = start.elapsed().as_secs_f64();
    for output in outputs {
        let mut bytes = vec![0; output.bytes];
        machine.read(output.address, &mut bytes).map_err(|e| e.to_string())?;
        if !machine.is_initialised(output.address, output.bytes).unwrap_or(true) {
            eprintln!("ptxsim: {}: some of it was never written", output.path.display());
        }
        let file = npy::write(&Array { dtype: output.dtype, shape: output.shape, bytes: &bytes });
        fs::write(&output.path, file).map_err(|e| named(&output.path, &e))?;
    }
    let (blocks, instructions) = done.report(arguments, registers, machine.options.capability);
    let rate = instructions as f64 * 32.0 / seconds / 1e6;
    println!(
        "{kernel}: {blocks} blocks, {instructions} warp instructions, {seconds:.3} s, {rate:.0} M lane instructions/s"
    );
    Ok(())
}

/// What a launch left behind.
enum Done {
    Counted(Stats),
    Profiled(Box<Profile>),
}

fn execute(machine: &Machine, module: &Module, kernel: &str, launch: &Launch, profile: bool) -> Result<Done, Fault> {
    match profile {
        true => machine.profile(module, kernel, launch).map(|profile| Done::Profiled(Box::new(profile))),
        false => machine.launch(module, kernel, launch).map(Done::Counted),
    }
}

impl Done {
    /// Prints what is asked for; gives blocks and instructions.
    fn report(&self, arguments: &Arguments, registers: Option<u32>, capability: (u32, u32)) -> (u64, u64) {
        match self {
            Self::Counted(stats) => {
                if arguments.stats {
                    stats.opcodes.iter().for_each(|(opcode, n)| println!("{n:>14} {opcode}"));
                }
                (stats.blocks, stats.instructions)
            }
            Self::Profiled(profile) => {
                print!("{profile}");
                if let Some(registers) = registers {
                    println!("{}", held(profile, registers, capability));
                }
                (profile.blocks, profile.instructions())
            }
        }
    }
}

/// How many blocks a multiprocessor holds, in words.
fn held(profile: &Profile, registers: u32, capability: (u32, u32)) -> String {
    let (major, minor) = capability;
    match Occupancy::of(capability, profile.threads, registers, profile.shared_bytes) {
        None => format!("what a multiprocessor of {major}.{minor} holds is not known"),
        Some(Occupancy { blocks, warps, most, limit }) => format!(
            "a multiprocessor of {major}.{minor} holds {blocks} blocks: {warps} of {most} warps at {registers} registers, \
             bounded by {}",
            match limit {
                Limit::Blocks => "the number of blocks",
                Limit::Warps => "the number of warps",
                Limit::Registers => "registers",
                Limit::Shared => "shared memory",
            }
        ),
    }
}

/// The registers of the kernel, if a table is given.
fn registers(arguments: &Arguments, kernel: &str, capability: (u32, u32)) -> Result<Option<u32>, String> {
    let Some(path) = &arguments.resources else { return Ok(None) };
    let named = |problem: String| format!("{}: {problem}", path.display());
    let text = fs::read_to_string(path).map_err(|e| named(e.to_string()))?;
    let table = Resources::parse(&text).map_err(named)?;
    let file = arguments.file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let found = table.registers(&file, kernel, capability);
    found.map(Some).ok_or_else(|| named(format!("it has no row of {file} and {kernel}")))
}

fn list(module: &Module) {
    println!("{} (target {}, PTX {})", module.name, module.target, module.version);
    for entry in module.entries() {
        println!("{}", describe(entry));
    }
}

fn describe(entry: &Entry) -> String {
    let mut out =
        format!("{} (static shared {} bytes, local {} bytes", entry.name, entry.shared_bytes, entry.local_bytes);
    if let Some(most) = entry.max_threads {
        out += &format!(", at most {} threads", most.iter().product::<u32>());
    }
    out += ")";
    for param in &entry.params {
        out += &format!("\n  {:>4}: {} bytes  {}", param.offset, param.size, param.name);
    }
    out
}

/// The bytes of one argument: numbers, or the address of a buffer made for it.
fn argument(machine: &Machine, text: &str, i: usize, dir: &Path, outputs: &mut Vec<Output>) -> Result<Vec<u8>, String> {
    let path = dir.join(format!("arg{i}.npy"));
    let (kind, rest) =
        text.split_once(':').ok_or("`in:FILE`, `inout:FILE`, `out:TYPE:COUNT` or `TYPE:NUMBER` expected")?;
    let address = match kind {
        "in" | "inout" => {
            let file = fs::read(rest).map_err(|e| e.to_string())?;
            let Array { dtype, shape, bytes } = npy::read(&file)?;
            if !TYPES.iter().any(|t| t.1 == dtype) {
                return Err(format!("numpy type {dtype} is none of {}", TYPES.map(|t| t.1).join(" ")));
            }
            let address = machine.alloc(bytes.len()).map_err(|e| e.message)?;
            machine.write(address, bytes).map_err(|e| e.message)?;
            if kind == "inout" {
                outputs.push(Output { path, address, bytes: bytes.len(), dtype, shape });
            }
            address
        }
        "out" => {
            let (ty, count) = rest.split_once(':').ok_or("`out:TYPE:COUNT` expected")?;
            let dtype = numpy_name(ty)?.to_string();
            let count: usize = count.parse().map_err(|e| format!("`{count}`: {e}"))?;
            let bytes = count.checked_mul(width(ty)).ok_or("a buffer beyond all memory")?;
            let address = machine.alloc(bytes).map_err(|e| e.message)?;
            outputs.push(Output { path, address, bytes, dtype, shape: vec![count as u64] });
            address
        }
        _ => return numbers(text),
    };
    Ok(address.to_le_bytes().to_vec())
}

/// A number, or several as in a C structure: each at a multiple of its size. One without a type has that before it.
fn numbers(text: &str) -> Result<Vec<u8>, String> {
    let (mut out, mut ty) = (Vec::new(), "");
    for part in text.split(',') {
        let value = match part.split_once(':') {
            Some((new, value)) => {
                ty = new;
                value
            }
            None => part,
        };
        let bytes = number(ty, value)?;
        out.resize(out.len().next_multiple_of(bytes.len()), 0);
        out.extend(bytes);
    }
    Ok(out)
}

fn numpy_name(ty: &str) -> Result<&'static str, String> {
    let known = TYPES.iter().find(|t| t.0 == ty).map(|t| t.1);
    known.ok_or_else(|| format!("type `{ty}` is none of {}", TYPES.map(|t| t.0).join(" ")))
}

/// Bytes of one of [`TYPES`].
fn width(ty: &str) -> usize {
    ty[1..].parse::<usize>().unwrap_or(8) / 8
}

fn number(ty: &str, value: &str) -> Result<Vec<u8>, String> {
    numpy_name(ty)?;
    let wrong = |e: &dyn std::fmt::Display| format!("`{value}`: {e}");
    Ok(match ty {
        "f32" => value.parse::<f32>().map_err(|e| wrong(&e))?.to_le_bytes().to_vec(),
        "f64" => value.parse::<f64>().map_err(|e| wrong(&e))?.to_le_bytes().to_vec(),
        "f16" => half::f16::from_f64(value.parse().map_err(|e| wrong(&e))?).to_le_bytes().to_vec(),
        _ => {
            let whole = value.strip_prefix("0x").map_or_else(|| value.parse(), |hex| i128::from_str_radix(hex, 16));
            let whole = whole.map_err(|e| wrong(&e))?;
            let bits = 8 * width(ty) as u32;
            let (low, high) = if ty.starts_with('u') {
                (0, (1i128 << bits) - 1)
            } else {
                (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
            };
            if whole < low || whole > high {
                return Err(format!("{whole} is no {ty}"));
            }
            whole.to_le_bytes()[..width(ty)].to_vec()
        }
    })
}
