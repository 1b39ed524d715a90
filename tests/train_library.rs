//! Training without the command: a run from the builder, told to an observer, ended by a flag, gone on with.

mod common;

use std::fs;
use std::path::Path;

use common::people;
use warpface::face::{EmbedOptions, Reason};
use warpface::networks::Width;
use warpface::ops::{OptimizerKind, Standardize};
use warpface::train::{Event, Finished, Settings, Softmax, Stop, Task, Training, Triplet, resume};
use warpface::{Device, Embedder, ErrorKind, Result};

/// A network of two channels, small batches, two short epochs.
fn settings(runs: &Path, name: &str) -> Settings {
    let mut settings = Settings::default();
    settings.epochs = 2;
    settings.epoch_size = 4;
    settings.batch_size = 6;
    settings.image_size = Some(80);
    settings.width = Width::of_stem(2);
    settings.embedding_size = Some(8);
    settings.optimizer = OptimizerKind::Momentum;
    settings.standardize = Some(Standardize::Prewhiten);
    settings.threads = 2;
    settings.models_base_dir = runs.join("models");
    settings.logs_base_dir = runs.join("logs");
    settings.name = Some(name.to_owned());
    settings
}

fn tasks() -> [(&'static str, Task); 2] {
    let mut triplet = Triplet::default();
    (triplet.people_per_batch, triplet.images_per_person) = (3, 3);
    [("softmax", Task::Softmax(Softmax::default())), ("triplet", Task::Triplet(triplet))]
}

/// Trains, asking for the end after `most` steps; the steps that were told.
fn train(training: Training, most: u64) -> Result<(Finished, Vec<u64>)> {
    let (stop, mut told) = (Stop::default(), Vec::new());
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(step) = event {
            told.push(step.done);
            if step.done == most {
                stop.request();
            }
        }
    };
    let finished = training.stop(&stop).run(&mut observer)?;
    Ok((finished, told))
}

#[test]
fn a_run_is_told_ended_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("people");
    people::write(&dir, 3, 4, 80);
    let device = Device::cpu(2).unwrap();
    for (name, task) in tasks() {
        let run = |name: &str| Training::new(&device, &dir, task.clone()).settings(settings(folder.path(), name));
        let (whole, told) = train(run(&format!("{name}-whole")), u64::MAX).unwrap();
        assert_eq!((whole.steps, whole.interrupted, told), (8, false, (1..=8).collect()), "{name}");
        assert!(folder.path().join("logs").join(format!("{name}-whole/summary.html")).is_file());

        let part = format!("{name}-part");
        let (stopped, told) = train(run(&part), 3).unwrap();
        assert_eq!((stopped.steps, stopped.interrupted, told), (3, true, vec![1, 2, 3]), "{name}");
        let from = resume(&stopped.checkpoints).unwrap();
        assert!(from.passed_over.is_empty());
        let (rest, told) = train(run(&part).from(from.checkpoint), u64::MAX).unwrap();
        assert_eq!((rest.steps, rest.interrupted, told), (8, false, (4..=8).collect()), "{name}");
        assert!(fs::read(&rest.model).unwrap() == fs::read(&whole.model).unwrap(), "{name}: another network");

        // What was trained is a model that knows how it was trained.
        let embedder = Embedder::load(&device, &whole.model, EmbedOptions::default()).unwrap();
        let known = (embedder.dim(), embedder.standardize(), embedder.standardize_reason());
        assert_eq!(known, (8, Standardize::Prewhiten, Reason::Trained), "{name}");
    }
}

#[test]
fn what_makes_no_sense_is_a_field() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("people");
    people::write(&dir, 3, 4, 80);
    let device = Device::cpu(1).unwrap();
    let refused = |task: Task, change: fn(&mut Settings)| {
        let mut settings = settings(folder.path(), "run");
        change(&mut settings);
        let error = Training::new(&device, &dir, task).settings(settings).run(&mut ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Field, "{error}");
        error.field().unwrap().name()
    };
    let [(_, softmax), (_, triplet)] = tasks();
    assert_eq!(refused(softmax.clone(), |s| s.batch_size = 1), "batch_size");
    assert_eq!(refused(triplet, |s| s.batch_size = 8), "batch_size");
    assert_eq!(refused(softmax.clone(), |s| s.name = Some("../out".into())), "name");
    assert_eq!(refused(softmax.clone(), |s| s.hold_out_people = 3), "hold_out_people");
    assert_eq!(refused(softmax.clone(), |s| s.filter = Some(50.0)), "filter");
    let odd = Softmax { center_loss_alfa: 2.0, ..Softmax::default() };
    assert_eq!(refused(Task::Softmax(odd), |_| ()), "center_loss_alfa");
    let none = resume(folder.path().join("nothing")).unwrap_err();
    assert_eq!(none.field().unwrap().name(), "resume");
    let absent = Training::new(&device, folder.path().join("nobody"), softmax).run(&mut ()).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::File, "{absent}");
}
