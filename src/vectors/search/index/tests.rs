use std::io;

use super::write::Disk;
use super::*;
use crate::face::Embeddings;
use crate::random::Stream;

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut stream = Stream::new(seed, 0, 0);
    (0..len).map(|_| stream.uniform() - 0.5).collect()
}

/// Rows named after their seed and number.
fn table(seed: u64, rows: usize, dim: usize) -> Table {
    let names = (0..rows).map(|row| format!("é{seed}/{row}")).collect();
    Table::from(Embeddings::new(dim, noise(seed, rows * dim))).with_names(names).unwrap()
}

fn device() -> Device {
    Device::cpu(2).unwrap()
}

/// Writes to a file's bytes, which are kept as they are after each write.
struct Steps {
    bytes: Vec<u8>,
    /// Where and what was written; none where the disk was waited for.
    steps: Vec<Option<(usize, Vec<u8>)>>,
}

impl Disk for Steps {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        put(&mut self.bytes, at as usize, bytes);
        self.steps.push(Some((at as usize, bytes.to_vec())));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.steps.push(None);
        Ok(())
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    file.resize(file.len().max(at + bytes.len()), 0);
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

#[test]
fn rows_and_names_come_back_whatever_the_storage() {
    let folder = tempfile::tempdir().unwrap();
    for storage in Storage::ALL {
        let path = folder.path().join(storage.to_string());
        let parts = [table(1, 300, 7), table(2, 1, 7), table(3, 40, 7)];
        Index::build(&path, &device(), &parts[0], storage).unwrap();
        assert_eq!(Index::add(&path, &device(), &parts[1]).unwrap(), 301);
        // Rows without names among others.
        let bare = Table::from(parts[2].rows(0..40));
        assert_eq!(Index::add(&path, &device(), &bare).unwrap(), 341);
        let index = Index::open(&path).unwrap();
        assert_eq!((index.len(), index.dim(), index.storage()), (341, 7, storage));
        let names = [0, 299, 300, 301, 341].map(|row| index.name(row));
        assert_eq!(names, [Some("é1/0"), Some("é1/299"), Some("é2/0"), None, None]);
        let mut all = Embeddings::default();
        parts.iter().for_each(|part| all.append(part.rows(0..part.len())));
        if storage == Storage::F16 {
            let round = |x: &f32| half::f16::from_f32(*x).to_f32();
            all = Embeddings::new(7, all.as_slice().iter().map(round).collect());
        }
        let queries = Embeddings::new(7, noise(4, 20 * 7));
        let expected = Neighbours::new(&device(), &all).unwrap().nearest(&queries, 9).unwrap();
        assert_eq!(index.neighbours(&device()).unwrap().nearest(&queries, 9).unwrap(), expected);
    }
}

/// An add that ends at any write, in the middle of it, or with later writes on the disk before earlier ones, leaves the old rows
/// or, from the last write on, the new ones.
#[test]
fn a_crash_in_add_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, crashed) = (folder.path().join("index"), folder.path().join("crashed"));
    Index::build(&path, &device(), &table(1, 5, 3), Storage::Int8).unwrap();
    Index::add(&path, &device(), &table(2, 4, 3)).unwrap();
    let old = std::fs::read(&path).unwrap();
    let head = Index::open(&path).unwrap().head;
    let (mut disk, host) = (Steps { bytes: old.clone(), steps: vec![] }, device().host().unwrap());
    Writer { disk: &mut disk, path: &path, host: &host }.append(&head, &table(3, 6, 3)).unwrap();
    let rows_of = |bytes: &[u8]| {
        std::fs::write(&crashed, bytes).unwrap();
        let index = Index::open(&crashed).unwrap();
        assert_eq!(index.name(8), Some("é2/3"));
        index.neighbours(&device()).unwrap();
        index.len()
    };
    let syncs: Vec<usize> = (0..disk.steps.len()).filter(|&i| disk.steps[i].is_none()).collect();
    let expected = [5, 3, 1].map(|back| disk.steps.len() - back);
    assert_eq!(syncs, expected, "each head block is written between two waits");
    let mut bytes = old.clone();
    for (i, step) in disk.steps.iter().enumerate() {
        let Some((at, written)) = step else { continue };
        for part in [0, 1, written.len() / 2, written.len() - 1] {
            let mut torn = bytes.clone();
            put(&mut torn, *at, &written[..part]);
            let rows = if i > syncs[1] { 15 } else { 9 };
            assert_eq!(rows_of(&torn), rows, "write {i} ends after {part} bytes");
        }
        put(&mut bytes, *at, written);
        assert_eq!(rows_of(&bytes), if i > syncs[0] { 15 } else { 9 });
        // This write alone, of those that nothing waited for.
        if i < syncs[0] {
            let mut alone = old.clone();
            put(&mut alone, *at, written);
            assert_eq!(rows_of(&alone), 9);
        }
    }
    assert_eq!(bytes, disk.bytes);
    // The next add overwrites what a crash left.
    std::fs::write(&crashed, [&old[..], &[7; 1000]].concat()).unwrap();
    assert_eq!(Index::add(&crashed, &device(), &table(3, 6, 3)).unwrap(), 15);
    assert_eq!(Index::open(&crashed).unwrap().name(14), Some("é3/5"));
    assert_eq!(std::fs::metadata(&crashed).unwrap().len() as usize, (old.len() + 1000).max(bytes.len()));
}

