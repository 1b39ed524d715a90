//! Values that outlive runs: read and written by the host, changed in place by runs, shared by graphs.

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{Noise, devices};
use warpface::ops::{Join, Part, Relu, ScaledAdd};
use warpface::{Graph, Precision, Shape, Tensor};

/// `s += 0.5 * [x, 2 x]`, where x begins at element 64; tells what `s` was, of its second part.
fn accumulate() -> Graph {
    let mut graph = Graph::new();
    let x = graph.input("x");
    let s = graph.state("s", 1, [128]);
    let was = graph.op("was", Part::At(64, Shape::from([10, 6])), &[s]);
    let was = graph.op("relu", Relu, &[was]);
    let first = graph.op("first", Relu, &[x]);
    let twice = graph.op("twice", ScaledAdd { scale: 1.0 }, &[x, x]);
    let joined = graph.op("joined", Join, &[first, twice]);
    let next = graph.op("next", ScaledAdd { scale: 0.5 }, &[s, joined]);
    graph.update(s, next);
    graph.output(was);
    graph
}

#[test]
fn runs_change_states_in_place() {
    let mut noise = Noise::new(3);
    let x = noise.signed(&[10, 6]);
    let start = noise.signed(&[128]);
    let graph = accumulate();
    let mut expected = vec![Tensor::zeros([3]), start.clone()];
    let first = graph.reference_on(std::slice::from_ref(&x), &mut expected).unwrap();
    let second = graph.reference_on(std::slice::from_ref(&x), &mut expected).unwrap();
    assert_ne!(first, second);
    assert_eq!(&expected[1].data()[60..64], &start.data()[60..64], "the gap adds nothing");

    devices::each_and_simulated(|device| {
        let backend = device.backend();
        let states = backend.states(&[3, 128]).unwrap();
        assert_eq!(states.read(1).unwrap(), vec![0.0; 128]);
        states.write(1, start.data()).unwrap();
        let executable = states.load_in(Arc::new(graph.clone()), Precision::F32).unwrap();
        let executable = executable.plan(&[x.shape().clone()]).unwrap();
        for expected in [&first, &second] {
            let got = executable.run(&[x.data()]).unwrap();
            assert_eq!(got[0], expected[0].data(), "{}", device.info().kind);
        }
        assert_eq!(states.read(1).unwrap(), expected[1].data(), "{}", device.info().kind);
        assert_eq!(states.read(0).unwrap(), vec![0.0; 3]);

        // Another graph sees what the first one left.
        let mut look = Graph::new();
        let s = look.state("s", 1, [2, 64]);
        look.output(s);
        let seen = states.load_in(Arc::new(look), Precision::F32).unwrap().plan(&[]).unwrap().run(&[]).unwrap();
        assert_eq!(seen[0], expected[1].data());
    });
}

#[test]
fn misfits_are_errors() {
    let device = common::device(warpface::DeviceKind::Cpu).unwrap();
    let backend = device.backend();
    let load = |lengths: &[usize], graph: Graph| {
        let states = backend.states(lengths).unwrap();
        states.load_in(Arc::new(graph), Precision::F32).and_then(|module| module.plan(&[Shape::from([10, 6])]))
    };
    let error =
        |result: warpface::Result<Box<dyn warpface::backend::Executable>>| result.err().expect("an error").to_string();
    assert!(error(load(&[3], accumulate())).contains("state 1"));
    assert!(error(load(&[3, 127], accumulate())).contains("127"));
    let error_of = backend.load(Arc::new(accumulate())).err().expect("no states there").to_string();
    assert!(error_of.contains("state 1"), "{error_of}");

    // Somebody reads the state after it has changed.
    let mut graph = accumulate();
    let (s, _) = graph.updates()[0];
    let late = graph.op("late", Relu, &[s]);
    graph.output(late);
    assert!(error(load(&[3, 128], graph)).contains("cannot take the place"));

    // Somebody reads a part of it then.
    let mut graph = Graph::new();
    graph.input("x");
    let s = graph.state("s", 1, [128]);
    let part = graph.op("part", Part::At(64, Shape::from([64])), &[s]);
    let next = graph.op("next", ScaledAdd { scale: 0.5 }, &[s, s]);
    graph.update(s, next);
    let late = graph.op("late", Relu, &[part]);
    graph.output(late);
    assert!(error(load(&[3, 128], graph)).contains("`late` reads a state that `next` has changed"));

    // An op that does not work in place.
    let mut graph = Graph::new();
    let x = graph.input("x");
    let s = graph.state("s", 0, [60]);
    let y = graph.op("y", Relu, &[x]);
    graph.update(s, y);
    assert!(error(load(&[60], graph)).contains("cannot take the place"));
    let states = backend.states(&[4]).unwrap();
    assert!(states.write(0, &[1.0; 3]).unwrap_err().to_string().contains("3 were given"));
}
