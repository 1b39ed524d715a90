//! Trains a narrow network on a folder of people, for as many epochs as asked, and embeds one of its photographs:
//! `cargo run --release --example train -- PEOPLE RUNS 2`. People are folders of aligned photographs, as
//! `warpface align` makes them.

use std::path::Path;

use warpface::face::EmbedOptions;
use warpface::networks::Width;
use warpface::ops::OptimizerKind;
use warpface::train::dataset::Dataset;
use warpface::train::{Event, Settings, Softmax, Stop, Task, Training};
use warpface::{Device, DeviceKind, Embedder, image};

/// Photographs are this wide and high here.
const SIDE: usize = 80;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [people, runs, epochs] = arguments.as_slice() else { return Err("usage: train PEOPLE RUNS EPOCHS".into()) };
    let runs = Path::new(runs);

    let mut settings = Settings::default();
    settings.epochs = epochs.parse()?;
    settings.epoch_size = 10;
    settings.batch_size = 6;
    settings.image_size = Some(SIDE);
    settings.width = Width::of_stem(2);
    settings.embedding_size = Some(8);
    settings.optimizer = OptimizerKind::Momentum;
    settings.models_base_dir = runs.join("models");
    settings.logs_base_dir = runs.join("logs");

    let device = Device::open(DeviceKind::Auto, 0)?;
    let stop = Stop::default();
    let mut observer = |event: &Event<'_>| match event {
        Event::Step(step) if step.batch == step.epoch_size => println!("{step}"),
        Event::Step(step) if !step.losses[0].1.is_finite() => stop.request(),
        Event::Step(_) => {}
        other => other.message().iter().for_each(|message| println!("{message}")),
    };
    let task = Task::Softmax(Softmax::default());
    let finished = Training::new(&device, people, task).settings(settings).stop(&stop).run(&mut observer)?;

    // What was trained is a model: the standardization is that of the run.
    let embedder = Embedder::load(&device, &finished.model, EmbedOptions::default())?;
    let photo = image::decode(Dataset::open(people)?.path(0))?;
    let crop = image::resize_bilinear_pillow(&photo, SIDE, SIDE);
    println!("{} steps; {:?}", finished.steps, embedder.embed_one(&crop)?);
    Ok(())
}