#[test]
fn an_index_cut_short_anywhere_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (path, cut) = (folder.path().join("index"), folder.path().join("cut"));
    Index::build(&path, &device(), &table(1, 3, 2), Storage::Int8).unwrap();
    Index::add(&path, &device(), &table(2, 2, 2)).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for len in (0..bytes.len()).step_by(13).chain([0, 15, 16, bytes.len() - 1]) {
        std::fs::write(&cut, &bytes[..len]).unwrap();
        let error = Index::open(&cut).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: ", cut.display())), "{len}: {error}");
        assert!(error.contains("cut short") || error.contains("no index"), "{len}: {error}");
        assert!(Index::add(&cut, &device(), &table(3, 2, 2)).is_err());
        assert_eq!(std::fs::metadata(&cut).unwrap().len(), len as u64);
    }
}

#[test]
fn what_is_no_index_or_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let failure = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Index::open(&path).unwrap_err().to_string()
    };
    assert!(failure(&[b'x'; 9000]).contains("no index"));
    Index::build(&path, &device(), &table(1, 3, 2), Storage::F32).unwrap();
    assert!(Index::is_one(&path).unwrap());
    let good = std::fs::read(&path).unwrap();
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    // The version of both blocks.
    let mut later = changed(16, 2);
    later[2048 + 16] = 2;
    assert!(failure(&later).contains("of version 2"));
    // The segment's header.
    let header = BODY as usize + 64;
    assert!(failure(&changed(header, 0)).contains("damaged"));
    assert!(failure(&changed(header + 8, 9)).contains("damaged"));
    std::fs::write(&path, &good).unwrap();
    let error = Index::add(&path, &device(), &table(1, 3, 4)).unwrap_err().to_string();
    assert!(error.contains("2 values") && error.contains("4"), "{error}");
    let bad = Table::from(Embeddings::new(2, vec![0.0, 1.0, f32::NAN, 0.0]));
    assert!(Index::add(&path, &device(), &bad).unwrap_err().to_string().contains("row 1"));
    assert_eq!(Index::open(&path).unwrap().len(), 3);
    let large = Table::from(Embeddings::new(2, vec![0.0, 1.0, 1e6, 0.0]));
    let error = Index::build(&path, &device(), &large, Storage::F16).unwrap_err().to_string();
    assert!(error.contains("row 1") && error.contains("f16"), "{error}");
    let far = Table::from(Embeddings::new(2, vec![1e19, 1e19]));
    assert!(Index::build(&path, &device(), &far, Storage::F32).unwrap_err().to_string().contains("row 0"));
    assert!(Index::build(&path, &device(), &Table::from(Embeddings::default()), Storage::F32).is_err());
    // What failed left what was there.
    assert_eq!(std::fs::read(&path).unwrap()[..HEAD_LEN], good[..HEAD_LEN]);
}

/// Any bytes changed anywhere: an error, or answers, and no panic.
#[test]
fn changed_bytes_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    Index::build(&path, &device(), &table(1, 20, 5), Storage::Int8).unwrap();
    Index::add(&path, &device(), &table(2, 20, 5)).unwrap();
    let (good, device, mut stream) = (std::fs::read(&path).unwrap(), device(), Stream::new(9, 0, 0));
    let queries = Embeddings::new(5, noise(3, 10 * 5));
    let mut opened = 0;
    for _ in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..1 + stream.below(4) {
            // Half of them where the structure is.
            let at = match stream.below(2) {
                0 => [0, 2048, BODY as usize][stream.below(3) as usize] + stream.below(150) as usize,
                _ => stream.below(bytes.len() as u64) as usize,
            };
            bytes[at] = stream.next_word() as u8;
        }
        std::fs::write(&path, &bytes).unwrap();
        let Ok(index) = Index::open(&path) else { continue };
        (0..index.len()).for_each(|row| drop(index.name(row).map(str::to_owned)));
        if let Ok(near) = index.neighbours(&device) {
            opened += usize::from(near.nearest(&queries, 3).is_ok());
        }
    }
    assert!(opened > 50, "{opened}");
}

#[test]
fn models_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let origin = |model: &str| Origin {
        model: model.into(),
        sha256: model.into(),
        dim: 2,
        standardize: "fixed".into(),
        align: "crop".into(),
    };
    let of = |model: &str| table(1, 3, 2).with_origin(Some(origin(model)));
    Index::build(&path, &device(), &of("a.pb"), Storage::F32).unwrap();
    assert_eq!(Index::open(&path).unwrap().origin(), Some(&origin("a.pb")));
    Index::add(&path, &device(), &of("a.pb")).unwrap();
    let error = Index::add(&path, &device(), &of("b.h5")).unwrap_err().to_string();
    assert!(error.contains("a.pb") && error.contains("b.h5"), "{error}");
    assert_eq!(Index::open(&path).unwrap().len(), 6);
}

