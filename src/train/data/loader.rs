//! Decodes and augments batches on all cores, ahead of training.
//!
//! Batches come in order, and their content does not depend on how many threads there are.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::image::decode;
use crate::random::{Stream, purpose};
use crate::train::augment::Augment;
use crate::train::dataset::Dataset;
use crate::train::sampler::Item;
use crate::{Error, Result};

/// A batch, ready for a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// `[n, image_size, image_size, 3]`.
    pub pixels: Vec<f32>,
    /// Each image's class, `[n]`.
    pub labels: Vec<u32>,
    /// Each image's number in the dataset, `[n]`: not the one asked for where that could not be decoded.
    pub images: Vec<usize>,
    /// Each image's file, `[n]`.
    pub paths: Vec<PathBuf>,
}

/// How much is done ahead.
#[derive(Clone, Copy, Debug)]
pub struct Workers {
    /// Decoding threads (default: one per core).
    pub threads: usize,
    /// Batches being made or waiting at one time (default 4); each takes memory.
    pub ahead: usize,
}

impl Default for Workers {
    fn default() -> Self {
        Workers { threads: thread::available_parallelism().map_or(1, |n| n.get()), ahead: 4 }
    }
}

/// Batches, one after the other; dropping it ends its threads.
///
/// An image that cannot be decoded is listed by [`bad_images`](Self::bad_images), and becomes what [`Instead`] says.
pub struct Loader {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    failed: bool,
}

/// What comes in the place of an image that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// The next one of its class that can (after the last comes the first): for training. A class without any is an
    /// error, after which nothing comes.
    Another,
    /// Zeros, under its own number: for what counts every image.
    Nothing,
}

struct Shared {
    dataset: Arc<Dataset>,
    instead: Instead,
    augment: Augment,
    seed: u64,
    ahead: usize,
    queue: Mutex<Queue>,
    /// Told when there may be work: a batch was taken, or all is to end.
    work: Condvar,
    /// Told when a batch is complete, or none will come.
    done: Condvar,
    /// Images that could not be decoded, and why.
    bad: Mutex<BTreeMap<usize, String>>,
}

struct Queue {
    source: Box<dyn Iterator<Item = Vec<Item>> + Send>,
    exhausted: bool,
    /// The batches being made, in order.
    open: VecDeque<Open>,
    stop: bool,
}

struct Open {
    items: Vec<Item>,
    /// How many images were given to a thread.
    claimed: usize,
    finished: usize,
    /// Behind a lock of its own: copies of many images must not wait for one another's batches.
    made: Arc<Mutex<Made>>,
}

#[derive(Default)]
struct Made {
    pixels: Vec<f32>,
    images: Vec<usize>,
    /// The first item that has one, whichever thread met its own first.
    problem: Option<(usize, Error)>,
}

