//! `warpface search`: the nearest of many vectors.

mod rows;

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use super::context::{Globals, create_folder, progress};
use super::faces::FacesArgs;
use super::{Outcome, output};
use crate::Error;
use crate::error::{Field, message};
use crate::files::Aside;
use crate::vectors::search::{Hit, Index, Storage};

pub use rows::Base;
use rows::Given;

/// Queries that are answered, and told of, at a time.
const AT_ONCE: usize = 1024;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  warpface search build people.index photos/\n  \
                        warpface search query people.index who.jpg -k 3\n  \
                        warpface search build vectors.index vectors.npy --names names.txt --storage int8\n  \
                        warpface search query vectors.npy queries.npy --json    # without an index, too")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make an index: one file of vectors with their names
    #[command(after_help = "Example:\n  warpface search build people.index photos/")]
    Build(BuildArgs),
    /// Add vectors to an index; when it is killed, what was there stays
    #[command(after_help = "Example:\n  warpface search add people.index more/")]
    Add(AddArgs),
    /// Find the nearest vectors, by squared Euclidean distance: exact, the same bits whatever the threads
    #[command(after_help = "Example:\n  warpface search query people.index who.jpg -k 3 --json")]
    Query(QueryArgs),
}

#[derive(Debug, clap::Args)]
struct BuildArgs {
    /// Where the index goes
    #[arg(value_name = "INDEX")]
    index: PathBuf,
    #[command(flatten)]
    rows: RowsArgs,
    /// How vectors are stored: f16 rounds them, to half the bytes; int8 keeps them and puts codes beside, which are read
    /// instead: exact all the same, and three times as fast
    #[arg(long, default_value_t = Storage::F32, value_name = "f32|f16|int8")]
    storage: Storage,
    /// Replace what is there
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The index
    #[arg(value_name = "INDEX")]
    index: PathBuf,
    #[command(flatten)]
    rows: RowsArgs,
    /// Write a damaged head block anew from the other one, and add behind all bytes that are there
    #[arg(long)]
    repair: bool,
}

/// Vectors with their names, as flags.
#[derive(Debug, clap::Args)]
struct RowsArgs {
    #[command(flatten)]
    faces: FacesArgs,
    /// Names of the rows, a line each [default: the photographs' paths]
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct QueryArgs {
    /// An index; or an .npy or Parquet file of vectors; or a folder that `embed` wrote
    #[arg(value_name = "INDEX")]
    index: PathBuf,
    #[command(flatten)]
    faces: FacesArgs,
    /// How many of the nearest
    #[arg(short, long, default_value_t = 10, value_name = "N")]
    k: usize,
    /// Tell only of those nearer than this, a squared Euclidean distance
    #[arg(long, value_name = "DISTANCE")]
    threshold: Option<f32>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        match &self.what {
            What::Build(args) => args.run(globals),
            What::Add(args) => args.run(globals),
            What::Query(args) => args.run(globals),
        }
    }
}

impl BuildArgs {
    fn run(&self, globals: &Globals) -> Result<Outcome> {
        if self.index.exists() && !self.overwrite {
            let problem = message![
                "is there already; `warpface search add` adds to an index, ",
                Field("overwrite"),
                " replaces it"
            ];
            return Err(Error::data(&self.index, problem).into());
        }
        self.check_place()?;
        let device = globals.open_device()?;
        let given = Given::open(&self.rows.faces, self.rows.names.as_deref(), globals, &device, "embed")?;
        if given.table.is_empty() {
            eprintln!("nothing to search: {} is not written", self.index.display());
            output::list_failures(0, &given.failures);
            return Ok(Outcome::Nothing);
        }
        Index::build(&self.index, &device, &given.table, self.storage)?;
        let (rows, dim) = (given.table.len(), given.table.dim());
        let mut out = output::stdout();
        if globals.json {
            let index = output::path(&self.index);
            let summary = json!({ "index": index, "rows": rows, "dim": dim, "storage": self.storage });
            output::json_line(&mut out, &summary)?;
        } else {
            let index = self.index.display();
            writeln!(out, "{} of {dim} values in {}, {index}", output::count(rows, "row"), self.storage)?;
            out.flush()?;
        }
        Ok(output::list_failures(rows, &given.failures))
    }
}

impl BuildArgs {
    /// Finds out before photographs are looked at whether the index can be written; its folder is made.
    fn check_place(&self) -> Result<()> {
        if self.index.exists() && !self.index.is_file() {
            let problem = "is no file, and an index is one; give the name of a file";
            return Err(Error::data(&self.index, problem).into());
        }
        if let Some(folder) = self.index.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_folder(folder)?;
        }
        drop(Aside::create(&self.index).map_err(Error::io(&self.index, "create"))?);
        Ok(())
    }
}

