//! A warp that waits for an mbarrier in a loop, while it is profiled.
//!
//! The hardware lets the warp sleep in `mbarrier.try_wait`; here it goes round its loop until the answer is yes. How often is
//! a matter of the simulator's turns, so the rounds are not counted: from an answer of no to the same instruction again.

use super::run::{Trapped, next, run};
use super::{Cx, Step};

/// A loop around a wait is shorter than this; what is longer is work that a kernel does meanwhile, and counts.
const ROUND: usize = 64;

/// A warp that was told no: the function and the instruction that asked.
pub type Asked = Option<(usize, u32)>;

/// Goes on with a warp, one instruction at a time until it has asked again, or does something else.
pub fn resume(cx: &mut Cx, counts: &mut [Vec<u64>], budget: &mut u64, asked: &mut Asked) -> Result<Step, Trapped> {
    let mut round = Vec::new();
    while let Some(place) = *asked {
        let Some(at) = next(cx) else { break };
        let step = run(cx, counts, budget, 1)?;
        round.push(at);
        if at == place {
            round.iter().for_each(|&(function, pc)| counts[function][pc as usize] -= 1);
            round.clear();
            if step == Step::Pause {
                return Ok(step);
            }
            *asked = None;
        }
        if round.len() > ROUND || step != Step::Next {
            *asked = None;
            return Ok(step);
        }
    }
    *asked = None;
    run(cx, counts, budget, super::run::SLICE)
}

/// The instruction that a warp has just executed, when it was told no.
pub fn asked(cx: &Cx) -> Asked {
    let function = cx.warp.frames.last()?.function;
    Some((function, cx.warp.paths.last()?.pc.checked_sub(1)?))
}