impl Loader {
    /// Starts making `batches` of `dataset`'s images; each image's chance is `seed`'s at its epoch and position.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn new(
        dataset: Arc<Dataset>,
        augment: Augment,
        seed: u64,
        batches: impl Iterator<Item = Vec<Item>> + Send + 'static,
        workers: Workers,
    ) -> Result<Self> {
        Self::with(dataset, augment, seed, batches, workers, Instead::Another)
    }

    /// The same, with another answer to images that cannot be decoded.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(
        dataset: Arc<Dataset>,
        augment: Augment,
        seed: u64,
        batches: impl Iterator<Item = Vec<Item>> + Send + 'static,
        workers: Workers,
        instead: Instead,
    ) -> Result<Self> {
        let source = Box::new(batches.filter(|batch| !batch.is_empty()));
        let queue = Queue { source, exhausted: false, open: VecDeque::new(), stop: false };
        let shared = Arc::new(Shared {
            dataset,
            instead,
            augment,
            seed,
            ahead: workers.ahead.max(1),
            queue: Mutex::new(queue),
            work: Condvar::new(),
            done: Condvar::new(),
            bad: Mutex::default(),
        });
        // Built first, so that its drop ends the threads that were started before one was refused.
        let mut loader = Loader { shared, threads: Vec::new(), failed: false };
        for i in 0..workers.threads.max(1) {
            let shared = loader.shared.clone();
            let thread = thread::Builder::new().name(format!("decode-{i}")).spawn(move || shared.run());
            loader.threads.push(thread.map_err(|e| Error::invalid("decoding threads", format!("{e}; use fewer")))?);
        }
        Ok(loader)
    }

    /// The numbers of the images met so far that could not be decoded, in order.
    pub fn bad_numbers(&self) -> Vec<usize> {
        lock(&self.shared.bad).keys().copied().collect()
    }

    /// The images met so far that could not be decoded, each with the reason, in the dataset's order.
    pub fn bad_images(&self) -> Vec<String> {
        lock(&self.shared.bad).values().cloned().collect()
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    /// Waits for the next batch.
    fn next(&mut self) -> Option<Result<Batch>> {
        if self.failed {
            return None;
        }
        let shared = &self.shared;
        let ready = |queue: &mut Queue| match queue.open.front() {
            Some(open) => open.finished < open.items.len(),
            None => !queue.exhausted,
        };
        let mut queue = shared.done.wait_while(lock(&shared.queue), ready).unwrap_or_else(PoisonError::into_inner);
        let open = queue.open.pop_front()?;
        shared.work.notify_all();
        drop(queue);
        let made = std::mem::take(&mut *lock(&open.made));
        if let Some((_, problem)) = made.problem {
            self.failed = true;
            return Some(Err(problem));
        }
        let labels = made.images.iter().map(|&image| shared.dataset.class_of(image) as u32).collect();
        let paths = made.images.iter().map(|&image| shared.dataset.path(image)).collect();
        Some(Ok(Batch { pixels: made.pixels, labels, images: made.images, paths }))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        lock(&self.shared.queue).stop = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            // A thread has nothing to say here: its panics were turned into errors.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// A thread's life: image after image, until there is no more to do.
    fn run(&self) {
        let mut pixels = vec![0.0; self.pixels_each()];
        while let Some((item, i, made)) = self.claim() {
            let loaded = self.load(item, &mut pixels);
            let mut batch = lock(&made);
            match loaded {
                Ok(image) => {
                    batch.pixels[i * pixels.len()..][..pixels.len()].copy_from_slice(&pixels);
                    batch.images[i] = image;
                }
                Err(problem) if batch.problem.as_ref().is_none_or(|&(first, _)| i < first) => {
                    batch.problem = Some((i, problem));
                }
                Err(_) => {}
            }
            drop(batch);
            let mut queue = lock(&self.queue);
            // Batches before it may have been taken meanwhile, but not this one.
            if let Some(open) = queue.open.iter_mut().find(|open| Arc::ptr_eq(&open.made, &made)) {
                open.finished += 1;
                if open.finished == open.items.len() {
                    self.done.notify_all();
                }
            }
        }
    }

    fn pixels_each(&self) -> usize {
        self.augment.image_size * self.augment.image_size * 3
    }

    /// The next image to be made, its place in its batch, and the batch; opens a batch if there is room for one.
    fn claim(&self) -> Option<(Item, usize, Arc<Mutex<Made>>)> {
        let mut queue = lock(&self.queue);
        loop {
            if queue.stop {
                return None;
            }
            if let Some(open) = queue.open.iter_mut().find(|open| open.claimed < open.items.len()) {
                open.claimed += 1;
                let i = open.claimed - 1;
                return Some((open.items[i], i, open.made.clone()));
            }
            if queue.exhausted {
                return None;
            }
            if queue.open.len() >= self.ahead {
                queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            match queue.source.next() {
                Some(items) => {
                    let (pixels, images) = (vec![0.0; items.len() * self.pixels_each()], vec![0; items.len()]);
                    let made = Arc::new(Mutex::new(Made { pixels, images, problem: None }));
                    queue.open.push_back(Open { items, claimed: 0, finished: 0, made });
                }
                None => {
                    queue.exhausted = true;
                    self.done.notify_all();
                }
            }
            // Others that found nothing to do have it now, or can end.
            self.work.notify_all();
        }
    }

    /// Makes an item's pixels, or what comes [`Instead`]; tells which image it was.
    fn load(&self, item: Item, pixels: &mut [f32]) -> Result<usize> {
        let class = self.dataset.class_of(item.image);
        let images = self.dataset.images_of(class);
        for image in (item.image..images.end).chain(images.start..item.image) {
            if self.instead == Instead::Another && lock(&self.bad).contains_key(&image) {
                continue;
            }
            let mut random = Stream::at(self.seed, purpose::AUGMENT, item.epoch, item.position);
            let path = self.dataset.path(image);
            // A panic would leave the batch unfinished, and its reader waiting for ever.
            let work = || decode(&path).map(|photo| self.augment.apply(&photo, &mut random, pixels));
            match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(())) => return Ok(image),
                Ok(Err(problem)) => lock(&self.bad).insert(image, problem.to_string()),
                Err(_) => lock(&self.bad).insert(image, format!("{}: it could not be prepared", path.display())),
            };
            if self.instead == Instead::Nothing {
                pixels.fill(0.0);
                return Ok(image);
            }
        }
        let person = self.dataset.dir().join(&self.dataset.people()[class].name);
        let bad = lock(&self.bad);
        let first = bad.range(images.clone()).next().map_or("", |(_, problem)| problem);
        let problem = format!(
            "none of its {} images can be decoded; fetch them again, or take the folder out (the first: {first})",
            images.len()
        );
        Err(Error::data(&person, problem))
    }
}

