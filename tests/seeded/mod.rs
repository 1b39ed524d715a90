//! Whole networks of weights and pictures drawn by a seed: what can be proved on a machine that has no file of ours.
//!
//! `WARPFACE_SEEDED` names a folder: [`written_files_are_read_as_they_were`] leaves weights and pictures there, for the
//! program and for other implementations.

mod cascade;
mod network;
mod pictures;
mod weights;

use std::fs;
use std::path::Path;

use warpface::image::Rgb8;
use warpface::weights::{self as read, write};

/// Crops, small and large photographs in the folder.
const CROPS: usize = 32;
const SMALL: usize = 32;
const LARGE: usize = 4;

#[test]
fn written_files_are_read_as_they_were() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("WARPFACE_SEEDED").map_or(temporary.path().to_owned(), Into::into);
    fs::create_dir_all(&folder).unwrap();

    let network = weights::facenet();
    let file = folder.join("facenet.npz");
    write::npz(&file, &network.clone().folded().tensorflow().unwrap(), &read::ModelFacts::default(), false, &file)
        .unwrap();
    assert_eq!(read::embedding_network(&read::load(&file).unwrap()).unwrap(), network.fold());

    let tensors = weights::mtcnn();
    for (name, tensors) in ["pnet", "rnet", "onet"].iter().zip(&tensors) {
        write::torch(folder.join(format!("{name}.pt")), tensors, &read::ModelFacts::default()).unwrap();
    }
    let load = |name: &str| read::load(folder.join(name)).unwrap();
    let networks = weights::networks(&tensors);
    assert_eq!(read::pnet(&load("pnet.pt")).unwrap(), networks.0);
    assert_eq!(read::rnet(&load("rnet.pt")).unwrap(), networks.1);
    assert_eq!(read::onet(&load("onet.pt")).unwrap(), networks.2);

    save(&folder.join("crops"), pictures::many(CROPS, 160, 160));
    save(&folder.join("small"), pictures::many(SMALL, 250, 250));
    // Elsewhere nobody waits for megabytes that nobody looks at.
    let large = if std::env::var_os("WARPFACE_SEEDED").is_some() { LARGE } else { 1 };
    save(&folder.join("large"), pictures::many(large, 1920, 1080));
}

/// Pictures as files, and read back.
fn save(folder: &Path, pictures: Vec<Rgb8>) {
    fs::create_dir_all(folder).unwrap();
    for (i, picture) in pictures.iter().enumerate() {
        let path = folder.join(format!("{i:02}.ppm"));
        let mut bytes = format!("P6\n{} {}\n255\n", picture.width(), picture.height()).into_bytes();
        (0..picture.height()).for_each(|y| bytes.extend_from_slice(picture.row(y)));
        fs::write(&path, bytes).unwrap();
        let read = warpface::image::decode(&path).unwrap();
        assert!((0..picture.height()).all(|y| read.row(y) == picture.row(y)), "{}", path.display());
    }
}
