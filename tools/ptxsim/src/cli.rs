//! Runs one kernel from the shell: buffers from `.npy` files, results to `.npy` files.

use clap::Parser;
use npyz::WriterBuilder;
use ptxsim::{Checks, Entry, Launch, Machine, Module, Options};
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
    /// (both), or a number such as `u32:1024`, `f32:0.5`.
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
    #[arg(long)]
    stats: bool,
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

/// Does what the arguments say.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let named = |path: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = fs::read_to_string(&arguments.file).map_err(|e| named(&arguments.file, &e))?;
    let module = Module::parse(&arguments.file.display().to_string(), &text).map_err(|e| e.to_string())?;
    let Some(kernel) = &arguments.kernel else {
        list(&module);
        return Ok(());
    };
    let entry = module.entry(kernel).ok_or_else(|| format!("no kernel `{kernel}` in {}", arguments.file.display()))?;
    if entry.params.len() != arguments.args.len() {
        return Err(format!(
            "`{kernel}` takes {} arguments, not {}:\n{}",
            entry.params.len(),
            arguments.args.len(),
            describe(entry)
        ));
    }
    let capability = arguments.capability.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let machine = Machine::new(Options {
        capability: capability.ok_or("a capability is two numbers, such as 8.0")?,
        threads: arguments.threads,
        checks: arguments.check,
        budget: arguments.budget,
    });
    let (mut packed, mut outputs) = (vec![0; entry.params_bytes], Vec::new());
    for (i, (param, text)) in entry.params.iter().zip(&arguments.args).enumerate() {
        let bytes = argument(&machine, text, i, &arguments.out_dir, &mut outputs)
            .map_err(|e| format!("argument {i} `{text}`: {e}"))?;
        if bytes.len() != param.size {
            return Err(format!(
                "argument {i} `{text}` has {} bytes, where `{}` takes {}",
                bytes.len(),
                param.name,
                param.size
            ));
        }
        packed[param.offset..param.offset + param.size].copy_from_slice(&bytes);
    }
    let launch = Launch { grid: arguments.grid.0, block: arguments.block.0, shared: arguments.shared, args: &packed };
    let start = std::time::Instant::now();
    let stats = machine.launch(&module, kernel, &launch).map_err(|fault| fault.to_string())?;
    let seconds = start.elapsed().as_secs_f64();
    for output in &outputs {
        let mut bytes = vec![0; output.bytes];
        machine.read(output.address, &mut bytes).map_err(|e| e.to_string())?;
        if !machine.is_initialised(output.address, output.bytes).unwrap_or(true) {
            eprintln!("ptxsim: {}: some of it was never written", output.path.display());
        }
        write(output, &bytes).map_err(|e| named(&output.path, &e))?;
    }
    if arguments.stats {
        for (opcode, n) in &stats.opcodes {
            println!("{n:>14} {opcode}");
        }
    }
    let rate = stats.instructions as f64 * 32.0 / seconds / 1e6;
    println!(
        "{kernel}: {} blocks, {} warp instructions, {seconds:.3} s, {rate:.0} M lane instructions/s",
        stats.blocks, stats.instructions
    );
    Ok(())
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

/// The bytes of one argument: a number, or the address of a buffer made for it.
fn argument(machine: &Machine, text: &str, i: usize, dir: &Path, outputs: &mut Vec<Output>) -> Result<Vec<u8>, String> {
    let (kind, rest) = text.split_once(':').ok_or("`kind:value` expected")?;
    match kind {
        "in" | "inout" => {
            let file = fs::read(rest).map_err(|e| e.to_string())?;
            let header = npyz::NpyFile::new(&file[..]).map_err(|e| e.to_string())?;
            let (shape, dtype) = (header.shape().to_vec(), header.dtype().descr().trim_matches('\'').to_string());
            let item =
                TYPES.iter().find(|t| t.1 == dtype).ok_or_else(|| format!("numpy type {dtype} is not known here"))?;
            let bytes = shape.iter().product::<u64>() as usize * width(item.0);
            let data = &file[file.len().checked_sub(bytes).ok_or("the file is too short")?..];
            let address = machine.alloc(bytes).map_err(|e| e.to_string())?;
            machine.write(address, data).map_err(|e| e.to_string())?;
            if kind == "inout" {
                outputs.push(Output { path: dir.join(format!("arg{i}.npy")), address, bytes, dtype, shape });
            }
            Ok(address.to_le_bytes().to_vec())
        }
        "out" => {
            let (ty, count) = rest.split_once(':').ok_or("`out:TYPE:COUNT` expected")?;
            let item = TYPES.iter().find(|t| t.0 == ty).ok_or_else(|| format!("type `{ty}` is not known here"))?;
            let count: u64 = count.parse().map_err(|e| format!("`{count}`: {e}"))?;
            let bytes = count as usize * width(ty);
            let address = machine.alloc(bytes).map_err(|e| e.to_string())?;
            outputs.push(Output {
                path: dir.join(format!("arg{i}.npy")),
                address,
                bytes,
                dtype: item.1.to_string(),
                shape: vec![count],
            });
            Ok(address.to_le_bytes().to_vec())
        }
        ty => number(ty, rest),
    }
}

fn width(ty: &str) -> usize {
    ty[1..].parse::<usize>().unwrap_or(8) / 8
}

fn number(ty: &str, value: &str) -> Result<Vec<u8>, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("`{value}`: {e}");
    Ok(match ty {
        "f32" => value.parse::<f32>().map_err(|e| wrong(&e))?.to_le_bytes().to_vec(),
        "f64" => value.parse::<f64>().map_err(|e| wrong(&e))?.to_le_bytes().to_vec(),
        "f16" => half::f16::from_f64(value.parse().map_err(|e| wrong(&e))?).to_le_bytes().to_vec(),
        _ if TYPES.iter().any(|t| t.0 == ty) => {
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
        _ => return Err(format!("type `{ty}` is not known here")),
    })
}

fn write(output: &Output, bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    use npyz::{DType, TypeStr, WriteOptions};
    let ty: TypeStr = output.dtype.parse()?;
    let mut file = std::io::BufWriter::new(fs::File::create(&output.path)?);
    macro_rules! put {
        ($($name:literal: $ty:ty),+) => { match output.dtype.as_str() {
            $($name => {
                let mut writer = WriteOptions::new().dtype(DType::Plain(ty)).shape(&output.shape).writer(&mut file).begin_nd()?;
                for item in bytes.chunks_exact(size_of::<$ty>()) {
                    writer.push(&<$ty>::from_le_bytes(item.try_into()?))?;
                }
                writer.finish()?;
            })+
            other => return Err(format!("numpy type {other} is not known here").into()),
        } };
    }
    put!("<f4": f32, "<f8": f64, "<f2": half::f16, "|u1": u8, "|i1": i8, "<u2": u16, "<i2": i16, "<u4": u32, "<i4": i32, "<u8": u64, "<i8": i64);
    Ok(())
}
