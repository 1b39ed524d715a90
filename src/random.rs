//! Random numbers as pure functions: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as
//! 1, 2, 3", 2011), the same on the host and in every kernel.
//!
//! There is no state to save: a number is addressed, not drawn.
//!
//! ```
//! use warpface::random::{Stream, purpose};
//!
//! let numbers = |seed| Stream::new(seed, purpose::ORDER, 3).below(1 << 40);
//! assert_eq!(numbers(7), numbers(7));
//! assert_ne!(numbers(7), numbers(8));
//! ```
//!
//! | input word | holds |
//! |---|---|
//! | `key[0]`, `key[1]` | the run's seed, low half and high half |
//! | `counter[0]` | `i / 4`, where `i` counts the words of one purpose at one place |
//! | `counter[1]`, `counter[2]` | the place, low half and high half: a step's number, a round, an epoch and a position |
//! | `counter[3]` | the [`purpose`]: what the number is for |
//!
//! Word `i` is output `i % 4` of that call. A kernel that drops elements of a step therefore takes
//! `philox([seed_lo, seed_hi], [i / 4, step_lo, step_hi, purpose])[i % 4]` for its element `i` (flat, NHWC), turns it
//! into a number of [0, 1) as `(word >> 8) * 2^-24`, and keeps the element if that is less than the keep probability.

/// What a random number is for: the last counter word, so that no two uses share numbers.
pub mod purpose {
    /// Initial weights; the place is the tensor's position in the model.
    pub const INIT: u32 = 0;
    /// The order of training images; the place is the round.
    pub const ORDER: u32 = 1;
    /// The people and photographs of a batch; the place is the batch's number.
    pub const PEOPLE: u32 = 2;
    /// One photograph's crop, flip and turn; the place is its epoch and position.
    pub const AUGMENT: u32 = 3;
    /// Which photographs are held out for validation.
    pub const SPLIT: u32 = 4;
    /// Evaluation pairs; the place is the epoch.
    pub const PAIRS: u32 = 5;
    /// The choice among possible negatives; the place is the step.
    pub const MINING: u32 = 6;
    /// People drawn with repetition, for intervals; the place is the resample's number.
    pub const RESAMPLE: u32 = 7;
    /// Layouts of a plane: where directions begin, and what moves equal rows apart.
    pub const LAYOUT: u32 = 8;
    /// The folds in which probabilities of a classifier are measured; the place is twice the pair of people, and which of
    /// the two.
    pub const FOLDS: u32 = 9;
    /// The orders in which faces listen to their neighbours; the place is the round.
    pub const CLUSTER: u32 = 10;
    /// The first dropout of a graph; the place is the step. The graph's `k`-th dropout is `DROPOUT + k`.
    pub const DROPOUT: u32 = 256;
}

/// Philox4x32 with ten rounds: 128 random bits for a key and a counter.
pub const fn philox(mut key: [u32; 2], mut counter: [u32; 4]) -> [u32; 4] {
    let mut round = 0;
    while round < 10 {
        let [a, b] = [0xd251_1f53 * counter[0] as u64, 0xcd9e_8d57 * counter[2] as u64];
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
        round += 1;
    }
    counter
}

/// A number of [0, 1) from a word's upper 24 bits: every multiple of 2^-24 is equally likely.
pub const fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// One purpose's numbers at one place: any can be asked for by its index, or they can be taken one after the other.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stream {
    seed: u64,
    purpose: u32,
    place: u64,
    /// The index of the next word to be taken: all that ever changes.
    next: u64,
}

impl Stream {
    /// The numbers of `purpose` (see [`mod@purpose`]) at `place`.
    pub const fn new(seed: u64, purpose: u32, place: u64) -> Self {
        Stream { seed, purpose, place, next: 0 }
    }

    /// The numbers of `purpose` at position `position` of epoch `epoch`.
    pub const fn at(seed: u64, purpose: u32, epoch: u32, position: u32) -> Self {
        Stream::new(seed, purpose, (epoch as u64) << 32 | position as u64)
    }

    /// How many words were taken: what [`seek`](Self::seek) goes back to.
    pub const fn position(&self) -> u64 {
        self.next
    }

    /// Goes on with word `position`.
    pub const fn seek(&mut self, position: u64) {
        self.next = position;
    }

    /// Word `i`, whatever was taken before. A stream holds 2^34 words; the index wraps.
    pub const fn word(&self, i: u64) -> u32 {
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        let counter = [(i / 4) as u32, self.place as u32, (self.place >> 32) as u32, self.purpose];
        philox(key, counter)[(i % 4) as usize]
    }

    /// The next word.
    pub const fn next_word(&mut self) -> u32 {
        self.next += 1;
        self.word(self.next - 1)
    }

    /// The next number of [0, 1), of 24 bits.
    pub const fn uniform(&mut self) -> f32 {
        unit(self.next_word())
    }

