//! The command line: one file per command. Messages go to stderr, results to stdout.

mod align;
mod bench;
mod classify;
mod cluster;
mod compare;
mod context;
mod convert;
mod detect;
mod devices;
mod drawn;
mod embed;
mod faces;
mod fields;
mod filter;
mod inspect;
mod lfw;
mod names;
mod output;
mod pairs;
mod photos;
mod pipeline;
mod plan;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod shard;
mod table;
mod threshold;
mod train;
mod tsne;
mod video;
mod weights;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

use context::Globals;

use crate::Error;

/// Exit code when nothing could be done.
const FAILED: u8 = 1;
/// Exit code for wrong usage; clap's own.
const USAGE: u8 = 2;
/// Exit code when some inputs failed.
const PARTLY: u8 = 3;
/// As shells tell of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// A flag that cannot be given here, in words.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// How a command ended, short of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything was done.
    Done,
    /// Some inputs failed; they were listed, the others were done.
    Partly,
    /// Every input failed; they were listed.
    Nothing,
    /// It was asked to end, and can go on from there.
    Interrupted,
}

impl Outcome {
    /// What came of `done` inputs that went well and `failed` ones that did not.
    fn of(done: usize, failed: usize) -> Self {
        match (done, failed) {
            (_, 0) => Outcome::Done,
            (0, _) => Outcome::Nothing,
            _ => Outcome::Partly,
        }
    }
}

/// Find faces (MTCNN) and turn them into vectors (FaceNet), on the CPU or any GPU.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 all done; 1 nothing could be done; 2 wrong usage; 3 done, but some inputs failed (listed on stderr); 130 training was interrupted, and can be resumed."
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What this machine can run on, and why something is missing.
    Devices(devices::Args),
    /// Find faces: boxes, scores, five landmarks.
    Detect(detect::Args),
    /// Cut the faces out of a folder of people, as align_dataset_mtcnn.py does.
    Align(align::Args),
    /// Turn photographs into embeddings.npy, labels.npy, label_strings.npy, paths.txt, boxes.npy and origin.json, or into a
    /// Parquet file.
    Embed(embed::Args),
    /// Tell how far apart the faces of some photographs are.
    Compare(compare::Args),
    /// Tell whose face it is: train on a folder of people, test, and name the faces of photographs.
    #[command(subcommand)]
    Classify(classify::Command),
    /// Tell which faces are of one person, where nobody has said so.
    Cluster(cluster::Args),
    /// Find faces that are not like the others of their person, or like somebody else.
    Filter(filter::Args),
    /// Follow faces through a video or a folder of frames: tracks, with a crop and an embedding each.
    Video(video::Args),
    /// Measure by the LFW protocol.
    Lfw(lfw::Args),
    /// Measure below which distance two faces are of one person.
    Threshold(threshold::Args),
    /// Draw embeddings as points of a plane, by t-SNE or PCA.
    Tsne(tsne::Args),
    /// Draw pairs for `lfw` from a folder of people.
    Pairs(pairs::Args),
    /// Show a model's ops, shapes, operations and memory before anything runs.
    Plan(plan::Args),
    /// Time a model layer by layer, slowest first.
    Bench(bench::Args),
    /// Write the embedding model for others: .npz, .safetensors, facenet-pytorch's .pt, ONNX, TensorFlow's .pb or SavedModel.
    Convert(convert::Args),
    /// Tell what a weights file holds, which network it is taken for, and what is missing.
    Inspect(inspect::Args),
    /// Fetch the published weights by pip, and check them.
    Weights(weights::Args),
    /// Find the nearest of many vectors, exactly.
    Search(search::Args),
    /// Serve all this over HTTP: a page, and the protocols of TensorFlow Serving and Triton.
    #[cfg(feature = "serve")]
    Serve(Box<serve::Args>),
    /// Train the embedding network on a folder of people.
    Train(train::Args),
}

/// Runs the command line of this process; the exit code is documented in `--help`.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()))
}

/// Runs a command line, the program's name first; the exit code is documented in `--help`.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let parsed = Cli::command().try_get_matches_from(arguments);
    match parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches))) {
        Ok((cli, matches)) => code(cli.run(&matches)),
        Err(error) => {
            // Help and the version are no errors, and go to stdout; who reads neither wants no other message.
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(USAGE)
        }
    }
}

impl Cli {
    fn run(&self, matches: &ArgMatches) -> anyhow::Result<Outcome> {
        match &self.command {
            Command::Devices(args) => args.run(&self.globals),
            Command::Detect(args) => args.run(&self.globals),
            Command::Align(args) => args.run(&self.globals),
            Command::Embed(args) => args.run(&self.globals),
            Command::Compare(args) => args.run(&self.globals),
            Command::Classify(command) => command.run(&self.globals),
            Command::Cluster(args) => args.run(&self.globals),
            Command::Filter(args) => args.run(&self.globals),
            Command::Video(args) => args.run(&self.globals),
            Command::Lfw(args) => args.run(&self.globals),
            Command::Threshold(args) => args.run(&self.globals),
            Command::Tsne(args) => args.run(&self.globals),
            Command::Pairs(args) => args.run(&self.globals),
            Command::Plan(args) => args.run(&self.globals),
            Command::Bench(args) => args.run(&self.globals),
            Command::Convert(args) => args.run(&self.globals),
            Command::Inspect(args) => args.run(&self.globals),
            Command::Weights(args) => args.run(&self.globals),
            Command::Search(args) => args.run(&self.globals),
            #[cfg(feature = "serve")]
            Command::Serve(args) => args.run(&self.globals),
            Command::Train(args) => args.run(&self.globals, &given(matches)),
        }
    }
}

/// The exit code that tells of a command's end; an error is printed.
fn code(result: anyhow::Result<Outcome>) -> u8 {
    match result {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Partly) => PARTLY,
        Ok(Outcome::Nothing) => FAILED,
        Ok(Outcome::Interrupted) => INTERRUPTED,
        // Whoever read our output has seen enough.
        Err(error) if output::is_broken_pipe(&error) => 0,
        Err(error) => match error.downcast_ref::<Error>() {
            // Ours name their cause themselves.
            Some(error) => {
                eprintln!("error: {}", fields::words(error));
                if fields::is_usage(error) { USAGE } else { FAILED }
            }
            None => {
                eprintln!("error: {error:#}");
                if error.is::<Usage>() { USAGE } else { FAILED }
            }
        },
    }
}

/// The flags of the innermost command that stood on the command line, by their names in code.
fn given(matches: &ArgMatches) -> Vec<String> {
    if let Some((_, inner)) = matches.subcommand() {
        return given(inner);
    }
    let globals: Vec<String> = Globals::augment_args(clap::Command::new("globals"))
        .get_arguments()
        .map(|flag| flag.get_id().to_string())
        .collect();
    // Groups of flags are named as the structs that declare them.
    let is_flag = |id: &&str| !id.starts_with(char::is_uppercase) && !globals.iter().any(|global| global == id);
    let is_given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    matches.ids().map(|id| id.as_str()).filter(is_flag).filter(is_given).map(str::to_owned).collect()
}
