//! Who is trained on: a folder per person, class numbers by sorted name, and what is left out of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Field;
use crate::eval::{Person, list_people};
use crate::random::{Stream, purpose};
use crate::{Error, Result};

/// The photographs of some people. A person's class is their place in the order of names; an image's number counts
/// through the classes, each class's photographs in the order they are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    dir: PathBuf,
    people: Vec<Person>,
    /// The number of each class's first image, and the number of all images.
    starts: Vec<usize>,
    dropped: Vec<Dropped>,
}

/// Photographs or a person left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The person, or `person/photograph`.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Dropped {
    /// What a walk through `dir` left out.
    fn of(dir: &Path, error: Error) -> Self {
        let inside = |path: &Path| path.strip_prefix(dir).unwrap_or(path).display().to_string();
        match &error {
            Error::Image { path, problem } => Dropped { name: inside(path), reason: problem.to_string() },
            Error::Io { path, source, .. } => Dropped { name: inside(path), reason: source.to_string() },
            _ => Dropped { name: dir.display().to_string(), reason: error.to_string() },
        }
    }
}

impl Dataset {
    /// The [`people`](crate::image::people) of a folder; what is in no person's folder counts as dropped.
    ///
    /// # Errors
    /// A folder that cannot be read, or without a person in it.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let (people, left_out) = list_people(dir)?;
        let mut all = Self::new(dir, people)?;
        all.dropped = left_out.into_iter().map(|error| Dropped::of(dir, error)).collect();
        Ok(all)
    }

    /// These people, whose folders lie in `dir`.
    ///
    /// # Errors
    /// Nobody, or a person without photographs.
    pub fn new(dir: impl AsRef<Path>, people: Vec<Person>) -> Result<Self> {
        let dir = dir.as_ref();
        if people.is_empty() {
            let problem = "no people are in it: a folder for each person is expected, with their photographs inside";
            return Err(Error::data(dir, problem));
        }
        if let Some(person) = people.iter().find(|person| person.photos.is_empty()) {
            return Err(Error::data(&dir.join(&person.name), "no photographs are in it"));
        }
        Ok(Self::of(dir, people, Vec::new()))
    }

    fn of(dir: &Path, people: Vec<Person>, dropped: Vec<Dropped>) -> Self {
        let mut starts = vec![0];
        starts.extend(people.iter().scan(0, |images, person| {
            *images += person.photos.len();
            Some(*images)
        }));
        Dataset { dir: dir.to_owned(), people, starts, dropped }
    }

    /// `people`, with what this dataset lacked already and `dropped` as left out.
    fn derive(&self, people: Vec<Person>, dropped: Vec<Dropped>, what: &str) -> Result<Self> {
        if people.is_empty() {
            let problem = format!("{what} leaves nobody of {} people; ask for less", self.classes());
            return Err(Error::data(&self.dir, problem));
        }
        Ok(Self::of(&self.dir, people, [self.dropped.clone(), dropped].concat()))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The people, by class.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// How many people there are.
    pub fn classes(&self) -> usize {
        self.people.len()
    }

    /// How many images there are.
    pub fn images(&self) -> usize {
        self.starts[self.classes()]
    }

    /// SHA-256 of the names of people and photographs, in order: equal where training meets the same images.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for person in &self.people {
            hash.update(format!("{}\n", person.name));
            person.photos.iter().for_each(|photo| hash.update(format!("\t{photo}\n")));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What was left out so far, and why.
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// The numbers of a class's images.
    pub fn images_of(&self, class: usize) -> std::ops::Range<usize> {
        self.starts[class]..self.starts[class + 1]
    }

    /// The class of image `image`.
    pub fn class_of(&self, image: usize) -> usize {
        self.starts.partition_point(|&start| start <= image) - 1
    }

    /// The file of image `image`.
    pub fn path(&self, image: usize) -> PathBuf {
        let class = self.class_of(image);
        let person = &self.people[class];
        self.dir.join(&person.name).join(&person.photos[image - self.starts[class]])
    }

    /// The class of every image.
    pub fn labels(&self) -> Vec<u32> {
        (0..self.classes()).flat_map(|class| vec![class as u32; self.images_of(class).len()]).collect()
    }

    /// Makes sure that everybody has `least` photographs, which `what` needs.
    ///
    /// # Errors
    /// It names those who have fewer.
    pub fn require_images(&self, least: usize, what: &str) -> Result<()> {
        let few: Vec<&str> = self.people.iter().filter(|p| p.photos.len() < least).map(|p| p.name.as_str()).collect();
        if few.is_empty() {
            return Ok(());
        }
        let more = if few.len() > 5 { format!(" and {} more", few.len() - 5) } else { String::new() };
        let problem = format!(
            "{what} needs {least} images of each person, and {}{more} {} fewer; add images, take the folders out, or \
             filter by a minimum of images per class",
            few[..few.len().min(5)].join(", "),
            if few.len() == 1 { "has" } else { "have" }
        );
        Err(Error::data(&self.dir, problem))
    }

    /// Only the people with at least `least` photographs.
    ///
    /// # Errors
    /// If nobody has as many.
    pub fn at_least(&self, least: usize) -> Result<Self> {
        let (people, small): (Vec<_>, Vec<_>) = self.people.iter().cloned().partition(|p| p.photos.len() >= least);
        let dropped = small.iter().map(|person| too_few(person, person.photos.len(), least)).collect();
        self.derive(people, dropped, &format!("a minimum of {least} images per class"))
    }

    /// Splits every person's photographs in training and validation (`facenet.split_dataset` with `SPLIT_IMAGES`):
    /// `floor(n * (1 - ratio))` of `n` shuffled photographs, `n - 1` at most, are for training. People with fewer than
    /// `least` training photographs (the original's `min_nrof_val_images_per_class`, whatever its name says) are left
    /// out of both. Classes are numbered alike in the two.
    ///
    /// # Errors
    /// A ratio outside (0, 1), or nobody left.
    pub fn split_images(&self, seed: u64, ratio: f64, least: usize) -> Result<(Self, Self)> {
        if !(ratio > 0.0 && ratio < 1.0) {
            let problem = "it must lie between 0 and 1, such as 0.05 (0 means no validation set)";
            return Err(Error::invalid(Field("validation_set_split_ratio"), format!("{ratio}: {problem}")));
        }
        let (mut train, mut validation, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
        for (class, person) in self.people.iter().enumerate() {
            let mut photos = person.photos.clone();
            Stream::new(seed, purpose::SPLIT, class as u64).shuffle(&mut photos);
            let kept = ((photos.len() as f64 * (1.0 - ratio)).floor() as usize).min(photos.len() - 1);
            if kept < least.max(1) {
                dropped.push(too_few(person, kept, least.max(1)));
                continue;
            }
            let held = photos.split_off(kept);
            for (set, mut photos) in [(&mut train, photos), (&mut validation, held)] {
                photos.sort_unstable();
                set.push(Person { name: person.name.clone(), photos });
            }
        }
        let what = format!("a validation set of {ratio}");
        Ok((self.derive(train, dropped.clone(), &what)?, self.derive(validation, dropped, &what)?))
    }

    /// `first` people drawn by the seed, and all others, each in the order of names: who is trained on, and whose pairs
    /// are evaluated.
    ///
    /// # Errors
    /// If either would be empty.
    pub fn split_people(&self, seed: u64, first: usize) -> Result<(Self, Self)> {
        let mut order: Vec<usize> = (0..self.classes()).collect();
        Stream::new(seed, purpose::SPLIT, u64::MAX).shuffle(&mut order);
        let part = |mut classes: Vec<usize>| {
            classes.sort_unstable();
            let people = classes.into_iter().map(|class| self.people[class].clone()).collect();
            self.derive(people, Vec::new(), &format!("a part of {first} people"))
        };
        let second = order.split_off(first.min(order.len()));
        Ok((part(order)?, part(second)?))
    }

    /// Only photographs nearer to their class's centre than the threshold of `percentile` (`filter_dataset` of the
    /// original, with its histogram of 100 bins: even a percentile of 100 leaves out the very farthest), and people with
    /// at least `least` photographs then. The original looks at the number only of people who lost a photograph.
    /// `distances`: one per image ([`distances_to_centres`]).
    ///
    /// # Errors
    /// A percentile outside [0, 100], a distance that is no finite number, or nobody left.
    ///
    /// # Panics
    /// If `distances` are not as many as the images.
    pub fn filter(&self, distances: &[f32], percentile: f64, least: usize) -> Result<Self> {
        assert_eq!(distances.len(), self.images(), "one distance per image");
        if !(0.0..=100.0).contains(&percentile) {
            let problem = "it must lie between 0 and 100; 100 keeps nearly all";
            return Err(Error::invalid(Field("filter"), format!("{percentile}: {problem}")));
        }
        if let Some(image) = distances.iter().position(|d| !d.is_finite()) {
            let problem = "its embedding is no number: the weights are of no use for filtering";
            return Err(Error::image(&self.path(image), problem));
        }
        let threshold = find_threshold(distances, percentile);
        let (mut people, mut dropped) = (Vec::new(), Vec::new());
        for (class, person) in self.people.iter().enumerate() {
            let mut photos = Vec::new();
            for (photo, &distance) in person.photos.iter().zip(&distances[self.images_of(class)]) {
                if f64::from(distance) < threshold {
                    photos.push(photo.clone());
                    continue;
                }
                let reason = format!("{distance:.4} from the class centre, and {threshold:.4} is the limit");
                dropped.push(Dropped { name: format!("{}/{photo}", person.name), reason });
            }
            match photos.len() >= least.max(1) {
                true => people.push(Person { name: person.name.clone(), photos }),
                false => dropped.push(too_few(person, photos.len(), least.max(1))),
            }
        }
        self.derive(people, dropped, &format!("the filter (percentile {percentile}, at least {least} images)"))
    }
}

fn too_few(person: &Person, left: usize, least: usize) -> Dropped {
    let reason = format!("{left} of {} images left, and {least} are the minimum", person.photos.len());
    Dropped { name: person.name.clone(), reason }
}

/// The mean embedding of each class, `[classes, dim]`, summed in f64. `embeddings`: `[n, dim]`; `labels`: `[n]`, each
/// below `classes`. A class without images has zeros.
pub fn class_centres(embeddings: &[f32], dim: usize, labels: &[u32], classes: usize) -> Vec<f32> {
    let (mut sums, mut counts) = (vec![0f64; classes * dim], vec![0f64; classes]);
    for (embedding, &label) in embeddings.chunks_exact(dim).zip(labels) {
        counts[label as usize] += 1.0;
        let sum = &mut sums[label as usize * dim..][..dim];
        sum.iter_mut().zip(embedding).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    let mean = |(i, sum): (usize, &f64)| (sum / counts[i / dim].max(1.0)) as f32;
    sums.iter().enumerate().map(mean).collect()
}

/// How far each embedding is from its class's centre (Euclidean), `[n]`. `embeddings`: `[n, dim]`; `labels`: `[n]`;
/// `centres`: [`class_centres`].
pub fn distances_to_centres(embeddings: &[f32], dim: usize, labels: &[u32], centres: &[f32]) -> Vec<f32> {
    let distance = |(embedding, &label): (&[f32], &u32)| {
        let centre = &centres[label as usize * dim..][..dim];
        let square = |(&x, &c): (&f32, &f32)| (f64::from(x) - f64::from(c)).powi(2);
        embedding.iter().zip(centre).map(square).sum::<f64>().sqrt() as f32
    };
    embeddings.chunks_exact(dim).zip(labels).map(distance).collect()
}

/// The original's `find_threshold`: where the cumulative histogram of 100 bins reaches `percentile`, by linear
/// interpolation between the bins' centres.
fn find_threshold(distances: &[f32], percentile: f64) -> f64 {
    const BINS: usize = 100;
    let values = || distances.iter().map(|&d| f64::from(d));
    let (mut low, mut high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if low == high {
        // numpy's histogram of equal values.
        (low, high) = (low - 0.5, high + 0.5);
    }
    let width = (high - low) / BINS as f64;
    let mut counts = [0f64; BINS];
    values().for_each(|d| counts[(((d - low) / width) as usize).min(BINS - 1)] += 1.0);
    let mut sum = 0.0;
    let shares = counts.map(|count| {
        sum += count;
        sum / distances.len() as f64
    });
    let centre = |bin: usize| low + (bin as f64 + 0.5) * width;
    let wanted = percentile * 0.01;
    match shares.partition_point(|&share| share <= wanted) {
        0 => centre(0),
        BINS => centre(BINS - 1),
        next => {
            let [from, to] = [shares[next - 1], shares[next]];
            centre(next - 1) + (wanted - from) / (to - from) * width
        }
    }
}

#[cfg(test)]
pub(in crate::train) mod tests {
    use super::*;

    /// People `a`, `b`, … with so many photographs `0.png`, `1.png`, ….
    pub fn people(photos: &[usize]) -> Vec<Person> {
        let name = |class| char::from(b'a' + class as u8).to_string();
        let photos = photos.iter().map(|&n| (0..n).map(|i| format!("{i:03}.png")).collect());
        photos.enumerate().map(|(class, photos)| Person { name: name(class), photos }).collect()
    }

    pub fn dataset(photos: &[usize]) -> Dataset {
        Dataset::new(Path::new("faces"), people(photos)).unwrap()
    }

    #[test]
    fn classes_follow_sorted_names() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["zoe/1.jpg", "ann/2.jpg", "ann/1.png", "ann/notes.txt"] {
            std::fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let set = Dataset::open(dir.path()).unwrap();
        assert_eq!((set.classes(), set.images(), set.labels()), (2, 3, vec![0, 0, 1]));
        let files = (0..3).map(|image| set.path(image)).collect::<Vec<_>>();
        assert_eq!(files, ["ann/1.png", "ann/2.jpg", "zoe/1.jpg"].map(|file| dir.path().join(file)));
        assert_eq!((0..3).map(|image| set.class_of(image)).collect::<Vec<_>>(), [0, 0, 1]);

        let empty = tempfile::tempdir().unwrap();
        let message = Dataset::open(empty.path()).unwrap_err().to_string();
        assert!(message.contains("no people are in it: a folder for each person"), "{message}");
    }

    #[test]
    fn a_split_keeps_the_originals_counts_and_loses_nothing() {
        let set = dataset(&[10, 20, 1, 2, 3]);
        let (train, validation) = set.split_images(7, 0.25, 2).unwrap();
        // floor(7.5), floor(15), floor(0.75) = 0, min(1, ..), floor(2.25).
        let counts = |set: &Dataset| set.people().iter().map(|p| (p.name.clone(), p.photos.len())).collect::<Vec<_>>();
        assert_eq!(counts(&train), [("a".into(), 7), ("b".into(), 15), ("e".into(), 2)]);
        assert_eq!(counts(&validation), [("a".into(), 3), ("b".into(), 5), ("e".into(), 1)]);
        assert_eq!(train.dropped().iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["c", "d"]);
        let mut all = [train.people()[1].photos.clone(), validation.people()[1].photos.clone()].concat();
        all.sort();
        assert_eq!(all, set.people()[1].photos);
        assert_eq!(set.split_images(7, 0.25, 2).unwrap().0, train);
        assert_ne!(set.split_images(8, 0.25, 2).unwrap().0, train);
        // A tiny ratio still holds one photograph back.
        assert_eq!(dataset(&[4]).split_images(1, 1e-20, 2).unwrap().1.images(), 1);
        assert!(set.split_images(7, 1.0, 2).is_err());
        let message = dataset(&[2, 2]).split_images(1, 0.5, 2).unwrap_err().to_string();
        assert!(message.contains("leaves nobody of 2 people"), "{message}");
    }

    #[test]
    fn people_are_split_without_overlap() {
        let (first, second) = dataset(&[2; 10]).split_people(3, 6).unwrap();
        let names = |set: &Dataset| set.people().iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        let mut all = [names(&first), names(&second)].concat();
        assert_eq!((first.classes(), second.classes()), (6, 4));
        assert!(names(&first).is_sorted() && names(&first) != all[..6].iter().rev().cloned().collect::<Vec<_>>());
        all.sort();
        assert_eq!(all, names(&dataset(&[2; 10])));
        assert!(dataset(&[2; 3]).split_people(3, 3).is_err());
    }

    #[test]
    fn distances_are_to_the_mean_of_the_class() {
        let embeddings = [0.0, 0.0, 2.0, 0.0, 5.0, 5.0];
        let centres = class_centres(&embeddings, 2, &[0, 0, 2], 3);
        assert_eq!(centres, [1.0, 0.0, 0.0, 0.0, 5.0, 5.0]);
        assert_eq!(distances_to_centres(&embeddings, 2, &[0, 0, 2], &centres), [1.0, 1.0, 0.0]);
    }

    /// Values of `np.interp` over `np.histogram(.., 100)`, worked out by hand: 101 values 0..=100 fill bins of width 1,
    /// the last one twice.
    #[test]
    fn the_threshold_is_the_originals() {
        let distances: Vec<f32> = (0..=100).map(|d| d as f32).collect();
        let expected = 0.5 + (0.5 - 1.0 / 101.0) * 101.0;
        assert!((find_threshold(&distances, 50.0) - expected).abs() < 1e-9);
        assert_eq!(find_threshold(&distances, 100.0), 99.5);
        assert_eq!(find_threshold(&distances, 0.0), 0.5);
        assert!((find_threshold(&[2.0, 2.0], 100.0) - 2.495).abs() < 1e-9);
    }

    #[test]
    fn the_filter_drops_far_images_and_people_left_with_few() {
        let set = dataset(&[3, 3, 1]);
        let far = [0.1, 0.2, 9.0, 0.1, 9.0, 9.0, 0.3];
        let kept = set.filter(&far, 55.0, 2).unwrap();
        assert_eq!(kept.people(), &[Person { name: "a".into(), photos: vec!["000.png".into(), "001.png".into()] }]);
        let names: Vec<&str> = kept.dropped().iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["a/002.png", "b/001.png", "b/002.png", "b", "c"]);
        assert!(set.filter(&far, 55.0, 9).unwrap_err().to_string().contains("leaves nobody"));
        assert!(set.filter(&far, 101.0, 1).is_err());
        let message = set.filter(&[f32::NAN; 7], 50.0, 1).unwrap_err().to_string();
        assert!(message.contains("a/000.png"), "{message}");
    }

    #[test]
    fn a_person_with_one_image_is_named() {
        let set = dataset(&[3, 1, 2]);
        assert!(set.require_images(1, "softmax").is_ok());
        let message = set.require_images(2, "triplet loss").unwrap_err().to_string();
        assert!(
            message.starts_with("faces: triplet loss needs 2 images of each person, and b has fewer;"),
            "{message}"
        );
        let rest = set.at_least(2).unwrap();
        assert_eq!((rest.classes(), rest.dropped().len()), (2, 1));
        assert!(set.at_least(4).is_err());
    }
}
