//! Clusters by each method: what they are, and that the order of the rows is nothing to them.

mod common;

use common::{Noise, devices};
use warpface::Device;
use warpface::face::Embeddings;
use warpface::vectors::cluster::{Agreement, ClusterOptions, Clusters, Linkage, Method, cluster};

const METHODS: [Method; 3] = [Method::ChineseWhispers, Method::Dbscan, Method::Agglomerative];

fn run(device: &Device, rows: &Embeddings, options: &ClusterOptions) -> Clusters {
    cluster(device, rows, options, &mut |_, _| ()).unwrap()
}

fn on_cpu(rows: &Embeddings, options: &ClusterOptions) -> Clusters {
    run(&Device::cpu(2).unwrap(), rows, options)
}

/// Rows around the axes, the same number around each, then as many by themselves; the first rows twice.
fn people(noise: &mut Noise, around: usize, people: usize) -> (Embeddings, Vec<usize>) {
    let dim = 2 * people;
    let (mut values, mut who) = (Vec::new(), Vec::new());
    for row in 0..around * people + people {
        let axis = if row < around * people { row % people } else { row - around * people + people };
        let own = values.len();
        values.extend(noise.tensor(&[dim], -0.12, 0.12).into_data());
        values[own + axis] += 1.0;
        who.push(axis);
    }
    values.extend_from_within(..dim * people);
    who.extend(0..people);
    (Embeddings::new(dim, values), who)
}

/// The rows in another order.
fn shuffled(noise: &mut Noise, rows: &Embeddings) -> (Embeddings, Vec<usize>) {
    let mut order: Vec<(u32, usize)> = (0..rows.len()).map(|row| ((noise.unit() * 1e6) as u32, row)).collect();
    order.sort_unstable();
    let order: Vec<usize> = order.into_iter().map(|(_, row)| row).collect();
    let values = order.iter().flat_map(|&row| rows.row(row)).copied().collect();
    (Embeddings::new(rows.dim(), values), order)
}

#[test]
fn people_are_found_and_strangers_stay_alone() {
    let mut noise = Noise::new(5);
    let (rows, who) = people(&mut noise, 9, 6);
    for method in METHODS {
        let clusters = on_cpu(&rows, &ClusterOptions::new(method, 1.0));
        assert_eq!((clusters.len(), clusters.noise().len()), (6, 6), "{method}");
        assert_eq!(Agreement::new(&clusters, &who).f1, 1.0, "{method}");
        assert!(clusters.members().iter().all(|rows| rows.len() == 10), "{method}");
        // They are too few, then.
        let few = ClusterOptions { min_faces: 11, ..ClusterOptions::new(method, 1.0) };
        assert_eq!((on_cpu(&rows, &few).len(), on_cpu(&rows, &few).noise().len()), (0, rows.len()), "{method}");
        let one = ClusterOptions { min_faces: 1, ..ClusterOptions::new(method, 1.0) };
        assert_eq!(on_cpu(&rows, &one).len(), 12, "{method}");
    }
}

/// Where clusters hang together loosely, many ways are possible; one is taken, whatever the order.
#[test]
fn the_order_of_rows_is_nothing_to_clusters() {
    let mut noise = Noise::new(6);
    // On a grid there are ties, and equal rows.
    let grid = noise.tensor(&[300, 3], -1.0, 1.0).into_data().into_iter().map(|x| (x * 5.0).round() / 5.0).collect();
    let grid = Embeddings::new(3, grid);
    for rows in [people(&mut noise, 9, 6).0, grid] {
        for method in METHODS {
            for threshold in [0.05, 0.1, 0.2, 0.8, 1.7] {
                let options =
                    ClusterOptions { neighbours: 6, min_faces: 3, seed: 4, ..ClusterOptions::new(method, threshold) };
                let first = on_cpu(&rows, &options);
                for _ in 0..5 {
                    let (others, order) = shuffled(&mut noise, &rows);
                    let clusters = on_cpu(&others, &options);
                    let same = order.iter().enumerate().all(|(row, &before)| clusters.of(row) == first.of(before));
                    assert!(same, "{method} at {threshold}");
                }
            }
        }
    }
}

#[test]
fn devices_find_the_same_clusters() {
    let (rows, _) = people(&mut Noise::new(7), 6, 5);
    let expected = METHODS.map(|method| on_cpu(&rows, &ClusterOptions::new(method, 0.5)));
    devices::each_and_simulated(|device| {
        for (method, expected) in METHODS.into_iter().zip(&expected) {
            assert_eq!(run(device, &rows, &ClusterOptions::new(method, 0.5)), *expected, "{method}");
        }
    });
}

