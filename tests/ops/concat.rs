use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::Concat;

fn cases() -> Vec<Case> {
    let parts: [(&[usize], &[usize]); 5] =
        [(&[1], &[1]), (&[2, 3], &[5, 1, 9]), (&[3, 4, 5], &[32, 33]), (&[], &[3, 4]), (&[3, 5], &[8, 4, 32])];
    let case = |(lead, channels): (&[usize], &[usize])| {
        let mut noise = Noise::new(6);
        let inputs = channels.iter().map(|&c| noise.signed(&[lead, &[c]].concat())).collect();
        Case::new(format!("{lead:?} {channels:?}"), Concat, inputs)
    };
    parts.map(case).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(Concat, inputs(&[&[2, 3, 1], &[2, 3, 4], &[2, 3, 2]])).check();
}
