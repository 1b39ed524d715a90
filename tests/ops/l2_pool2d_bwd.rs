use crate::Case;
use crate::common::Noise;
use crate::windows;
use warpface::Tensor;
use warpface::ops::{L2Pool2d, L2Pool2dBwd, Op, Padding};

fn case(dims: [usize; 4], pool: L2Pool2d) -> Case {
    let mut noise = Noise::new(65);
    // Some windows are of zeros alone.
    let mut x = noise.tensor(&dims, -1.0, 1.0);
    x.data_mut().iter_mut().for_each(|x| *x = if *x < 0.2 { 0.0 } else { *x });
    let y = Op::from(pool.clone()).reference::<f32>(&[&x]);
    let dy = noise.signed(y.dims());
    let L2Pool2d { kernel, stride, padding } = pool;
    let op = L2Pool2dBwd { kernel, stride, padding };
    Case::new(format!("{op:?} {dims:?}"), op, vec![x, y, dy])
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    windows::each(|dims, kernel, stride, padding| cases.push(case(dims, L2Pool2d { kernel, stride, padding })));
    cases
}

backend_test!(cases);

#[test]
fn a_window_of_zeros_has_no_gradient() {
    let op = L2Pool2dBwd { kernel: [1, 2], stride: [1, 2], padding: Padding::Valid };
    let x = Tensor::new([1, 1, 4, 1], vec![0.0, 0.0, 3.0, 4.0]);
    let (y, dy) = (Tensor::new([1, 1, 2, 1], vec![0.0, 5.0]), Tensor::new([1, 1, 2, 1], vec![7.0, 10.0]));
    let dx = Op::from(op).reference::<f64>(&[&x, &y, &dy]);
    assert_eq!(dx.data(), [0.0, 0.0, 10.0 * (3.0 / 5.0), 10.0 * (4.0 / 5.0)]);
}
