use crate::Case;
use crate::common::Noise;
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
    for padding in [Padding::Same, Padding::Valid] {
        for (dims, kernel, stride) in [
            ([1, 1, 1, 1], [1, 1], 1),
            ([2, 5, 7, 3], [2, 2], 2),
            ([1, 8, 9, 33], [3, 3], 2),
            ([2, 7, 6, 5], [3, 3], 1),
            ([2, 12, 12, 16], [3, 3], 3),
            ([1, 7, 11, 5], [1, 2], 3),
        ] {
            cases.push(case(dims, L2Pool2d { kernel, stride: [stride; 2], padding }));
        }
    }
    cases.push(case([2, 6, 7, 5], L2Pool2d { kernel: [3; 2], stride: [2; 2], padding: Padding::Around(1) }));
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
