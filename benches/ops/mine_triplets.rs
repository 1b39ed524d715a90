use crate::{Bench, labels, one, op_in_f32, x};
use warpface::ops::{MineTriplets, Mining};

pub fn cases(bench: &mut Bench) {
    // 45 people with 40 photographs each, as train_tripletloss.py samples them.
    for mode in [Mining::Random, Mining::SemiHard, Mining::Hard, Mining::Vgg] {
        let inputs = vec![x([1800, 1800]), labels(1800, 45), one(1.0)];
        op_in_f32(bench, &format!("{mode:?}, 1,800"), MineTriplets { mode, margin: 0.2, seed: 1 }, inputs);
    }
}