/// What is no core goes to its nearest core's cluster, of equally near ones to the first by content; without a core near
/// by, to none.
#[test]
fn borders_go_to_the_nearest_core() {
    let line = |places: &[f32]| Embeddings::new(1, places.to_vec());
    let options = ClusterOptions { min_faces: 4, ..ClusterOptions::new(Method::Dbscan, 16.0) };
    let (low, high) = ([-1.0, 0.0, 1.0, 2.0], [10.0, 11.0, 12.0, 13.0]);
    let of_last = |place: f32| {
        let clusters = on_cpu(&line(&[&low[..], &high, &[place]].concat()), &options);
        assert_eq!((clusters.len(), clusters.of(0) == clusters.of(4)), (2, false), "{place}");
        (clusters.of(8) == clusters.of(0), clusters.of(8) == clusters.of(4))
    };
    assert_eq!(of_last(6.0), (true, false));
    assert_eq!(of_last(6.5), (false, true));
    assert_eq!(of_last(-4.5), (true, false));
    assert_eq!(of_last(17.5), (false, false));
    // Cores are joined by cores alone: 6 has three within reach, and joins nothing.
    let clusters = on_cpu(&line(&[&low[..], &high, &[6.0]].concat()), &options);
    assert_eq!(clusters.members()[0].len() + clusters.members()[1].len(), 9);
}

#[test]
fn linkages_differ() {
    // Steps of 1, 1.2 and 1.4: single linkage goes from one to the next.
    let rows = Embeddings::new(1, vec![0.0, 1.0, 2.2, 3.6]);
    let count = |linkage, threshold| {
        let options = ClusterOptions { linkage, min_faces: 1, ..ClusterOptions::new(Method::Agglomerative, threshold) };
        on_cpu(&rows, &options).len()
    };
    assert_eq!([1.1, 1.5, 2.0].map(|threshold| count(Linkage::Single, threshold)), [3, 2, 1]);
    // {0, 1} and {2.2, 3.6}: their distances are 4.84, 12.96, 1.44 and 6.76, 6.5 in the mean.
    assert_eq!([1.1, 2.0, 6.4, 6.6].map(|threshold| count(Linkage::Average, threshold)), [3, 2, 2, 1]);
    assert_eq!([2.0, 12.9, 13.0].map(|threshold| count(Linkage::Complete, threshold)), [2, 2, 1]);
}

#[test]
fn few_and_equal_rows_are_no_trouble() {
    for method in METHODS {
        let options = ClusterOptions::new(method, 0.5);
        let count = |rows: Embeddings| {
            let clusters = on_cpu(&rows, &options);
            (clusters.len(), clusters.noise().len())
        };
        assert_eq!(count(Embeddings::default()), (0, 0), "{method}");
        assert_eq!(count(Embeddings::new(2, vec![1.0, 0.0])), (0, 1), "{method}");
        assert_eq!(count(Embeddings::new(2, [[0.6, 0.8]; 500].concat())), (1, 0), "{method}");
    }
}

#[test]
fn what_cannot_be_clustered_is_named() {
    let device = Device::cpu(1).unwrap();
    let rows = Embeddings::new(1, vec![0.0, 1.0]);
    let error = |rows: &Embeddings, options: ClusterOptions| {
        cluster(&device, rows, &options, &mut |_, _| ()).unwrap_err().to_string()
    };
    for threshold in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let said = error(&rows, ClusterOptions::new(Method::Dbscan, threshold));
        assert!(said.contains("threshold") && said.contains("no distance"), "{said}");
    }
    let usual = || ClusterOptions::new(Method::ChineseWhispers, 0.5);
    assert!(error(&rows, ClusterOptions { min_faces: 0, ..usual() }).contains("min_faces"));
    assert!(error(&rows, ClusterOptions { neighbours: 0, ..usual() }).contains("neighbours"));
    for method in METHODS {
        let bad = Embeddings::new(2, vec![1.0, 0.0, 0.5, f32::NAN]);
        assert!(error(&bad, ClusterOptions::new(method, 0.5)).contains("row 1"), "{method}");
    }
    let many = Embeddings::new(1, vec![0.0; 10_001]);
    let said = error(&many, ClusterOptions::new(Method::Agglomerative, 0.5));
    assert!(["0.2 GB", "10001 faces", "chinese-whispers"].iter().all(|word| said.contains(word)), "{said}");
    assert!("dbscam".parse::<Method>().unwrap_err().to_string().contains("agglomerative"));
    assert!("ward".parse::<Linkage>().unwrap_err().to_string().contains("complete"));
}

#[test]
fn progress_ends_where_it_said() {
    let rows = Embeddings::new(1, (0..40).map(|x| x as f32).collect());
    for method in METHODS {
        let mut told = Vec::new();
        let options = ClusterOptions::new(method, 2.0);
        cluster(&Device::cpu(1).unwrap(), &rows, &options, &mut |done, of| told.push((done, of))).unwrap();
        assert!(told.is_sorted() && told.last().is_some_and(|(done, of)| done == of), "{method}: {told:?}");
    }
}

/// A photograph that is there several times makes no clusters of its own.
#[test]
fn copies_change_nothing() {
    let mut noise = Noise::new(8);
    let (rows, _) = people(&mut noise, 9, 6);
    let repeated = Embeddings::new(rows.dim(), rows.as_slice().repeat(3));
    for method in METHODS {
        let options = ClusterOptions { min_faces: 1, ..ClusterOptions::new(method, 1.0) };
        let (once, thrice) = (on_cpu(&rows, &options), on_cpu(&repeated, &options));
        assert_eq!(once.len(), thrice.len(), "{method}");
        let pairs = (0..repeated.len()).map(|row| (once.of(row % rows.len()), thrice.of(row)));
        let distinct: std::collections::BTreeSet<_> = pairs.collect();
        assert_eq!(distinct.len(), once.len(), "{method}");
    }
}
