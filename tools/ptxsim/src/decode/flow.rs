//! Where lanes that part at a branch meet again: the branch's immediate post-dominator.

use crate::code::{END, Inst, Op};

/// Sets `meet` of every branch.
pub fn meetings(insts: &mut [Inst]) {
    // Blocks begin at the targets of branches and behind what leaves the straight way.
    let mut starts = vec![0u32];
    for (i, inst) in insts.iter().enumerate() {
        starts.extend(targets(inst));
        if matches!(inst.op, Op::Branch { .. } | Op::Switch(_) | Op::Ret | Op::Exit | Op::Trap) {
            starts.push(i as u32 + 1);
        }
    }
    starts.retain(|&s| (s as usize) < insts.len());
    starts.sort_unstable();
    starts.dedup();
    let block = |pc: u32| starts.partition_point(|&s| s <= pc) - 1;
    let exit = starts.len();
    let successors: Vec<Vec<usize>> = (0..exit)
        .map(|b| {
            let last = starts.get(b + 1).map_or(insts.len(), |&s| s as usize) - 1;
            let inst = &insts[last];
            let mut out: Vec<usize> = targets(inst).map(block).collect();
            let leaves = matches!(inst.op, Op::Ret | Op::Exit | Op::Trap);
            if leaves {
                out.push(exit);
            }
            let always = inst.guard == crate::code::ALWAYS;
            let falls = !(always && (leaves || matches!(inst.op, Op::Branch { .. } | Op::Switch(_))));
            if falls {
                out.push(if last + 1 < insts.len() { b + 1 } else { exit });
            }
            out
        })
        .collect();
    let dominators = post_dominators(&successors, exit);
    let meets: Vec<u32> = dominators.iter().map(|&d| starts.get(d).copied().unwrap_or(END)).collect();
    for i in 0..insts.len() {
        let joint = meets[block(i as u32)];
        match &mut insts[i].op {
            Op::Branch { meet, .. } => *meet = joint,
            Op::Switch(switch) => switch.meet = joint,
            _ => {}
        }
    }
}

fn targets(inst: &Inst) -> impl Iterator<Item = u32> + '_ {
    let (one, many): (Option<u32>, &[u32]) = match &inst.op {
        Op::Branch { target, .. } => (Some(*target), &[]),
        Op::Switch(switch) => (None, &switch.targets),
        _ => (None, &[]),
    };
    one.into_iter().chain(many.iter().copied())
}

/// Immediate post-dominators by Cooper, Harvey and Kennedy's iteration on the reversed graph; `exit` for blocks from which no way leads out.
fn post_dominators(successors: &[Vec<usize>], exit: usize) -> Vec<usize> {
    let mut predecessors = vec![Vec::new(); exit + 1];
    for (b, nexts) in successors.iter().enumerate() {
        for &next in nexts {
            predecessors[next].push(b);
        }
    }
    // Post-order of the reversed graph from the exit.
    let (mut order, mut number) = (Vec::new(), vec![usize::MAX; exit + 1]);
    let (mut stack, mut seen) = (vec![(exit, 0)], vec![false; exit + 1]);
    seen[exit] = true;
    while let Some((node, i)) = stack.pop() {
        if let Some(&next) = predecessors[node].get(i) {
            stack.push((node, i + 1));
            if !seen[next] {
                seen[next] = true;
                stack.push((next, 0));
            }
        } else {
            number[node] = order.len();
            order.push(node);
        }
    }
    let mut dominator = vec![usize::MAX; exit + 1];
    dominator[exit] = exit;
    let mut changed = true;
    while changed {
        changed = false;
        for &node in order.iter().rev().filter(|&&n| n != exit) {
            let mut best = usize::MAX;
            for &next in &successors[node] {
                if dominator[next] == usize::MAX {
                    continue;
                }
                if best == usize::MAX {
                    best = next;
                    continue;
                }
                let (mut a, mut b) = (best, next);
                while a != b {
                    while number[a] < number[b] {
                        a = dominator[a];
                    }
                    while number[b] < number[a] {
                        b = dominator[b];
                    }
                }
                best = a;
            }
            if best != usize::MAX && dominator[node] != best {
                dominator[node] = best;
                changed = true;
            }
        }
    }
    dominator.truncate(exit);
    dominator.into_iter().map(|d| if d == usize::MAX { exit } else { d }).collect()
}
