use crate::Case;
use crate::common::Noise;
use warpface::ops::{NearestRows, RowStorage};
use warpface::{Graph, Tensor};

/// Rows on a coarse grid: distances are exact, and many are equal. An element of each row makes the unit of int8 exact.
fn grid(noise: &mut Noise, rows: usize, d: usize) -> Tensor {
    let mut x = noise.tensor(&[rows, d], -4.0, 4.0);
    for row in x.data_mut().chunks_exact_mut(d) {
        row.iter_mut().for_each(|x| *x = x.floor() / 4.0);
        row[d / 2] = 127.0 / 64.0 * row[d / 2].signum();
    }
    x
}

fn labels(noise: &mut Noise, rows: usize, people: usize) -> Tensor {
    Tensor::new([rows], (0..rows).map(|_| (noise.unit() * people as f32).floor()).collect())
}

const F32: RowStorage = RowStorage::F32;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(44);
    let mut case = |m: usize, n: usize, d: usize, people: usize, k: usize| {
        let (x, y) = (grid(&mut noise, m, d), grid(&mut noise, n, d));
        let (of_x, of_y) = (labels(&mut noise, m, people), labels(&mut noise, n, people));
        let name = format!("{m} {n} {d} {people} {k}");
        let others = NearestRows { k, others: true, storage: F32 };
        let of = |storage| {
            let nearest = NearestRows { k, others: false, storage };
            let case = Case::new(format!("{name} {storage:?}"), nearest, vec![x.clone(), y.clone()]);
            if storage == F32 { case.constants(1..2) } else { case.fixed(1..2) }
        };
        let all = [of(F32), of(RowStorage::F16), of(RowStorage::Int8)];
        [Case::new(name.clone(), others, vec![x.clone(), of_x, y.clone(), of_y])].into_iter().chain(all)
    };
    let sizes = [
        (1, 1, 1, 1, 1),
        (1, 1, 1, 9, 3),
        (5, 3, 7, 2, 16),
        (3, 0, 4, 2, 2),
        (17, 130, 33, 4, 5),
        (65, 64, 16, 3, 16),
        // Lists of more entries than lanes, and the longest.
        (4, 300, 5, 2, 33),
        (20, 200, 6, 2, 64),
        // More than one block of rows.
        (3, 2500, 3, 5, 8),
    ];
    let mut cases: Vec<Case> = sizes.into_iter().flat_map(|(m, n, d, people, k)| case(m, n, d, people, k)).collect();
    for storage in [F32, RowStorage::F16, RowStorage::Int8] {
        let mut far = grid(&mut noise, 6, 2);
        far.data_mut()[..4].copy_from_slice(&[f32::NAN, 0.0, f32::INFINITY, 0.0]);
        let nearest = NearestRows { k: 6, others: false, storage };
        cases
            .push(Case::new(format!("not finite {storage:?}"), nearest, vec![grid(&mut noise, 2, 2), far]).fixed(1..2));
    }
    cases
}

backend_test!(cases);

/// What is computed is not packed: that is said, not rounded on the way.
#[test]
fn rows_that_are_no_constant_stay_in_f32() {
    let device = crate::common::simulated::device((7, 5));
    let mut graph = Graph::new();
    let inputs = [graph.input("x"), graph.input("y")];
    let nearest = graph.op("nearest", NearestRows { k: 1, others: false, storage: RowStorage::F16 }, &inputs);
    graph.output(nearest);
    let module = device.backend().load(graph.into()).unwrap();
    let planned = module.plan(&[[1, 4].into(), [3, 4].into()]);
    let error = planned.err().expect("y is no constant").to_string();
    assert!(error.contains("only as a constant"), "{error}");
}
