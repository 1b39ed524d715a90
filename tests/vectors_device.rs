//! Neighbours by every device are those of the CPU's scan, to the bit.

mod common;

use common::{Noise, devices};
use warpface::Device;
use warpface::face::Embeddings;
use warpface::ops::RowStorage;
use warpface::vectors::search::{DeviceRows, Hit, Index, Neighbours, Storage, Table};

/// Rows in all of space, on a coarse grid with many equal distances, or of a few values with many equal rows.
fn rows(noise: &mut Noise, n: usize, dim: usize, grid: f32) -> Embeddings {
    let values = noise.tensor(&[n, dim], -1.0, 1.0).into_data();
    Embeddings::new(dim, values.into_iter().map(|x| if grid > 0.0 { (x / grid).round() * grid } else { x }).collect())
}

/// Bits, not values: what one device finds another finds.
fn bits(found: &[Vec<Hit>]) -> Vec<Vec<(usize, u32)>> {
    found.iter().map(|hits| hits.iter().map(|hit| (hit.row, hit.distance.to_bits())).collect()).collect()
}

#[test]
fn neighbours_are_the_same_on_every_device() {
    let mut noise = Noise::new(91);
    let cpu = Device::cpu(2).unwrap();
    devices::each_and_simulated(|device| {
        // The simulator takes its time.
        let many = if device.info().kind == "cuda" { 300 } else { 3000 };
        for (n, dim, grid, queries, k) in [
            (1, 1, 0.0, 1, 1),
            (many, 33, 0.0, 17, 10),
            (many, 7, 0.25, 20, 10),
            (200, 3, 1.0, 5, 4),
            (65, 128, 0.0, 3, 63),
            // More than a device is asked for.
            (100, 5, 0.0, 3, 80),
            (40, 6, 0.5, 2, 100),
        ] {
            let base = rows(&mut noise, n, dim, grid);
            let mut all = rows(&mut noise, queries, dim, grid);
            // A row of the base finds itself.
            all.append(Embeddings::new(dim, base.row(n / 2).to_vec()));
            let near = Neighbours::new(device, &base).unwrap();
            let found = near.nearest(&all, k).unwrap();
            let expected = Neighbours::new(&cpu, &base).unwrap().nearest(&all, k).unwrap();
            let what = format!("{}: {n} {dim} {grid} {k}", device.info().name);
            assert_eq!(bits(&found), bits(&expected), "{what}");
            assert_eq!(found[queries][0].distance, 0.0, "{what}");
            // One by one, and for fewer and for more than before.
            let one = Embeddings::new(dim, all.row(0).to_vec());
            for k in [1, k + 1] {
                let expected = Neighbours::new(&cpu, &base).unwrap().nearest(&one, k).unwrap();
                assert_eq!(bits(&near.nearest(&one, k).unwrap()), bits(&expected), "{what} at first");
            }
        }
    });
}

/// The device itself proves what is not ambiguous, in every storage.
#[test]
fn devices_prove_neighbours_in_every_storage() {
    let mut noise = Noise::new(92);
    let base = rows(&mut noise, 400, 21, 0.0);
    let queries = rows(&mut noise, 9, 21, 0.0);
    let expected = Neighbours::new(&Device::cpu(1).unwrap(), &base).unwrap().nearest(&queries, 4).unwrap();
    devices::each_and_simulated(|device| {
        for storage in [RowStorage::F32, RowStorage::F16, RowStorage::Int8] {
            let on_device = DeviceRows::upload(device, &base, storage, 4).unwrap();
            let found = on_device.nearest(&base, &queries, 4).unwrap();
            let proved: Vec<Vec<Hit>> = found.into_iter().map(|hits| hits.expect("these are far apart")).collect();
            assert_eq!(bits(&proved), bits(&expected), "{} {storage:?}", device.info().name);
        }
    });
}

/// An index lies on the device as it lies in its file.
#[test]
fn an_index_has_the_same_neighbours_on_every_device() {
    let mut noise = Noise::new(93);
    let base = rows(&mut noise, 300, 19, 0.0);
    let mut queries = rows(&mut noise, 6, 19, 0.0);
    queries.append(Embeddings::new(19, base.row(7).to_vec()));
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.npy");
    std::fs::write(&values, common::npz::npy(&base.rows().map(<[f32]>::to_vec).collect::<Vec<_>>())).unwrap();
    let table = Table::npy(&values).unwrap();
    let cpu = Device::cpu(1).unwrap();
    for storage in [Storage::F32, Storage::F16, Storage::Int8] {
        let path = folder.path().join(format!("{storage}.index"));
        Index::build(&path, &cpu, &table, storage).unwrap();
        let index = Index::open(&path).unwrap();
        let expected = index.neighbours(&cpu).unwrap().nearest(&queries, 5).unwrap();
        devices::each_and_simulated(|device| {
            let found = index.neighbours(device).unwrap().nearest(&queries, 5).unwrap();
            assert_eq!(bits(&found), bits(&expected), "{} {storage}", device.info().name);
        });
    }
}
