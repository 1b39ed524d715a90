#[cfg(feature = "cuda")]
#[path = "../../../tests/common/simulated.rs"]
#[allow(dead_code, unsafe_code)]
mod simulated;

use std::panic::{AssertUnwindSafe, catch_unwind};

use indicatif::ProgressBar;

use super::{Lane, Pipeline, Work};
use crate::backend::Device;
use crate::cli::photos::Tally;
use crate::face::{EmbedOptions, Embedder, Face, Standardize};
use crate::image::Rgb8;
use crate::ops::{AvgPool2d, Flatten};
use crate::{Error, Graph, Result};

/// The mean colour of a crop of 4 pixels squared.
fn embedder() -> Embedder {
    embedder_on(&Device::cpu(3).unwrap())
}

fn embedder_on(device: &Device) -> Embedder {
    let mut graph = Graph::new();
    let x = graph.input("x");
    let y = graph.op("mean", AvgPool2d::global(), &[x]);
    let y = graph.op("flat", Flatten, &[y]);
    graph.output(y);
    let options = EmbedOptions::from(Standardize::Fixed).size(4).batch(12);
    Embedder::new(device, graph, options).unwrap()
}

fn crop(index: usize, place: usize, size: usize) -> Rgb8 {
    Rgb8::new(size, size, (0..size * size * 3).map(|k| (index * 17 + place * 5 + k) as u8).collect())
}

/// How many faces a photograph has.
fn faces(index: usize) -> usize {
    [1, 0, 3, 1, 9][index % 5]
}

fn unread(index: usize) -> bool {
    index % 11 == 4
}

/// What was told: the photograph, its note, its embeddings.
type Told = Vec<(usize, usize, Vec<f32>)>;

/// Runs photographs whose crops have these sizes.
fn run(
    embedder: &Embedder,
    count: usize,
    size: impl Fn(usize) -> usize + Sync,
) -> (anyhow::Result<()>, Told, Vec<String>) {
    run_on(&[("cpu", embedder)], count, size)
}

/// The same on several devices.
fn run_on(
    embedders: &[(&str, &Embedder)],
    count: usize,
    size: impl Fn(usize) -> usize + Sync,
) -> (anyhow::Result<()>, Told, Vec<String>) {
    let bar = ProgressBar::hidden();
    let lane = |&(device, embedder): &_| Lane { device, embedder, detector: None };
    let pipeline = Pipeline { lanes: embedders.iter().map(lane).collect(), batch: 64, bar: &bar };
    let (mut tally, mut told, mut failures) = (Tally::default(), Told::new(), Vec::new());
    let decode = |index: usize| -> Result<Rgb8> {
        // The later ones are there first.
        std::thread::sleep(std::time::Duration::from_micros(((count - index) % 7 * 100) as u64));
        if unread(index) {
            Err(Error::invalid(format!("photograph {index}"), "damaged"))
        } else {
            Ok(crop(index, 0, 8))
        }
    };
    let cut = |index: usize, _: &Rgb8, _: &[Face]| {
        (index * 10, (0..faces(index)).map(|place| crop(index, place, size(index))).collect())
    };
    let tell = |index: usize, done: Result<(usize, &[f32])>| {
        match done {
            Ok((note, rows)) => told.push((index, note, rows.to_vec())),
            Err(error) => failures.push(error.to_string()),
        }
        Ok(())
    };
    let done = pipeline.run(count, &mut tally, Work { decode, cut, tell });
    (done, told, failures)
}

