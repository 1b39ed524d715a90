use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::BoxPad;

fn cases() -> Vec<Case> {
    let op = BoxPad { width: 250, height: 120 };
    let whole = |n: usize| {
        let x = Noise::new(13).tensor(&[n, 4], -60.0, 300.0);
        Tensor::new([n, 4], x.data().iter().map(|x| x.trunc()).collect())
    };
    [1, 7, 100].map(|n| Case::new(format!("{n}"), op.clone(), vec![whole(n)])).into()
}

backend_test!(cases);
