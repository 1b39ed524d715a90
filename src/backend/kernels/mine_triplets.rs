//! One thread a pair.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::{MineTriplets, Mining};

fields! {
    Params { m: u32, mode: u32, margin: f32, seed_low: u32, seed_high: u32, purpose: u32 }
}

impl Lower for MineTriplets {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let m = step.output.shape.last();
        let params = Params {
            m: m as u32,
            mode: match self.mode {
                Mining::Random => 0,
                Mining::SemiHard => 1,
                Mining::Hard => 2,
                Mining::Vgg => 3,
            },
            margin: self.margin,
            seed_low: self.seed as u32,
            seed_high: (self.seed >> 32) as u32,
            purpose: crate::random::purpose::MINING,
        };
        let groups = match tuning.cuda() {
            // Blocks in the second dimension.
            true if m > 65_535 => return Err(format!("{m} rows are too many; use a smaller batch")),
            true => [m.div_ceil(256) as u32, m as u32, 1],
            false => tuning.threads(m * m)?,
        };
        Ok(vec![call::<Self>("mine_triplets_fwd", params, operands(step), groups)])
    }
}
