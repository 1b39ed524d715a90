//! The nearest of many vectors: one query, which reads them all once, and many, which are products.

mod common;

use common::{Bench, clock};
use warpface::Precision;
use warpface::face::Embeddings;
use warpface::random::Stream;
use warpface::vectors::search::{Index, Storage, Table};

/// Values of a vector.
const DIM: usize = 512;
/// How many of the nearest.
const K: usize = 10;

fn main() {
    common::main("search", |bench| {
        if bench.precision() == Precision::F32 {
            search(bench);
        }
    });
}

fn search(bench: &mut Bench) {
    let device = bench.device();
    let rows = if bench.is_slow() { 2_000 } else { 200_000 };
    let folder = tempfile::tempdir().expect("a folder for indexes");
    let (base, queries) = (Table::from(unit_vectors(1, rows)), unit_vectors(2, 1000));
    for storage in Storage::ALL {
        let path = folder.path().join(storage.to_string());
        Index::build(&path, &device, &base, storage).expect("room on the disk");
        let index = Index::open(&path).expect("it was just written");
        let near = index.neighbours(&device).expect("it was just written");
        let bytes = match storage {
            Storage::F32 => 4,
            Storage::F16 => 2,
            Storage::Int8 => 1,
        };
        for count in if bench.is_slow() { vec![1] } else { vec![1, 16, 1000] } {
            let some = Embeddings::new(DIM, queries.as_slice()[..count * DIM].to_vec());
            let work = bench.least((2 * rows * DIM * count) as u64, (rows * DIM * bytes) as u64);
            let name = format!("{rows} x {DIM} in {storage}, {count} at once");
            bench.case(&name, 1, Some(work), || clock(|| near.nearest(&some, K).expect("finite queries")));
        }
    }
}

fn unit_vectors(seed: u64, rows: usize) -> Embeddings {
    let mut values = Vec::with_capacity(rows * DIM);
    for row in 0..rows {
        let mut stream = Stream::new(seed, 0, row as u64);
        let vector: Vec<f32> = (0..DIM).map(|_| stream.uniform() - 0.5).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        values.extend(vector.iter().map(|x| x / length));
    }
    Embeddings::new(DIM, values)
}
