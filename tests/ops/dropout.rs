use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, given, noise};
use warpface::Tensor;
use warpface::ops::Dropout;

fn cases() -> Vec<Case> {
    let case = |(dims, keep, seed, stream, step): (&[usize], f32, u64, u32, f32)| {
        let x = Noise::new(34).tensor(dims, 1.0, 2.0);
        let op = Dropout { keep, seed, stream };
        Case::new(format!("{dims:?} {keep} {step}"), op, vec![x, Tensor::new([1], vec![step])])
    };
    [
        (&[1][..], 0.5, 1, 256, 0.0),
        (&[3], 0.4, 2, 256, 1.0),
        (&[5, 1792], 0.8, 0x1234_5678_9abc_def0, 257, 1000.0),
        (&[2, 3, 3, 67], 0.1, u64::MAX, 256, 250.0),
        (&[9], 1.0, 3, 256, 7.0),
    ]
    .map(case)
    .into()
}

#[test]
fn masks_change_with_the_step_and_keep_their_part() {
    let x = Tensor::new([4000], vec![1.0f32; 4000]);
    let op = Dropout { keep: 0.4, seed: 5, stream: 256 };
    let kept = |step: f32| {
        let y = warpface::ops::Op::from(op.clone()).reference(&[&x, &Tensor::new([1], vec![step])]);
        y.data().iter().map(|&y| y > 0.0).collect::<Vec<bool>>()
    };
    let (first, second) = (kept(1.0), kept(2.0));
    assert!((1500..1700).contains(&first.iter().filter(|&&kept| kept).count()));
    let same = first.iter().zip(&second).filter(|(a, b)| a == b).count();
    // Two independent masks agree at 0.4^2 + 0.6^2 of the places.
    assert!((1980..2180).contains(&same), "{same}");
}

backend_test!(cases);

#[test]
fn gradient() {
    let op = Dropout { keep: 0.6, seed: 0x1234_5678_9abc, stream: 256 };
    Gradient::new(op, vec![noise(11, &[3, 11]), given(&[1], &[5.0])]).wanted(&[0]).check();
}
