use crate::Case;
use crate::common::Noise;
use crate::windows;
use warpface::Tensor;
use warpface::ops::{MaxPool2d, MaxPool2dBwd, Op, Padding};

fn case(dims: [usize; 4], pool: MaxPool2d) -> Case {
    let mut noise = Noise::new(35);
    // Whole numbers, among which there are equal maxima.
    let mut x = noise.tensor(&dims, 0.0, 5.0);
    x.data_mut().iter_mut().for_each(|x| *x = x.floor());
    let y = Op::from(pool.clone()).reference::<f32>(&[&x]);
    let dy = noise.signed(y.dims());
    let MaxPool2d { kernel, stride, padding } = pool;
    let op = MaxPool2dBwd { kernel, stride, padding };
    Case::new(format!("{op:?} {dims:?}"), op, vec![x, y, dy])
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    windows::each(|dims, kernel, stride, padding| cases.push(case(dims, MaxPool2d { kernel, stride, padding })));
    cases
}

backend_test!(cases);

#[test]
fn of_equal_maxima_the_first_has_the_gradient() {
    let op = MaxPool2dBwd { kernel: [2, 2], stride: [1, 1], padding: Padding::Valid };
    let x = Tensor::new([1, 2, 3, 1], vec![1.0, 2.0, 2.0, 0.0, 2.0, 2.0]);
    let (y, dy) = (Tensor::new([1, 1, 2, 1], vec![2.0; 2]), Tensor::new([1, 1, 2, 1], vec![3.0, 5.0]));
    let dx = Op::from(op).reference::<f64>(&[&x, &y, &dy]);
    assert_eq!(dx.data(), [0.0, 8.0, 0.0, 0.0, 0.0, 0.0]);
}
