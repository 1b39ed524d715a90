//! The table of what was compared.

use anyhow::Result;

use crate::runs;

/// The largest difference of any number, and how large it may be.
#[derive(Clone, Copy)]
pub struct Difference {
    pub found: f64,
    /// 0: all bits are to be equal.
    pub allowed: f64,
}

impl Difference {
    /// Whether it is small enough; NaN never is.
    fn holds(self) -> bool {
        self.found <= self.allowed
    }

    fn verdict(self) -> String {
        match self.found {
            0.0 => "equal to the bit".to_owned(),
            found if self.holds() => format!("within {found:.1e}"),
            found => format!("DIFFERENT by {found:.1e}"),
        }
    }
}

/// A package's file, or an exporter's.
pub struct Row {
    name: String,
    version: String,
    layout: String,
    /// From the original file, and from what the file's own runtime gives where that was run; or why there are none.
    differences: Result<[Option<Difference>; 2], String>,
}

impl Row {
    pub fn new(name: &str, version: &str, layout: &str, differences: Result<[Option<Difference>; 2]>) -> Row {
        let [name, version, layout] = [name, version, layout].map(str::to_owned);
        Row { name, version, layout, differences: differences.map_err(|error| format!("{error:#}")) }
    }

    /// What it is, for a message.
    pub fn title(&self) -> String {
        format!("{} {} ({})", self.name, self.version, self.layout)
    }

    pub fn holds(&self) -> bool {
        self.differences.as_ref().is_ok_and(|found| found.iter().flatten().all(|difference| difference.holds()))
    }

    fn verdicts(&self) -> [String; 2] {
        match &self.differences {
            Err(error) => [format!("NOT READ: {error}"), String::new()],
            Ok(found) => found.map(|difference| difference.map(Difference::verdict).unwrap_or_default()),
        }
    }
}

pub fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let [original, own] = row.verdicts();
        format!("| {} | {} | {} | {original} | {own} |\n", row.name, row.version, row.layout)
    };
    "| package or exporter | version | layout | against the original file | against its own runtime |\n\
     |---|---|---|---|---|\n"
        .to_owned()
        + &rows.iter().map(line).collect::<String>()
}

pub fn csv(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let numbers = match &row.differences {
            Err(_) => [None; 2],
            Ok(found) => *found,
        };
        let numbers = numbers.map(|n| n.map_or(",".to_owned(), |n| format!("{},{}", n.found, n.allowed))).join(",");
        let fields = [&row.name, &row.version, &row.layout].map(|field| runs::csv(field)).join(",");
        format!("{fields},{numbers},{}\n", row.holds())
    };
    "name,version,layout,from_original,allowed,from_own_runtime,allowed_own,holds\n".to_owned()
        + &rows.iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_row_holds_by_its_own_measure() {
        let of = |found, allowed| Some(Difference { found, allowed });
        let row = |differences| Row::new("a", "1", "x, y", differences);
        assert!(row(Ok([of(0.0, 0.0), None])).holds() && row(Ok([of(1e-7, 1e-6), of(0.5, 1.0)])).holds());
        for bad in [
            row(Ok([of(1e-9, 0.0), None])),
            row(Ok([of(f64::INFINITY, 1.0), None])),
            row(Ok([of(0.0, 1.0), of(f64::NAN, 1.0)])),
            row(Err(anyhow!("no"))),
        ] {
            assert!(!bad.holds(), "{}", bad.verdicts().concat());
        }
        let rows = [row(Ok([of(0.0, 0.0), None])), row(Err(anyhow!("no such file")))];
        assert!(
            text(&rows).contains("| equal to the bit |  |\n") && text(&rows).contains("| NOT READ: no such file |")
        );
        assert!(csv(&rows).ends_with("a,1,\"x, y\",0,0,,,true\na,1,\"x, y\",,,,,false\n"));
    }
}
