//! Registers of kernels, from the table that `cargo xtask ptx` makes of what the assembler says (`kernels/ptx/RESOURCES.md`).

use std::collections::HashMap;

/// What kernels use, by file and kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// On the least processor of the file's target.
    least: HashMap<(String, String), u32>,
    /// On later ones, by `major * 10 + minor`, ascending.
    later: HashMap<(String, String), Vec<(u32, u32)>>,
}

impl Resources {
    /// Reads the tables of a text: those with a column `registers`, and those with columns `sm_NN`.
    ///
    /// # Errors
    /// A row whose numbers are none, and a text without a table of registers.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut resources = Self::default();
        let mut head: Vec<&str> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let Some(row) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else { continue };
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            if cells.starts_with(&["file", "kernel"]) {
                head = cells;
            } else if cells.len() == head.len() && !row.starts_with('-') {
                resources.row(&head, &cells).map_err(|cell| format!("line {}: `{cell}` is no number", number + 1))?;
            }
        }
        match resources.least.is_empty() {
            true => Err("there is no table of registers".into()),
            false => Ok(resources),
        }
    }

    fn row(&mut self, head: &[&str], cells: &[&str]) -> Result<(), String> {
        let key = (cells[0].to_owned(), cells[1].to_owned());
        // What is spilled stands behind a comma.
        let number =
            |cell: &str| cell.split(',').next().unwrap_or_default().parse::<u32>().map_err(|_| cell.to_owned());
        for (&column, &cell) in head.iter().zip(cells) {
            if column == "registers" {
                self.least.insert(key.clone(), number(cell)?);
            } else if let Some(processor) = column.strip_prefix("sm_").and_then(|number| number.parse().ok()) {
                self.later.entry(key.clone()).or_default().push((processor, number(cell)?));
            }
        }
        Ok(())
    }

    /// The registers of a thread of a kernel on a processor: of the latest that the table has up to it, else of the least.
    pub fn registers(&self, file: &str, kernel: &str, (major, minor): (u32, u32)) -> Option<u32> {
        let key = (file.to_owned(), kernel.to_owned());
        let later = self.later.get(&key).into_iter().flatten();
        let latest = later.filter(|(processor, _)| *processor <= major * 10 + minor).max();
        latest.map(|&(_, registers)| registers).or_else(|| self.least.get(&key).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Title\n\n| file | kernel | threads | registers | spills |\n|---|---|---:|---:|---:|\n\
        | a.compute_75.ptx | k | 256 | 32 | 0 |\n| a.sm_90a.ptx | k | 384 | 168 | 0 |\n\ntext\n\n\
        | file | kernel | sm_80 | sm_90 | sm_120 |\n|---|---|---:|---:|---:|\n| a.compute_75.ptx | k | 30 | 40, 8 spilled | 34 |\n";

    #[test]
    fn tables_are_read() {
        let resources = Resources::parse(TEXT).unwrap();
        for (file, capability, registers) in [
            ("a.compute_75.ptx", (7, 5), Some(32)),
            ("a.compute_75.ptx", (8, 0), Some(30)),
            ("a.compute_75.ptx", (8, 9), Some(30)),
            ("a.compute_75.ptx", (9, 0), Some(40)),
            ("a.compute_75.ptx", (12, 0), Some(34)),
            ("a.sm_90a.ptx", (9, 0), Some(168)),
            ("b.ptx", (9, 0), None),
        ] {
            assert_eq!(resources.registers(file, "k", capability), registers, "{file} {capability:?}");
        }
        assert!(Resources::parse("").is_err());
        assert!(Resources::parse(&TEXT.replace("168", "many")).unwrap_err().contains("line 6: `many`"));
    }
}
