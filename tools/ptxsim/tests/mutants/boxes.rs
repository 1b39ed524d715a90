//! Non-maximum suppression: warps speak through global memory.

use super::*;

/// Boxes of which many overlap: `x1 y1 x2 y2 score`.
fn boxes(n: usize) -> Vec<[f32; 5]> {
    let (place, score) = (whole(2 * n, 13, 0, 99), whole(n, 14, 0, 49));
    (0..n).map(|i| [place[2 * i], place[2 * i + 1], place[2 * i] + 20.0, place[2 * i + 1] + 30.0, score[i]]).collect()
}

/// The kept rows, best first.
fn kept(boxes: &[[f32; 5]], threshold: f32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| boxes[b][4].total_cmp(&boxes[a][4]).then(b.cmp(&a)));
    let mut kept = Vec::<usize>::new();
    for i in order {
        let overlaps = |&j: &usize| {
            let (a, b) = (boxes[i], boxes[j]);
            let side = |k: usize| (a[k + 2].min(b[k + 2]) - a[k].max(b[k]) + 1.0).max(0.0);
            let area = |b: [f32; 5]| (b[2] - b[0] + 1.0) * (b[3] - b[1] + 1.0);
            let both = side(0) * side(1);
            both / (area(a) + area(b) - both) > threshold
        };
        if !kept.iter().any(overlaps) {
            kept.push(i);
        }
    }
    kept
}

fn nms_bench(bench: &mut Bench) -> Vec<Output> {
    bench.aligned(&params(&[303, 0.5f32.to_bits(), 0]), 8);
    bench.input(boxes(303).as_flattened());
    let y = bench.output::<f32>(303);
    bench.output::<u32>(606);
    vec![(y, 1212)]
}

#[test]
fn nms() {
    let kernel = Kernel::new("nms.compute_75", "nms_fwd_f32", [1; 3], nms_bench);
    kernel.without_barriers(&[RACE; 4]);
    let results = kernel.with_bugs::<f32>(&[
        less("bar.sync", Every(&[RACE, MEMORY, MEMORY, RACE])),
        change("one box too many", "setp.ge.u32", "ge", "gt", Every(&[BOUNDS; 3])),
        change("four bytes on", "st.shared.f32", "]", "+4]", Of(&[(0, BOUNDS)])),
        change("four bytes on", "ld.shared.f32", "]", "+4]", Of(&[(0, RACE)])),
        change("equal scores", "setp.gt.f32", "gt", "ge", Every(&[RACE; 7])),
        less("st.global.u32", Of(&[(0, MEMORY), (1, MEMORY), (2, Wrong)])),
    ]);
    let boxes = boxes(303);
    let mut expected: Vec<f32> = kept(&boxes, 0.5).into_iter().map(|i| i as f32).collect();
    expected.resize(303, -1.0);
    results.inspect(|y| assert_eq!(*y, expected));
}

const LISTS: [usize; 2] = [303, 7];

fn suppress_bench(bench: &mut Bench) -> Vec<Output> {
    let slots = 320;
    bench.aligned(&params(&[2, 5, 0, slots as u32]), 8);
    bench.input(&[0u32, 310, 310, 10]);
    bench.input(&LISTS.map(|n| n as u32));
    // Slots that belong to no list are not initialised.
    let all = bench.output::<[u32; 16]>(slots);
    for (first, n) in [(0, LISTS[0]), (310, LISTS[1])] {
        for (i, b) in boxes(n).iter().enumerate() {
            let mut slot = [0u32; 16];
            (0..4).for_each(|k| slot[k] = b[k] as u32);
            (slot[12], slot[13]) = (b[4].to_bits(), i as u32);
            bench.machine.write(all + 64 * (first + i) as u64, bytemuck::cast_slice(&slot)).unwrap();
        }
    }
    bench.output::<u32>(2 * slots);
    let kept = bench.output::<u32>(slots);
    let counts = bench.output::<u32>(2);
    vec![(kept, 4 * slots), (counts, 8)]
}

#[test]
fn suppress() {
    let kernel = Kernel::new("cascade/suppress.compute_75", "suppress_f32", [2, 1, 1], suppress_bench);
    kernel.without_barriers(&[RACE; 4]);
    let results = kernel.with_bugs::<u32>(&[
        less("bar.sync", Every(&[RACE, MEMORY, MEMORY, RACE])),
        change("one box too many", "setp.ge.u32", "ge", "gt", Every(&[MEMORY; 3])),
        change("four bytes on", "st.shared.u32", "]", "+4]", Of(&[(0, RACE)])),
        less("st.shared.u32", Of(&[(0, MEMORY), (1, MEMORY)])),
        less("st.global.u32", Of(&[(0, MEMORY), (1, MEMORY), (2, Wrong)])),
    ]);
    results.inspect(|words| {
        for (list, first) in [0, 310].into_iter().enumerate() {
            let expected: Vec<u32> = kept(&boxes(LISTS[list]), 0.5).into_iter().map(|i| (first + i) as u32).collect();
            assert_eq!(words[first..][..words[320 + list] as usize], expected);
        }
    });
}
