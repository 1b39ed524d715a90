use std::sync::Arc;

use super::*;
use crate::backend::cpu::Isa;
use crate::image::{AreaTable, Rgb8, resize_area_u8};
use crate::ops::{Activation, Conv2d, MaxPool2d, Padding};
use crate::random::Stream;
use crate::{Shape, Tensor};

/// Values that no two sums of are likely alike.
fn drawn(shape: impl Into<Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut stream = Stream::new(seed, 0, 0);
    let values = (0..shape.elements()).map(|_| stream.normal()).collect();
    Tensor::new(shape, values)
}

/// A chain as P-Net is one: its outputs are two convolutions.
fn chain(activation: Activation) -> Graph {
    let mut graph = Graph::new();
    let convolve = |graph: &mut Graph, x, [c_out, k, c_in]: [usize; 3], activation| {
        let seed = (c_out * k * c_in) as u64;
        let mut inputs = vec![x];
        inputs.push(graph.param("w", drawn([c_out, k, k, c_in], seed)));
        inputs.push(graph.param("b", drawn([c_out], seed + 1)));
        if activation == Activation::PRelu {
            inputs.push(graph.param("alpha", drawn([c_out], seed + 2)));
        }
        graph.op("convolution", Conv2d::new(Padding::Valid).activation(activation), &inputs)
    };
    let pool = MaxPool2d { kernel: [2; 2], stride: [2; 2], padding: Padding::Same };
    let x = graph.input("x");
    let x = convolve(&mut graph, x, [10, 3, 3], activation);
    let x = graph.op("pool", pool.clone(), &[x]);
    let x = convolve(&mut graph, x, [19, 2, 10], activation);
    let x = graph.op("pool", pool, &[x]);
    let x = convolve(&mut graph, x, [5, 3, 19], activation);
    for c_out in [2, 4] {
        let y = convolve(&mut graph, x, [c_out, 1, 5], Activation::None);
        graph.output(y);
    }
    graph
}

/// The outputs of a chain on `x: [1, h, w, c]`, side by side: `[h, w, channels]`.
fn outputs(planes: &Planes, x: &Tensor) -> Vec<f32> {
    let &[_, height, width, channels] = x.dims() else { unreachable!("an image") };
    let mut values = Vec::new();
    let fill = |rows: Range<usize>, to: &mut RowsMut| {
        for (i, row) in rows.enumerate() {
            for c in 0..channels {
                let from = x.data()[row * width * channels + c..].iter().step_by(channels);
                to.row(c, i).iter_mut().zip(from).for_each(|(to, x)| *to = *x);
            }
        }
    };
    planes.run([height, width], fill, |rows| {
        for row in rows.rows() {
            values.extend(
                (0..rows.width())
                    .flat_map(|x| (0..planes.c_out()).map(move |c| (x, c)))
                    .map(|(x, c)| rows.row(c, row)[x]),
            );
        }
    });
    values
}

#[test]
fn strips_have_the_bits_of_the_whole() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let cpu = Cpu::with_isa(1, isa).unwrap();
        for activation in [Activation::None, Activation::Relu, Activation::PRelu] {
            let graph = Arc::new(chain(activation));
            let planes = Planes::new(&cpu, &graph, graph.outputs()).unwrap();
            assert_eq!((planes.c_in(), planes.c_out(), planes.field()), (3, 6, (16, 4)));
            let module = cpu.module(graph).unwrap();
            for (h, w) in [(16, 16), (19, 21), (20, 37), (33, 18), (61, 140), (150, 23), (40, 1999)] {
                let x = drawn([1, h, w, 3], 7);
                let whole = module.executable(&[x.shape().clone()], false).unwrap();
                let whole = whole.run_in_place(
                    |inputs| inputs[0].copy_from_slice(x.data()),
                    |y| y[0].chunks(2).zip(y[1].chunks(4)).flat_map(|(a, b)| [a, b].concat()).collect::<Vec<f32>>(),
                );
                let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
                assert!(bits(&outputs(&planes, &x)) == bits(&whole), "{h}x{w}, {activation:?}, {isa}");
            }
        }
    }
}

#[test]
fn an_image_below_the_field_has_no_output() {
    let cpu = Cpu::new(1).unwrap();
    let graph = chain(Activation::Relu);
    let planes = Planes::new(&cpu, &graph, graph.outputs()).unwrap();
    for (h, w) in [(0, 40), (40, 0), (1, 40), (12, 40), (40, 12)] {
        assert!(outputs(&planes, &drawn([1, h, w, 3], 1)).is_empty(), "{h}x{w}");
    }
}

#[test]
fn what_is_no_chain_is_refused_by_name() {
    let cpu = Cpu::new(1).unwrap();
    let mut graph = Graph::new();
    let x = graph.input("x");
    let [w, b] = [drawn([4, 3, 3, 3], 1), drawn([4], 2)].map(|value| graph.param("constant", value));
    let x = graph.op("first", Conv2d::new(Padding::Same), &[x, w, b]);
    let w = graph.param("constant", drawn([4, 1, 1, 4], 3));
    let y = graph.op("last", Conv2d::new(Padding::Valid), &[x, w, b]);
    graph.output(y);
    let error = Planes::new(&cpu, &graph, graph.outputs()).err().unwrap().to_string();
    assert!(error.contains("`first`"), "{error}");
    let error = Planes::new(&cpu, &graph, &[x, y]).err().unwrap().to_string();
    assert!(error.contains("`first`"), "{error}");
}

#[test]
fn shrinking_is_opencvs() {
    const SIZES: [[usize; 4]; 6] = [
        [250, 250, 150, 150],
        [250, 250, 14, 14],
        [97, 40, 58, 24],
        [33, 600, 20, 360],
        [600, 33, 13, 12],
        [61, 17, 60, 17],
    ];
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let cpu = Cpu::with_isa(1, isa).unwrap();
        for [w, h, width, height] in SIZES {
            let mut stream = Stream::new(3, 0, 0);
            let photo = Rgb8::new(w, h, (0..w * h * 3).map(|_| stream.next_word() as u8).collect());
            let expected = resize_area_u8(&photo, width, height);
            let (x, y) = (AreaTable::new(w, width), AreaTable::new(h, height));
            let turned = Turned::new(&cpu, &photo);
            let mut shrinking = Shrinking::new(&turned, &x, &y, 127.5, 0.5);
            let layout = Layout::new(3, width, width + 1, height + 2, 0);
            let mut memory = vec![f32::NAN; layout.end()];
            // From the middle on, as a band begins, in pieces.
            let from = height / 3;
            for rows in [from..height / 2, height / 2..height] {
                let mut to = RowsMut { layout, memory: &mut memory, first: rows.start };
                shrinking.fill(rows, &mut to);
            }
            let got = RowsMut { layout, memory: &mut memory, first: 0 };
            for (row, column, c) in
                (from..height).flat_map(|y| (0..width).flat_map(move |x| [0, 1, 2].map(|c| (y, x, c))))
            {
                let level = f32::from(expected.row(row)[column * 3 + c]);
                let value = got.memory[got.layout.row(c, row) + column];
                assert_eq!(value, (level - 127.5) * 0.5, "{w}x{h} to {width}x{height}: {c} of {column}, {row}; {isa}");
            }
        }
    }
}
