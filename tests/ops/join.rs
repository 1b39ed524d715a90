use crate::Case;
use crate::common::Noise;
use warpface::ops::Join;

fn cases() -> Vec<Case> {
    let parts: [&[&[usize]]; 4] = [&[&[1]], &[&[64], &[128]], &[&[3, 5], &[1], &[2, 64]], &[&[0], &[65], &[7, 1, 3]]];
    let case = |parts: &[&[usize]]| {
        let mut noise = Noise::new(9);
        Case::new(format!("{parts:?}"), Join, parts.iter().map(|dims| noise.signed(dims)).collect())
    };
    parts.into_iter().map(case).collect()
}

backend_test!(cases);
