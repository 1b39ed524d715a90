use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::NearestOther;

/// Rows on a coarse grid: distances are exact, and many are equal.
fn grid(noise: &mut Noise, rows: usize, d: usize) -> Tensor {
    let x = noise.tensor(&[rows, d], -4.0, 4.0);
    Tensor::new([rows, d], x.data().iter().map(|x| x.floor() / 4.0).collect())
}

fn labels(noise: &mut Noise, rows: usize, people: usize) -> Tensor {
    Tensor::new([rows], (0..rows).map(|_| (noise.unit() * people as f32).floor()).collect())
}

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(44);
    let mut case = |m: usize, n: usize, d: usize, people: usize, k: usize| {
        let inputs = vec![
            grid(&mut noise, m, d),
            labels(&mut noise, m, people),
            grid(&mut noise, n, d),
            labels(&mut noise, n, people),
        ];
        Case::new(format!("{m} {n} {d} {people} {k}"), NearestOther { k }, inputs)
    };
    let mut cases = vec![
        case(1, 1, 1, 1, 1),
        case(1, 1, 1, 9, 3),
        case(5, 3, 7, 2, 16),
        case(3, 0, 4, 2, 2),
        case(17, 130, 33, 4, 5),
        case(65, 64, 16, 3, 16),
        // More than one block of rows.
        case(3, 2500, 3, 5, 8),
    ];
    let mut far = grid(&mut noise, 6, 2);
    far.data_mut()[..4].copy_from_slice(&[f32::NAN, 0.0, f32::INFINITY, 0.0]);
    let inputs = vec![grid(&mut noise, 2, 2), Tensor::new([2], vec![0.0, 1.0]), far, Tensor::new([6], vec![7.0; 6])];
    cases.push(Case::new("not finite", NearestOther { k: 6 }, inputs));
    cases
}

backend_test!(cases);