/// The content, also of a lock that a panic left: nothing here is half done while a lock is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::image::{Rgb8, encode_jpeg, save_png};
    use crate::ops::Standardize;
    use crate::train::sampler::Shuffled;

    /// Five people, four photographs each: JPEG and PNG under any suffix, each of its own grey.
    fn faces() -> (tempfile::TempDir, Arc<Dataset>) {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..20 {
            let folder = dir.path().join(format!("p{}", i / 4));
            fs::create_dir_all(&folder).unwrap();
            let photo = Rgb8::new(12, 12, (0..432).map(|x| (x % 40 + i * 10) as u8).collect());
            let path = folder.join(format!("{}.jpg", i % 4));
            match i % 2 {
                0 => fs::write(path, encode_jpeg(&photo, 90).unwrap()).unwrap(),
                _ => save_png(&path, &photo).unwrap(),
            }
        }
        let dataset = Dataset::open(dir.path()).unwrap();
        (dir, Arc::new(dataset))
    }

    fn augment() -> Augment {
        Augment { random_crop: true, random_flip: true, random_rotate: true, ..Augment::plain(10, Standardize::Fixed) }
    }

    fn load(
        set: &Arc<Dataset>,
        threads: usize,
        ahead: usize,
        from: u64,
        n: usize,
    ) -> (Vec<Result<Batch>>, Vec<String>) {
        let batches = Shuffled::new(3, set.images(), 6, 4).unwrap().batches(from).take(n);
        let mut loader = Loader::new(set.clone(), augment(), 3, batches, Workers { threads, ahead }).unwrap();
        let batches = loader.by_ref().collect();
        (batches, loader.bad_images())
    }

    fn good((batches, bad): (Vec<Result<Batch>>, Vec<String>)) -> Vec<Batch> {
        assert!(bad.is_empty(), "{bad:?}");
        batches.into_iter().map(|batch| batch.unwrap()).collect()
    }

    #[test]
    fn where_every_image_counts_none_takes_anothers_place() {
        let (dir, set) = faces();
        // All of a person's, and one of another's.
        for name in ["p1/0.jpg", "p1/1.jpg", "p1/2.jpg", "p1/3.jpg", "p3/2.jpg"] {
            fs::write(dir.path().join(name), b"no picture").unwrap();
        }
        let batches = crate::train::sampler::in_order(set.images(), 8);
        let workers = Workers { threads: 2, ahead: 2 };
        let mut loader = Loader::with(set.clone(), augment(), 3, batches, workers, Instead::Nothing).unwrap();
        let batches: Vec<Batch> = loader.by_ref().map(Result::unwrap).collect();
        let images: Vec<usize> = batches.iter().flat_map(|batch| batch.images.clone()).collect();
        assert_eq!(images, (0..20).collect::<Vec<_>>());
        assert_eq!(loader.bad_numbers(), [4, 5, 6, 7, 14]);
        let each = batches[0].pixels.len() / 8;
        assert!(batches[0].pixels[4 * each..].iter().all(|&x| x == 0.0));
        assert!(batches[0].pixels[..each].iter().any(|&x| x != 0.0));
    }

    #[test]
    fn batches_come_in_order_whatever_the_threads() {
        let (_dir, set) = faces();
        let one = good(load(&set, 1, 1, 0, 12));
        assert_eq!(one.len(), 12);
        let items: Vec<Vec<Item>> = Shuffled::new(3, 20, 6, 4).unwrap().batches(0).take(12).collect();
        for (batch, items) in one.iter().zip(&items) {
            assert_eq!(batch.images, items.iter().map(|item| item.image).collect::<Vec<_>>());
            assert_eq!(batch.labels, batch.images.iter().map(|&i| i as u32 / 4).collect::<Vec<_>>());
            assert_eq!((batch.pixels.len(), &batch.paths[0]), (6 * 300, &set.path(batch.images[0])));
        }
        assert!(good(load(&set, 7, 3, 0, 12)) == one);
        // Resumed in the middle.
        assert!(good(load(&set, 2, 5, 5, 7)) == one[5..]);
    }

    #[test]
    fn an_images_chance_is_its_epochs_and_positions() {
        let (_dir, set) = faces();
        let items: Vec<Item> = (0..8).map(|i| Item { image: 6, epoch: i / 4, position: i % 4 }).collect();
        fs::write(set.path(6), "no picture: the next one, 7, takes its chance").unwrap();
        let batches = vec![items.clone()].into_iter();
        let batch = Loader::new(set.clone(), augment(), 3, batches, Workers::default()).unwrap().next().unwrap();
        let photo = decode(set.path(7)).unwrap();
        let pixels = batch.unwrap().pixels;
        let images: Vec<&[f32]> = pixels.chunks(300).collect();
        for (item, image) in items.iter().zip(&images) {
            let mut expected = vec![0.0; 300];
            let mut random = Stream::at(3, purpose::AUGMENT, item.epoch, item.position);
            augment().apply(&photo, &mut random, &mut expected);
            assert!(*image == expected, "{item:?}");
        }
        assert!(images[0] != images[1] && images[0] != images[4]);
    }

    #[test]
    fn corrupt_images_are_replaced_and_listed() {
        let (_dir, set) = faces();
        let clean = good(load(&set, 2, 2, 0, 10));
        fs::write(set.path(3), "no picture").unwrap();
        let bytes = fs::read(set.path(4)).unwrap();
        fs::write(set.path(4), &bytes[..bytes.len() / 2]).unwrap();
        let (batches, bad) = load(&set, 3, 2, 0, 10);
        for (batch, clean) in batches.iter().map(|batch| batch.as_ref().unwrap()).zip(&clean) {
            // The last image of its class gives way to the first.
            let expected = |&image: &usize| [0, 1, 2, 0, 5].get(image).copied().unwrap_or(image);
            assert_eq!(batch.images, clean.images.iter().map(expected).collect::<Vec<_>>());
            assert_eq!(batch.labels, clean.labels);
        }
        assert_eq!(bad.len(), 2);
        assert!(bad[0].contains("p0/3.jpg") && bad[1].contains("p1/0.jpg"), "{bad:?}");
    }

    #[test]
    fn a_class_without_any_image_is_an_error_and_ends_it() {
        let (_dir, set) = faces();
        (8..12).for_each(|image| fs::write(set.path(image), "").unwrap());
        let (batches, bad) = load(&set, 2, 2, 0, 10);
        let message = batches.last().unwrap().as_ref().unwrap_err().to_string();
        assert!(message.contains("p2: none of its 4 images can be decoded"), "{message}");
        assert!(message.contains("p2/0.jpg: the file is empty"), "{message}");
        assert!(batches.len() < 10 && bad.len() == 4, "{} {bad:?}", batches.len());
    }

    #[test]
    fn no_more_is_done_ahead_than_asked_for_and_dropping_ends_it() {
        let (_dir, set) = faces();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let endless = Shuffled::new(3, 20, 4, 4).unwrap().batches(0).inspect(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let mut loader = Loader::new(set, augment(), 1, endless, Workers { threads: 4, ahead: 3 }).unwrap();
        loader.next().unwrap().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(asked.load(Ordering::SeqCst), 4);
        drop(loader);
    }

    #[test]
    fn no_batches_end_at_once() {
        let (_dir, set) = faces();
        let mut loader = Loader::new(set, augment(), 1, vec![vec![]].into_iter(), Workers::default()).unwrap();
        assert!(loader.next().is_none() && loader.next().is_none());
    }
}