    /// A whole number below `n`, each equally likely: Lemire's product, again where it would be biased.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "no whole number is below 0");
        loop {
            let word = u64::from(self.next_word()) << 32 | u64::from(self.next_word());
            let product = u128::from(word) * u128::from(n);
            // The lowest `2^64 mod n` remainders would make some numbers likelier than others.
            if product as u64 >= n.wrapping_neg() % n {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number of mean 0 and standard deviation 1 (Box and Muller), in f64 and then rounded.
    ///
    /// Logarithm and cosine are the platform's: another platform may differ in a last bit.
    pub fn normal(&mut self) -> f32 {
        let (radius, angle) = (1.0 - f64::from(self.uniform()), f64::from(self.uniform()));
        ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
    }

    /// [`normal`](Self::normal), drawn again while it is more than 2 from 0: TensorFlow's `truncated_normal`, whose
    /// standard deviation is 0.8796.
    pub fn truncated_normal(&mut self) -> f32 {
        loop {
            let x = self.normal();
            if x.abs() <= 2.0 {
                return x;
            }
        }
    }

    /// Puts `items` in random order, each equally likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that come with the authors' Random123 library.
    #[test]
    fn philox_gives_the_published_answers() {
        let ones = u32::MAX;
        let cases = [
            ([0; 2], [0; 4], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
            ([ones; 2], [ones; 4], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]),
            (
                [0xa4093822, 0x299f31d0],
                [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
                [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
            ),
        ];
        for (key, counter, answer) in cases {
            assert_eq!(philox(key, counter), answer, "{key:x?} {counter:x?}");
        }
    }

    #[test]
    fn words_are_addressed_as_documented() {
        let mut stream = Stream::new(0x1122_3344_5566_7788, 9, 0xaabb_ccdd_0102_0304);
        let block = philox([0x5566_7788, 0x1122_3344], [1, 0x0102_0304, 0xaabb_ccdd, 9]);
        assert_eq!([4, 5, 6, 7].map(|i| stream.word(i)), block);
        stream.seek(6);
        assert_eq!((stream.next_word(), stream.position()), (block[2], 7));
        assert_eq!(Stream::at(1, 2, 3, 4), Stream::new(1, 2, (3 << 32) + 4));
    }

    #[test]
    fn uniform_fills_the_unit_interval_and_never_reaches_one() {
        assert_eq!((unit(0), unit(0xff)), (0.0, 0.0));
        assert_eq!(unit(u32::MAX), 1.0 - f32::EPSILON / 2.0);
        let mut stream = Stream::new(1, 0, 0);
        let mean = (0..100_000).map(|_| f64::from(stream.uniform())).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.003, "{mean}");
    }

    #[test]
    fn whole_numbers_are_in_range_and_equally_likely() {
        let mut stream = Stream::new(7, 1, 0);
        let mut counts = [0u32; 6];
        (0..60_000).for_each(|_| counts[stream.below(6) as usize] += 1);
        // Of a fair die the sum of squares has five degrees of freedom: 25 comes once in 7,000 seeds.
        let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
        assert!(chi < 25.0, "{counts:?}");
        // Three quarters of the words' range: without the rejection, of three numbers the first would come twice as often.
        let first = (0..9_000).filter(|_| stream.below(3 << 62).is_multiple_of(3)).count();
        assert!((2_800..3_200).contains(&first), "{first} of 9000 are multiples of 3");
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn normals_have_their_moments_and_truncated_ones_their_bound() {
        let moments = |values: &[f32]| {
            let n = values.len() as f64;
            let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            (mean, (values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt())
        };
        let mut stream = Stream::new(3, 0, 5);
        let normal: Vec<f32> = (0..100_000).map(|_| stream.normal()).collect();
        let (mean, std) = moments(&normal);
        assert!(mean.abs() < 0.012 && (std - 1.0).abs() < 0.01, "{mean} {std}");
        assert!(normal.iter().any(|x| x.abs() > 3.0));
        let truncated: Vec<f32> = (0..100_000).map(|_| stream.truncated_normal()).collect();
        let (mean, std) = moments(&truncated);
        assert!(mean.abs() < 0.012 && (std - 0.87962).abs() < 0.01, "{mean} {std}");
        assert!(truncated.iter().all(|x| x.abs() <= 2.0));
    }

    #[test]
    fn shuffles_keep_all_and_reach_every_order() {
        let mut orders = std::collections::BTreeMap::new();
        for place in 0..2_400 {
            let mut items = [0, 1, 2, 3];
            Stream::new(11, purpose::ORDER, place).shuffle(&mut items);
            *orders.entry(items).or_insert(0u32) += 1;
        }
        assert_eq!(orders.len(), 24);
        assert!(orders.values().all(|&n| (60..150).contains(&n)), "{orders:?}");
    }
}
