//! The developer's commands of warpface: `cargo xtask COMMAND`.

mod apt;
mod archive;
mod bench_run;
mod bundle;
mod clients;
mod demo;
mod finetune;
mod foreign_ptx;
mod fuzz;
mod golden;
mod load;
mod manifest;
mod model;
mod pairs;
mod peers;
mod pip;
mod ptx;
mod published;
mod python;
mod runs;
mod shell;
mod test;
mod vulkan;
mod wasm;
mod web;
mod weights;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The developer's commands of warpface.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// See it work: fetch weights and samples, build, detect, compare, measure, and write an HTML report
    Demo(demo::Args),
    /// Get what the tests need, then fmt, clippy and tests
    Test(test::Args),
    /// Fetch the published weights and the sample photographs into weights/
    Weights(weights::Args),
    /// Make the golden dumps of tests/golden again, with pinned Python packages
    Golden(golden::Args),
    /// Compile kernels/*.cu to kernels/ptx/ with a pinned compiler, or check that nothing there is stale
    Ptx(ptx::Args),
    /// Compile kernels by Triton and a new NVRTC, run them in ptxsim, and compare with numpy
    ForeignPtx(foreign_ptx::Args),
    /// Hold other packages' weights, and other frameworks' exports, against the original files
    Published(published::Args),
    /// Measure warpface beside other implementations, in one run and by turns
    Peers(peers::Args),
    /// Measure two builds of warpface by turns, and fail if the new one is slower
    Pairs(pairs::Args),
    /// Predict a network's time on a GPU, layer by layer, from what ptxsim counts and what the vendor publishes
    Model(model::Args),
    /// Build the package for browsers into bindings/web/pkg
    Web(web::Args),
    /// Make a folder, and parts of it, that prove warpface on a machine without cargo and network
    Bundle(bundle::Args),
    /// Install Triton's client and schemathesis, which the server is tested with, into target/serve-venv
    Clients,
    /// Serve crops under load: errors, speed, memory, bad clients, a kill and a restart
    Load(load::Args),
    /// Build and run the fuzz targets, with the fixtures as seeds
    Fuzz(fuzz::Args),
    /// Train on a folder of people, by each loss and from nothing, and tell whether it helped
    Finetune(finetune::Args),
    /// Run `cargo bench`, and keep its tables in benches/runs/
    BenchRun(bench_run::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Weights(args) => weights::run(&args),
        Command::Golden(args) => golden::run(&args),
        Command::Ptx(args) => ptx::run(&args),
        Command::ForeignPtx(args) => foreign_ptx::run(&args),
        Command::Published(args) => published::run(&args),
        Command::Peers(args) => peers::run(&args),
        Command::Pairs(args) => pairs::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Web(args) => web::run(&args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Clients => clients::run(),
        Command::Load(args) => load::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Finetune(args) => finetune::run(&args),
        Command::BenchRun(args) => bench_run::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
