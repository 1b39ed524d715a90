use crate::Case;
use crate::common::Noise;
use warpface::ops::Slice;

fn cases() -> Vec<Case> {
    // The channels of the parts up to the one that is taken; what follows them.
    let parts: [(&[usize], &[usize], usize); 6] = [
        (&[1], &[1], 0),
        (&[2, 3], &[5, 1, 9], 4),
        (&[3, 4, 5], &[32, 33], 0),
        (&[2, 2, 2], &[7], 13),
        (&[], &[3, 4], 1),
        // In fours.
        (&[3, 5], &[8, 4, 20], 32),
    ];
    let case = |(lead, channels, after): (&[usize], &[usize], usize)| {
        let mut noise = Noise::new(34);
        let all = channels.iter().sum::<usize>() + after;
        let dims = [all].into_iter().chain(channels.iter().copied());
        let inputs = dims.map(|c| noise.signed(&[lead, &[c]].concat())).collect();
        Case::new(format!("{lead:?} {channels:?} of {all}"), Slice, inputs)
    };
    parts.map(case).into()
}

backend_test!(cases);
