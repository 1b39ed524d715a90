use crate::Case;
use crate::common::Noise;
use warpface::Tensor;
use warpface::ops::{Nms, Overlap};

/// Boxes in a few heaps; every fifth score is shared with others.
fn boxes(n: usize) -> Tensor {
    let mut noise = Noise::new(14);
    let rows = (0..n).flat_map(|i| {
        let (x, y) = ((i % 4) as f32 * 60.0 + 20.0 * noise.unit(), 20.0 * noise.unit());
        let score = if i % 5 == 0 { 0.75 } else { noise.unit() };
        [x, y, x + 30.0 + 10.0 * noise.unit(), y + 30.0 + 10.0 * noise.unit(), score]
    });
    let data = rows.collect();
    Tensor::new([n, 5], data)
}

/// The same boxes, all of one score.
fn ties(n: usize) -> Tensor {
    let mut data = boxes(n).into_data();
    data.chunks_exact_mut(5).for_each(|row| row[4] = 0.5);
    Tensor::new([n, 5], data)
}

fn cases() -> Vec<Case> {
    let nms = Nms { threshold: 0.5, overlap: Overlap::Union };
    let mut cases = vec![Case::new("equal scores", nms, vec![ties(130)])];
    for overlap in [Overlap::Union, Overlap::Min] {
        for n in [1, 2, 63, 64, 65, 500] {
            for threshold in [0.5, 0.7] {
                cases.push(Case::new(
                    format!("{overlap:?} {threshold} {n}"),
                    Nms { threshold, overlap },
                    vec![boxes(n)],
                ));
            }
        }
    }
    cases
}

backend_test!(cases);
