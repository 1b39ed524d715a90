use crate::Case;
use crate::common::Noise;
use warpface::ops::IsFinite;

fn cases() -> Vec<Case> {
    let case = |count: usize, odd: &[(usize, f32)]| {
        let mut x = Noise::new(39).tensor(&[count], -1e30, 1e30);
        odd.iter().for_each(|&(i, value)| x.data_mut()[i] = value);
        Case::new(format!("{count} {odd:?}"), IsFinite, vec![x])
    };
    vec![
        case(0, &[]),
        case(1, &[]),
        case(1, &[(0, f32::NAN)]),
        case(9000, &[]),
        case(9000, &[(8999, f32::INFINITY)]),
        case(9000, &[(0, f32::NEG_INFINITY)]),
        case(4097, &[(4096, f32::NAN)]),
        case(4097, &[(5, f32::INFINITY), (6, f32::NEG_INFINITY), (4096, f32::NAN)]),
        case(300, &[(299, 6e4)]),
    ]
}

backend_test!(cases);
