use crate::Case;
use crate::common::Noise;
use crate::windows;
use warpface::Shape;
use warpface::ops::{AvgPool2d, AvgPool2dBwd, Op};

fn case(dims: [usize; 4], pool: AvgPool2d) -> Case {
    let mut noise = Noise::new(35);
    let y = Op::from(pool.clone()).shape(&[&Shape::from(dims)]).expect("a case that fits");
    let AvgPool2d { kernel, stride, padding } = pool;
    let op = AvgPool2dBwd { kernel, stride, padding };
    Case::new(format!("{op:?} {dims:?}"), op, vec![noise.signed(y.dims()), noise.signed(&dims)])
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    windows::each(|dims, kernel, stride, padding| {
        cases.push(case(dims, AvgPool2d { kernel: Some(kernel), stride, padding }));
    });
    cases.push(case([2, 3, 3, 179], AvgPool2d::global()));
    cases
}

backend_test!(cases);
