//! `kernels/ptx/RESOURCES.md`: what each kernel uses.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, anyhow};

use super::later;
use super::ptxas::Used;

const HEAD: &str = "# What the kernels use

Made by `cargo xtask ptx`, from what the assembler says of each file for the least processor of its target. Registers
and stack are a thread's, shared memory is a block's; spills are bytes written and read. A spill in a kernel that its
source calls hot is an error.

| file | kernel | threads | registers | stack | spills | shared |
|---|---|---:|---:|---:|---:|---:|
";

/// A kernel of a file.
pub struct Row {
    pub file: String,
    pub kernel: String,
    pub threads: u32,
    pub used: Used,
}

/// The kernels of a PTX file, in the order of their names.
pub fn rows(file: &str, ptx: &str, used: &BTreeMap<String, Used>) -> Result<Vec<Row>> {
    let threads = threads(ptx).with_context(|| file.to_owned())?;
    let kernels = used.iter().filter(|(_, used)| used.entry);
    let row = |(name, used): (&String, &Used)| {
        let threads = *threads.get(name.as_str()).ok_or_else(|| anyhow!("{file}: {name} has no .maxntid"))?;
        Ok(Row { file: file.to_owned(), kernel: name.clone(), threads, used: *used })
    };
    kernels.map(row).collect()
}

const LATER: &str = "
## On processors that no target names

There the driver assembles the PTX of earlier ones: registers by the newest assembler (`tools/ptx/later.txt`), and, where
there are any, bytes spilled. The same gate holds. Of a kernel that is in several files the latest is taken.

";

pub fn text(rows: &[Row], on_later: &[later::Row]) -> String {
    let mut text = HEAD.to_owned();
    for Row { file, kernel, threads, used } in rows {
        let Used { registers, stack, spills, shared, .. } = used;
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {file} | {kernel} | {threads} | {registers} | {stack} | {spills} | {shared} |");
    }
    text + LATER + &later_table(on_later)
}

fn later_table(rows: &[later::Row]) -> String {
    let mut text = format!("| file | kernel | {} |\n", later::PROCESSORS.join(" | "));
    text += &format!("|---|---|{}\n", "---:|".repeat(later::PROCESSORS.len()));
    for row in rows {
        let cell = |used: &Used| match used.spills {
            0 => used.registers.to_string(),
            spills => format!("{}, {spills} spilled", used.registers),
        };
        let cells: Vec<String> = row.used.iter().map(cell).collect();
        let _ = writeln!(text, "| {} | {} | {} |", row.file, row.kernel, cells.join(" | "));
    }
    text
}

/// The threads of a block of each kernel, from its `.maxntid`.
fn threads(ptx: &str) -> Result<BTreeMap<&str, u32>> {
    let mut threads = BTreeMap::new();
    let mut entry = "";
    for line in ptx.lines() {
        if let Some((_, rest)) = line.split_once(".entry ") {
            entry = rest.split('(').next().unwrap_or_default().trim();
        } else if let Some(extents) = line.trim().strip_prefix(".maxntid ") {
            let extents: Result<Vec<u32>, _> = extents.split(',').map(|extent| extent.trim().parse()).collect();
            threads.insert(entry, extents.with_context(|| format!("`{line}`"))?.into_iter().product());
        }
    }
    Ok(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTX: &str =
        ".visible .entry a_f32(\n\t.param .u64 a\n)\n.maxntid 256, 1, 1\n{\n}\n.entry b_f32()\n.maxntid 32\n";

    #[test]
    fn threads_are_read_of_each_entry() {
        assert_eq!(threads(PTX).unwrap(), BTreeMap::from([("a_f32", 256), ("b_f32", 32)]));
        assert!(threads(&PTX.replace("256", "many")).is_err());
    }

    #[test]
    fn a_kernel_is_a_row() {
        let used = Used { entry: true, registers: 9, shared: 64, ..Used::default() };
        let table = BTreeMap::from([("a_f32".to_owned(), used), ("helper".to_owned(), Used::default())]);
        let on_later = later::Row {
            file: "a.compute_75.ptx".into(),
            kernel: "a_f32".into(),
            used: [0, 8, 0, 0, 0].map(|spills| Used { registers: 40, spills, ..Used::default() }).to_vec(),
        };
        let text = text(&rows("a.compute_75.ptx", PTX, &table).unwrap(), &[on_later]);
        assert!(text.contains("|---:|\n| a.compute_75.ptx | a_f32 | 256 | 9 | 0 | 0 | 64 |\n"), "{text}");
        assert!(text.ends_with("| a.compute_75.ptx | a_f32 | 40 | 40, 8 spilled | 40 | 40 | 40 |\n"), "{text}");
        let unknown = BTreeMap::from([("c_f32".to_owned(), used)]);
        assert!(rows("a.compute_75.ptx", PTX, &unknown).is_err());
    }
}