/// Readers keep what they opened while rows are added by others, and a writer waits for none.
#[test]
fn adds_wait_for_each_other_and_readers_see_whole_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    Index::build(&path, &device(), &table(1, 10, 3), Storage::F32).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let path = &path;
            scope.spawn(move || {
                for i in 0..5 {
                    Index::add(path, &device(), &table(writer * 10 + i, 2, 3)).unwrap();
                }
            });
        }
        for _ in 0..20 {
            let index = Index::open(&path).unwrap();
            assert!(index.len().is_multiple_of(2) && index.name(index.len() - 1).is_some());
        }
    });
    assert_eq!(Index::open(&path).unwrap().len(), 40);
}

/// Either head block alone says how many rows there are, of an index that was built and of one that was added to; with one
/// damaged nothing is added before it is repaired, and then nothing is lost.
#[test]
fn a_damaged_head_block_loses_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    Index::build(&path, &device(), &table(1, 3, 2), Storage::F32).unwrap();
    check_heads(&path, 3);
    Index::add(&path, &device(), &table(2, 2, 2)).unwrap();
    check_heads(&path, 5);
}

/// Changes every byte of the head blocks of an index, one at a time, and the fields to large numbers.
fn check_heads(path: &Path, rows: usize) {
    let good = std::fs::read(path).unwrap();
    assert!(!Index::open(path).unwrap().damaged());
    let damage = |at: usize, len: usize, to: u64| {
        let mut bytes = good.clone();
        bytes[at..at + len].copy_from_slice(&to.to_le_bytes()[..len]);
        bytes
    };
    let heads = HEADS.map(|at| at as usize);
    let bytes = heads.iter().flat_map(|&at| at..at + HEAD_LEN).map(|at| damage(at, 1, u64::from(!good[at])));
    let fields = heads.iter().flat_map(|&at| (at + 24..at + 88).step_by(8)).map(|at| damage(at, 8, 1 << 63));
    for bytes in bytes.chain(fields) {
        std::fs::write(path, &bytes).unwrap();
        let index = Index::open(path).unwrap();
        assert!(index.damaged() && index.len() == rows && Index::is_one(path).unwrap());
        drop(index);
        let error = Index::add(path, &device(), &table(9, 1, 2)).unwrap_err().to_string();
        assert!(error.contains("index: ") && error.contains("repair"), "{error}");
        assert!(std::fs::read(path).unwrap() == bytes);
    }
    let bytes = damage(heads[1] + 30, 1, 255);
    std::fs::write(path, [&bytes[..], b"behind the end"].concat()).unwrap();
    assert!(Index::repair(path, &device(), |_| ()).unwrap());
    assert!(!Index::repair(path, &device(), |_| ()).unwrap());
    assert_eq!(Index::add(path, &device(), &table(9, 1, 2)).unwrap(), rows + 1);
    let (index, now) = (Index::open(path).unwrap(), std::fs::read(path).unwrap());
    assert!(!index.damaged() && index.name(rows) == Some("é9/0") && index.name(0) == Some("é1/0"));
    assert_eq!(now[BODY as usize..good.len()], good[BODY as usize..]);
    assert_eq!(&now[good.len()..good.len() + 14], b"behind the end");
    std::fs::write(path, &good).unwrap();
}

/// A head whose hash is right and whose numbers are not.
#[test]
fn heads_that_do_not_fit_the_rows_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    Index::build(&path, &device(), &table(1, 3, 2), Storage::F32).unwrap();
    let (good, head) = (std::fs::read(&path).unwrap(), Index::open(&path).unwrap().head);
    for wrong in [
        Head { rows: 0, ..head },
        Head { rows: 2, ..head },
        Head { rows: 1 << 63, ..head },
        Head { dim: 1 << 63, ..head },
        Head { end: 1 << 63, ..head },
        Head { last: 1 << 63, ..head },
        Head { last: 0, ..head },
        Head { json: 1 << 63, ..head },
    ] {
        let mut bytes = good.clone();
        put(&mut bytes, HEADS[Head::block(head.generation)] as usize, &wrong.bytes());
        std::fs::write(&path, &bytes).unwrap();
        let error = Index::open(&path).unwrap_err().to_string();
        assert!(error.contains("index: is "), "{wrong:?}: {error}");
    }
}

#[test]
fn rows_without_a_name_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let some = ["a", "", "-", "d", "-"].map(|name| (name != "-").then(|| name.to_owned()));
    let table = Table::from(Embeddings::new(1, noise(1, 5))).with_some_names(some.to_vec()).unwrap();
    Index::build(&path, &device(), &table, Storage::F32).unwrap();
    let index = Index::open(&path).unwrap();
    let names: Vec<_> = (0..6).map(|row| index.name(row)).collect();
    assert_eq!(names, [Some("a"), Some(""), None, Some("d"), None, None]);
}
