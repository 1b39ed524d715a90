//! The assembler, which tells what each kernel uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What the assembler must not say: it succeeds where it makes asynchronous products wait for one another, too.
const COMPLAINTS: [&str; 3] = ["error", "warning", "Potential Performance Loss"];

/// What a function uses of a processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Whether it is a kernel.
    pub entry: bool,
    pub registers: u32,
    /// Bytes of a thread's stack: arrays that did not fit into registers.
    pub stack: u32,
    /// Bytes written and read of registers that did not fit.
    pub spills: u32,
    /// Bytes of shared memory that are known at compile time.
    pub shared: u32,
}

/// Assembles a file for a target, and throws the result away.
pub fn assemble(ptxas: &Path, ptx: &Path, target: &str) -> Result<BTreeMap<String, Used>> {
    let mut command = Command::new(ptxas);
    command.args(["-v", &format!("-arch={}", target.replace("compute_", "sm_"))]);
    command.arg(ptx).args(["-o", "/dev/null"]);
    let output = command.output().with_context(|| format!("cannot start {}", ptxas.display()))?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || COMPLAINTS.iter().any(|complaint| text.contains(complaint)) {
        bail!("ptxas: {}", text.trim());
    }
    parse(&text)
}

/// Reads what `ptxas -v` prints.
fn parse(text: &str) -> Result<BTreeMap<String, Used>> {
    let mut functions: BTreeMap<String, Used> = BTreeMap::new();
    let mut entry = String::new();
    let mut function = String::new();
    for line in text.lines() {
        let number = |before: &str| -> Result<u32> {
            let Some(at) = line.find(before) else { return Ok(0) };
            let word = line[..at].split_whitespace().next_back().unwrap_or_default();
            word.parse().with_context(|| format!("`{line}`"))
        };
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            entry = rest.split('\'').next().unwrap_or_default().to_owned();
            functions.entry(entry.clone()).or_default().entry = true;
        } else if let Some((_, rest)) = line.split_once("Function properties for ") {
            function = rest.trim().to_owned();
        } else if line.contains("bytes stack frame") {
            let used = functions.entry(function.clone()).or_default();
            used.stack = number(" bytes stack frame")?;
            used.spills = number(" bytes spill stores")? + number(" bytes spill loads")?;
        } else if line.contains(" registers") && line.contains("Used ") {
            let used = functions.entry(entry.clone()).or_default();
            used.registers = number(" registers")?;
            used.shared = number(" bytes smem")?;
        }
    }
    Ok(functions)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'b_f32' for 'sm_75'
ptxas info    : Function properties for b_f32
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 64 registers, 10752 bytes smem, 416 bytes cmem[0]
ptxas info    : Compiling entry function 'a_f32' for 'sm_80'
ptxas info    : Function properties for a_f32
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 1 barriers, 376 bytes cmem[0]
ptxas info    : Function properties for helper
    0 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads
";

    #[test]
    fn what_kernels_use_is_read() {
        let used = parse(TEXT).unwrap();
        assert_eq!(used["b_f32"], Used { entry: true, registers: 64, stack: 16, spills: 20, shared: 10752 });
        assert_eq!(used["a_f32"], Used { entry: true, registers: 8, stack: 0, spills: 0, shared: 0 });
        assert_eq!(used["helper"], Used { spills: 8, ..Used::default() });
        assert!(parse(&TEXT.replace("64 registers", "many registers")).is_err());
    }
}
