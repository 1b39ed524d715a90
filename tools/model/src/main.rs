//! How long a network may take on a GPU that is not here: `cargo xtask model`.

mod cards;
mod count;
mod predict;
#[path = "../../../tests/common/simulated.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod simulated;
mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use cards::Card;
use clap::Parser;
use count::{Asked, CountedStep, count};
use predict::predict;
use ptxsim::Profile;
use ptxsim::profile::Resources;
use warpface::Precision;
use warpface::networks::{ModelDef, NetworkSpec};

/// Predicts a network's time on a GPU, layer by layer, from what its kernels ask for in the simulator and the card's published
/// peaks. Nothing is measured: low and high ends say how sure it is.
#[derive(Parser)]
struct Args {
    /// h100, h200, a100, l40s, rtx4090 or rtx5090
    #[arg(long, value_parser = Card::named)]
    gpu: &'static Card,
    /// Images at once
    #[arg(long, default_value_t = 1, value_name = "N")]
    batch: usize,
    /// f16, bf16, tf32 or f32
    #[arg(long, default_value = "f16")]
    precision: Precision,
    /// An embedding network
    #[arg(long, default_value = "inception_resnet_v1", value_parser = definition)]
    network: ModelDef,
    /// Print what each kernel asks for, all its launches together, and the lines that ask for more than they need
    #[arg(long)]
    kernels: bool,
    /// Add the rows to this CSV file, times in seconds
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn definition(name: &str) -> Result<ModelDef, String> {
    let names = || ModelDef::ALL.map(|def| def.name()).join(", ");
    ModelDef::ALL.into_iter().find(|def| def.name() == name).ok_or_else(|| format!("the networks are {}", names()))
}

fn run(args: &Args) -> Result<()> {
    ensure!(args.batch > 0, "a batch has one image at least");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernels/ptx/RESOURCES.md");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let registers = Resources::parse(&text).map_err(anyhow::Error::msg).with_context(|| path.display().to_string())?;
    let asked = Asked { network: NetworkSpec::new(args.network), batch: args.batch, precision: args.precision };
    let steps = count(asked, args.gpu, &registers)?;
    let weights: u64 = steps.iter().map(|step| step.bytes[0]).sum();
    // Weights stay in L2 from one run to the next if they leave room for the rest.
    let stay = weights <= args.gpu.l2 / 2;
    let rows: Vec<_> = steps.iter().map(|step| (step, predict(step, args.gpu, args.precision, stay))).collect();
    print!("{}", table::table(asked, args.gpu, &rows));
    if let Some(path) = &args.csv {
        keep(path, &table::rows_as_csv(asked, args.gpu, &rows))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.kernels {
        kernels(&steps).values().for_each(|profile| print!("\n{profile}"));
    }
    Ok(())
}

/// Adds rows to a file, which begins with their columns' names.
fn keep(path: &Path, rows: &str) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    if file.metadata()?.len() == 0 {
        file.write_all(table::COLUMNS.as_bytes())?;
    }
    file.write_all(rows.as_bytes())
}

/// The sum of each kernel's launches, whose grids differ.
fn kernels(steps: &[CountedStep]) -> BTreeMap<&str, Profile> {
    let mut sums: BTreeMap<&str, Profile> = BTreeMap::new();
    for launched in steps.iter().flat_map(|step| &step.launches) {
        let profile = &launched.counted.profile;
        match sums.get_mut(profile.kernel.as_str()) {
            Some(sum) => sum.add_scaled(profile, 1),
            None => drop(sums.insert(&profile.kernel, profile.clone())),
        }
    }
    sums
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
