use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::{MineTriplets, Mining, Op};

/// Distances of a batch whose people have the same number of rows each.
fn batch(noise: &mut Noise, people: usize, images: usize) -> (Tensor, Tensor) {
    let m = people * images;
    let label = |i: usize| i / images;
    let mut distances = vec![0.0; m * m];
    for a in 0..m {
        for b in 0..a {
            // Those of one person are nearer than most others. Binary fractions: sums and margins are exact.
            let near = if label(a) == label(b) { 0.0 } else { 0.25 };
            let distance = near + (noise.unit() * 512.0).floor() / 512.0;
            (distances[a * m + b], distances[b * m + a]) = (distance, distance);
        }
    }
    (Tensor::new([m, m], distances), Tensor::new([m], (0..m).map(|i| label(i) as f32).collect()))
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in [Mining::Random, Mining::SemiHard, Mining::Hard, Mining::Vgg] {
        for (people, images, seed, step) in [(1, 1, 0, 0.0), (1, 5, 1, 1.0), (9, 4, u64::MAX, 2.0), (3, 100, 7, 250.0)]
        {
            let (distances, labels) = batch(&mut Noise::new(42), people, images);
            let inputs = vec![distances, labels, Tensor::new([1], vec![step])];
            let op = MineTriplets { mode, margin: 0.125, seed };
            cases.push(Case::new(format!("{mode:?} {people} {images}"), op, inputs));
        }
        // Labels in no order, every distance equal: ties everywhere.
        let labels = Tensor::new([6], vec![2.0, 0.0, 2.0, 5.0, 0.0, 2.0]);
        let inputs = vec![Tensor::new([6, 6], vec![0.5; 36]), labels, Tensor::new([1], vec![3.0])];
        cases.push(Case::new(format!("{mode:?} ties"), MineTriplets { mode, margin: 0.125, seed: 3 }, inputs));
    }
    cases
}

#[test]
fn every_negative_in_question_is_drawn_equally_often() {
    let (distances, labels) = batch(&mut Noise::new(43), 5, 4);
    let op = Op::from(MineTriplets { mode: Mining::Random, margin: 0.2, seed: 9 });
    let mut counts = [0u32; 20];
    for step in 0..1000 {
        let y = op.reference(&[&distances, &labels, &Tensor::new([1], vec![step as f32])]);
        counts[y.data()[1] as usize] += 1;
    }
    assert_eq!(counts[..4], [0; 4]);
    assert!(counts[4..].iter().all(|count| (30..100).contains(count)), "{counts:?}");
}

backend_test!(cases);