impl AddArgs {
    fn run(&self, globals: &Globals) -> Result<Outcome> {
        let device = globals.open_device()?;
        if self.repair && Index::repair(&self.index, &device, rows::waiting(&self.index))? {
            eprintln!("{}: its damaged head block is written anew", self.index.display());
        }
        // What cannot be added to is told before photographs are looked at.
        Index::open_waiting(&self.index, rows::waiting(&self.index))?.require_whole()?;
        let given = Given::open(&self.rows.faces, self.rows.names.as_deref(), globals, &device, "embed")?;
        let added = given.table.len();
        let rows = Index::add_waiting(&self.index, &device, &given.table, rows::waiting(&self.index))?;
        let mut out = output::stdout();
        if globals.json {
            let summary = json!({ "index": output::path(&self.index), "added": added, "rows": rows });
            output::json_line(&mut out, &summary)?;
        } else {
            writeln!(out, "{} added, {rows} in {}", output::count(added, "row"), self.index.display())?;
            out.flush()?;
        }
        let outcome = output::list_failures(added, &given.failures);
        Ok(if added == 0 { Outcome::Nothing } else { outcome })
    }
}

impl QueryArgs {
    fn run(&self, globals: &Globals) -> Result<Outcome> {
        if self.k == 0 {
            return Err(Error::invalid(Field("k"), "0 rows are found at once; give 1 or more").into());
        }
        if let Some(threshold) = self.threshold.filter(|threshold| threshold.is_nan()) {
            return Err(Error::invalid(Field("threshold"), format!("{threshold} is no distance")).into());
        }
        let base = Base::open(&self.index, globals)?;
        let device = globals.open_device()?;
        let given = Given::open(&self.faces, None, globals, &device, "embed")?;
        if let (Some(ours), Some(theirs)) = (given.table.origin(), base.origin()) {
            ours.require(theirs, &output::path(&self.index))?;
        }
        if given.table.dim() != base.dim() && !given.table.is_empty() {
            let problem = format!("holds vectors of {} values, and the queries have {}", base.dim(), given.table.dim());
            return Err(Error::data(&self.index, problem).into());
        }
        given.table.check(&device, "query")?;
        let near = base.neighbours(&device)?;
        let (queries, start) = (given.table.len(), Instant::now());
        let bar = progress(queries, "search");
        let mut out = output::stdout();
        for first in (0..queries).step_by(AT_ONCE) {
            let rows = first..queries.min(first + AT_ONCE);
            let found = near.nearest(&given.table.rows(rows.clone()), self.k)?;
            for (query, mut hits) in rows.clone().zip(found) {
                hits.retain(|hit| self.threshold.is_none_or(|threshold| hit.distance < threshold));
                self.tell(&mut out, globals, &base, &given, query, &hits)?;
            }
            out.flush()?;
            bar.inc(rows.len() as u64);
        }
        bar.finish_and_clear();
        let what = if queries == 1 { "query" } else { "queries" };
        eprintln!("{queries} {what} among {} rows in {:.3} s", near.len(), start.elapsed().as_secs_f64());
        let outcome = output::list_failures(queries, &given.failures);
        Ok(if queries == 0 { Outcome::Nothing } else { outcome })
    }

    /// Tells what was found for a query.
    fn tell(
        &self,
        out: &mut impl Write,
        globals: &Globals,
        base: &Base,
        given: &Given,
        query: usize,
        hits: &[Hit],
    ) -> Result<()> {
        let image = given.images.get(query);
        if globals.json {
            let hit = |hit: &Hit| json!({ "row": hit.row, "distance": hit.distance, "name": base.name(hit.row) });
            let mut line = json!({ "query": query, "hits": hits.iter().map(hit).collect::<Vec<Value>>() });
            if let Some(image) = image {
                line["image"] = output::path(image).into();
            }
            serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
            return Ok(out.write_all(b"\n")?);
        }
        match image {
            Some(image) => writeln!(out, "{}", output::escaped(&output::path(image)))?,
            None => writeln!(out, "query {query}")?,
        }
        for hit in hits {
            let name = output::escaped(base.name(hit.row).unwrap_or_default());
            writeln!(out, "  {:<9} {:>8}  {name}", hit.distance, hit.row)?;
        }
        Ok(())
    }
}
