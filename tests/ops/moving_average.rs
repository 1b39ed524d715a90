use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::MovingAverage;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[3, 67], &[300]];
    let case = |dims: &[usize], finite: f32| {
        let mut noise = Noise::new(40);
        let mut inputs = vec![noise.signed(dims), noise.signed(dims), Tensor::new([1], vec![finite])];
        if finite == 0.0 {
            inputs[1].data_mut()[0] = f32::INFINITY;
            *inputs[1].data_mut().last_mut().unwrap() = f32::NAN;
        }
        Case::new(format!("{dims:?} {finite}"), MovingAverage { decay: 0.995 }, inputs)
    };
    shapes.iter().flat_map(|dims| [1.0, 0.0].map(|finite| case(dims, finite))).collect()
}

backend_test!(cases);
