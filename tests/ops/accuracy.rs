use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::Accuracy;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(25);
    let mut case = |n: usize, c: usize| {
        let logits = noise.signed(&[n, c]);
        // Every other row has its largest logit's label.
        let label = |(i, row): (usize, &[f32])| {
            let largest = (0..c).reduce(|best, j| if row[j] > row[best] { j } else { best });
            ((largest.unwrap_or(0) + i % 2) % c) as f32
        };
        let labels = logits.data().chunks(c).enumerate().map(label).collect();
        Case::new(format!("{n} {c}"), Accuracy, vec![logits, Tensor::new([n], labels)])
    };
    let mut cases = vec![case(1, 1), case(70, 2), case(9, 10), case(4, 255), case(3, 700)];
    // The first of equal ones is the largest.
    let equal = Tensor::new([4, 3], [1.0, 5.0, 5.0].repeat(4));
    cases.push(Case::new("ties", Accuracy, vec![equal, Tensor::new([4], vec![0.0, 1.0, 2.0, 3.0])]));
    let odd = vec![0.0, f32::NAN, 1.0, f32::NAN, 0.0, 0.0, 0.0, f32::INFINITY, f32::NEG_INFINITY];
    let labels = Tensor::new([3], vec![2.0, 0.0, 1.0]);
    cases.push(Case::new("not numbers", Accuracy, vec![Tensor::new([3, 3], odd), labels]));
    let labels = Tensor::new([4], vec![-1.0, 3.0, 0.5, 2.0]);
    cases.push(Case::new("labels that are no class", Accuracy, vec![noise.signed(&[4, 3]), labels]));
    cases
}

backend_test!(cases);
