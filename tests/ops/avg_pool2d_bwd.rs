use crate::Case;
use crate::common::Noise;
use warpface::Shape;
use warpface::ops::{AvgPool2d, AvgPool2dBwd, Op, Padding};

fn case(dims: [usize; 4], pool: AvgPool2d) -> Case {
    let mut noise = Noise::new(35);
    let y = Op::from(pool.clone()).shape(&[&Shape::from(dims)]).expect("a case that fits");
    let AvgPool2d { kernel, stride, padding } = pool;
    let op = AvgPool2dBwd { kernel, stride, padding };
    Case::new(format!("{op:?} {dims:?}"), op, vec![noise.signed(y.dims()), noise.signed(&dims)])
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for padding in [Padding::Same, Padding::Valid] {
        for (dims, kernel, stride) in [
            ([1, 1, 1, 1], [1, 1], 1),
            ([2, 5, 7, 3], [2, 2], 2),
            ([1, 8, 9, 33], [3, 3], 2),
            ([2, 7, 6, 5], [3, 3], 1),
            ([3, 13, 13, 10], [3, 3], 2),
            ([1, 7, 11, 5], [2, 3], 3),
            ([1, 7, 11, 5], [1, 2], 3),
        ] {
            cases.push(case(dims, AvgPool2d { kernel: Some(kernel), stride: [stride; 2], padding }));
        }
    }
    cases.push(case([2, 3, 3, 179], AvgPool2d::global()));
    cases.push(case([2, 6, 7, 5], AvgPool2d { kernel: Some([3; 2]), stride: [2; 2], padding: Padding::Around(1) }));
    cases
}

backend_test!(cases);
