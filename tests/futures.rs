//! What is waited for without blocking: the same bits as the blocking calls, and a device that stays whole when nobody
//! waits to the end.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use common::Noise;
use warpface::ops::{Conv2d, Padding};
use warpface::{Device, DeviceKind, Graph, Shape};

const SHAPE: [usize; 4] = [2, 9, 7, 8];

fn graph() -> Graph {
    let mut noise = Noise::new(31);
    let mut graph = Graph::new();
    let x = graph.input("x");
    let w = graph.param("w", noise.signed(&[16, 3, 3, 8]));
    let b = graph.param("b", noise.signed(&[16]));
    let y = graph.op("conv", Conv2d::new(Padding::Same), &[x, w, b]);
    graph.output(y);
    graph
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Polls to the end, as an executor does: only after it was woken.
fn drive<T>(future: impl Future<Output = T>) -> T {
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut future = pin!(future);
    for polls in 0.. {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        assert!(count.0.load(Relaxed) > polls, "pending, and nobody will wake it");
        std::thread::yield_now();
    }
    unreachable!("polled for ever")
}

fn the_same_bits(device: &Device) {
    let executable = device.backend().load(Arc::new(graph())).unwrap().plan(&[Shape::from(SHAPE)]).unwrap();
    let mut noise = Noise::new(32);
    for _ in 0..3 {
        let x = noise.signed(&SHAPE);
        let blocking = executable.run(&[x.data()]).unwrap();
        let inputs = [x.data()];
        // Somebody who asks once and goes away: the next run is as if he had not.
        let mut dropped = executable.run_async(&inputs);
        let _ = dropped.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(dropped);
        assert_eq!(drive(executable.run_async(&inputs)).unwrap(), blocking);
        assert_eq!(executable.run(&[x.data()]).unwrap(), blocking);
    }
    assert!(drive(executable.run_async(&[&[0.0]])).is_err(), "a misfit is an error here, too");
}

#[test]
fn cpu() {
    the_same_bits(&Device::cpu(2).unwrap());
}

#[test]
fn wgpu() {
    if let Some(device) = common::device(DeviceKind::Wgpu) {
        the_same_bits(&device);
    }
}

#[test]
fn cuda() {
    if let Some(device) = common::device(DeviceKind::Cuda) {
        the_same_bits(&device);
    }
}

#[test]
#[cfg(feature = "cuda")]
fn ptxsim() {
    the_same_bits(&common::simulated::device((8, 0)));
}