#[test]
fn photographs_are_told_in_order_with_their_own_embeddings() {
    let embedder = embedder();
    // As few as go step by step, and as many as threads take one after the other.
    for count in [1, 12, 13, 200] {
        let (done, told, failures) = run(&embedder, count, |_| 4);
        done.unwrap();
        let expected: Told = (0..count)
            .filter(|&index| !unread(index))
            .map(|index| {
                let rows = (0..faces(index)).flat_map(|place| embedder.embed_one(&crop(index, place, 4)).unwrap());
                (index, index * 10, rows.collect())
            })
            .collect();
        assert_eq!(told, expected, "{count} photographs");
        let missing: Vec<usize> = (0..count).filter(|&index| unread(index)).collect();
        assert_eq!(failures.len(), missing.len());
        for (failure, index) in failures.iter().zip(missing) {
            assert!(failure.contains(&format!("photograph {index}")), "{failure}");
        }
    }
}

#[test]
fn what_the_device_refuses_ends_the_run() {
    let (done, told, _) = run(&embedder(), 200, |index| if index == 102 { 5 } else { 4 });
    let problem = done.unwrap_err().to_string();
    assert!(problem.contains('5'), "{problem}");
    assert!(
        told.iter().enumerate().all(|(at, (index, ..))| at <= *index && *index < 102),
        "told in order, up to there"
    );
}

#[test]
fn a_panic_of_one_thread_keeps_no_other_waiting() {
    let embedder = embedder();
    let broken = |index: usize| if index == 57 { panic!("on purpose") } else { 4 };
    assert!(catch_unwind(AssertUnwindSafe(|| run(&embedder, 200, broken))).is_err());
}

#[cfg(feature = "cuda")]
mod on_two_devices {
    use std::sync::Arc;

    use super::simulated::Simulated;
    use super::*;
    use crate::backend::cuda::Cuda;

    /// Simulated GPUs, with what makes them fail.
    fn two() -> [(Arc<Simulated>, Embedder); 2] {
        std::array::from_fn(|_| {
            let driver = Arc::new(Simulated::new((9, 0)));
            let cuda = Cuda::with_driver(driver.clone(), None).unwrap();
            (driver, embedder_on(&Device::from_backend(cuda)))
        })
    }

    #[test]
    fn photographs_are_told_as_by_one() {
        let [(_, first), (_, second)] = two();
        for count in [1, 2, 9, 150] {
            let one = run_on(&[("cuda:0", &first)], count, |_| 4);
            let both = run_on(&[("cuda:0", &first), ("cuda:2", &second)], count, |_| 4);
            one.0.unwrap();
            both.0.unwrap();
            assert!(one.1 == both.1, "{count} photographs");
            assert_eq!(one.2, both.2);
        }
    }

    #[test]
    fn both_take_photographs() {
        let [(first, one), (second, other)] = two();
        // A device that runs its first batch allocates memory for it.
        let before = [&first, &second].map(|driver| driver.allocations());
        run_on(&[("cuda:0", &one), ("cuda:2", &other)], 100, |_| 4).0.unwrap();
        let after = [&first, &second].map(|driver| driver.allocations());
        assert!(after[0] > before[0] && after[1] > before[1], "{before:?}, {after:?}");
    }

    #[test]
    fn the_one_that_fails_is_named() {
        let [(_, first), (broken, second)] = two();
        run_on(&[("cuda:0", &first), ("cuda:2", &second)], 40, |_| 4).0.unwrap();
        broken.fail_launches(true);
        let (done, told, _) = run_on(&[("cuda:0", &first), ("cuda:2", &second)], 400, |_| 4);
        let problem = done.unwrap_err().to_string();
        assert!(problem.contains("cuda:2") && !problem.contains("cuda:0"), "{problem}");
        // What was done before stays, and is in order.
        assert!(told.len() < 390 && told.is_sorted_by_key(|(index, ..)| *index));
    }

    #[test]
    fn a_panic_on_one_ends_the_run() {
        let [(_, first), (_, second)] = two();
        let broken = |index: usize| if index == 57 { panic!("on purpose") } else { 4 };
        let lanes = [("cuda:0", &first), ("cuda:2", &second)];
        assert!(catch_unwind(AssertUnwindSafe(|| run_on(&lanes, 200, broken))).is_err());
    }
}
