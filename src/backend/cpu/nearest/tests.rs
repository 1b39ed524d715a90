use super::*;
use crate::backend::cpu::Isa;
use crate::random::Stream;

/// Rows in every way that they are stored in.
struct Base {
    dim: usize,
    values: Vec<f32>,
    halves: Vec<f16>,
    norms: Vec<f32>,
    half_norms: Vec<f32>,
    codes: Vec<u8>,
    coded: Vec<Coded>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Storage {
    F32,
    F16,
    Int8,
}

const STORAGES: [Storage; 3] = [Storage::F32, Storage::F16, Storage::Int8];

impl Base {
    fn new(dim: usize, values: Vec<f32>) -> Base {
        let cpu = Cpu::new(2).unwrap();
        let halves: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
        let mut codes = vec![0; values.len() / dim * stride(dim)];
        let rows = values.chunks_exact(dim).zip(codes.chunks_exact_mut(stride(dim)));
        let coded = rows.map(|(row, codes)| encode(row, codes)).collect();
        Base {
            dim,
            norms: norms(&cpu, Values::F32(&values), dim),
            half_norms: norms(&cpu, Values::F16(&halves), dim),
            values,
            halves,
            codes,
            coded,
        }
    }

    /// The rows, cut in two where there are several.
    fn rows(&self, storage: Storage) -> Rows<'_> {
        let (len, dim) = (self.norms.len(), self.dim);
        let segments = [0..len / 3, len / 3..len].map(|part| match storage {
            Storage::F32 => {
                let values = Values::F32(&self.values).rows(part.clone(), dim);
                Segment { values, norms: &self.norms[part], codes: None }
            }
            Storage::F16 => {
                let values = Values::F16(&self.halves).rows(part.clone(), dim);
                Segment { values, norms: &self.half_norms[part], codes: None }
            }
            Storage::Int8 => {
                let codes = &self.codes[part.start * stride(dim)..part.end * stride(dim)];
                let values = Values::F32(&self.values).rows(part.clone(), dim);
                Segment { values, norms: &self.norms[part.clone()], codes: Some((codes, &self.coded[part])) }
            }
        });
        Rows { dim, segments: segments.into() }
    }

    /// What is stored, as f32.
    fn stored(&self, storage: Storage) -> Vec<f32> {
        match storage {
            Storage::F16 => self.halves.iter().map(|x| x.to_f32()).collect(),
            _ => self.values.clone(),
        }
    }
}

/// The fixed order, written for reading.
fn distance(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    for (i, (x, y)) in x.iter().zip(y).enumerate() {
        sums[i % 16] += (x - y) * (x - y);
    }
    for width in [8, 4, 2, 1] {
        (0..width).for_each(|j| sums[j] += sums[j + width]);
    }
    sums[0]
}

/// All rows by (distance, row).
fn brute_force(query: &[f32], rows: &[f32]) -> Vec<(usize, u32)> {
    let distances = rows.chunks_exact(query.len()).map(|row| distance(query, row).to_bits());
    let mut all: Vec<_> = distances.enumerate().collect();
    all.sort_by_key(|&(row, bits)| (bits, row));
    all
}

fn pairs(found: &[Found]) -> Vec<(usize, u32)> {
    found.iter().map(|hit| (hit.row(), hit.distance().to_bits())).collect()
}

fn cpus() -> Vec<Cpu> {
    let isas = Isa::ALL.into_iter().filter(|isa| isa.is_available());
    isas.zip([2, 1, 3]).map(|(isa, threads)| Cpu::with_isa(threads, isa).unwrap()).collect()
}

/// Compares every storage and instruction set with all distances, for few queries and many.
fn check(base: &Base, queries: &[f32], ks: &[usize]) {
    let dim = base.dim;
    for storage in STORAGES {
        let stored = base.stored(storage);
        let expected: Vec<_> = queries.chunks_exact(dim).map(|query| brute_force(query, &stored)).collect();
        let rows = base.rows(storage);
        for cpu in cpus() {
            for &k in ks {
                for count in [1, expected.len()] {
                    let found = nearest(&cpu, &rows, &queries[..count * dim], k);
                    assert_eq!(found.len(), count);
                    for (query, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let expected = &expected[..k.min(expected.len())];
                        assert_eq!(pairs(found), expected, "{storage:?}, {}, query {query} of {count}", cpu.isa());
                    }
                }
            }
            let radius = f32::from_bits(expected[0][(expected[0].len() - 1).min(20)].1);
            let mut next = 0;
            within(&cpu, &rows, queries, radius, &mut |query, found| {
                let mut near: Vec<_> = expected[query].iter().copied().collect();
                near.retain(|&(_, bits)| f32::from_bits(bits) <= radius);
                near.sort_unstable();
                assert_eq!((query, pairs(found)), (next, near), "{storage:?}, {}", cpu.isa());
                next += 1;
            });
            assert_eq!(next, expected.len());
        }
    }
}

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut stream = Stream::new(seed, 0, 0);
    (0..len).map(|_| stream.uniform() - 0.5).collect()
}

#[test]
fn a_hundred_thousand_rows_are_searched_as_by_all_distances() {
    let base = Base::new(40, noise(1, 100_000 * 40));
    let mut queries = noise(2, 37 * 40);
    // A row itself.
    queries[40..80].copy_from_slice(&base.values[77_777 * 40..][..40]);
    check(&base, &queries, &[10]);
    let found = nearest(&cpus()[0], &base.rows(Storage::Int8), &queries[40..80], 1);
    assert_eq!(pairs(&found[0]), [(77_777, 0)]);
}

#[test]
fn odd_lengths_few_rows_and_many_neighbours() {
    for (dim, len) in [(1, 70), (3, 5), (16, 1), (17, 333), (129, 100), (700, 41)] {
        check(&Base::new(dim, noise(dim as u64, dim * len)), &noise(9, 5 * dim), &[1, 7, 1_500]);
    }
    let base = Base::new(24, noise(3, 24 * 5_000));
    check(&base, &noise(4, 24 * 34), &[1_500]);
    assert!(nearest(&cpus()[0], &base.rows(Storage::F32), &noise(4, 48), 0).iter().all(Vec::is_empty));
    let none = Base::new(4, vec![]);
    assert_eq!(nearest(&cpus()[0], &none.rows(Storage::F32), &[1.0; 8], 3).len(), 2);
}

#[test]
fn ties_go_to_the_lower_row() {
    // Few different values: most distances are those of many rows.
    let mut stream = Stream::new(5, 0, 0);
    let mut small = |len: usize| (0..len).map(|_| stream.below(3) as f32 - 1.0).collect::<Vec<_>>();
    let base = Base::new(6, small(6 * 4_000));
    check(&base, &small(6 * 33), &[10, 1_001]);
    // All rows equal.
    let base = Base::new(8, [0.1f32, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8].repeat(20_000));
    check(&base, &noise(6, 8 * 6), &[10]);
}

#[test]
fn close_rows_far_from_zero_are_told_apart() {
    // |x|^2 is 10^8 times the distances: products alone could not order them.
    let mut values = noise(7, 32 * 3_000);
    values.iter_mut().for_each(|x| *x = 100.0 + *x * 0.1);
    let mut queries = noise(8, 32 * 20);
    queries.iter_mut().for_each(|x| *x = 100.0 + *x * 0.1);
    check(&Base::new(32, values), &queries, &[5]);
    // Clusters.
    let centres = noise(10, 64 * 30);
    let spread = noise(11, 64 * 6_000);
    let values: Vec<f32> = spread.iter().enumerate().map(|(i, x)| centres[i % centres.len()] + 1e-3 * x).collect();
    check(&Base::new(64, values.clone()), &values[..64 * 35], &[10]);
}

#[test]
fn scales_from_the_smallest_numbers_to_the_largest() {
    for scale in [1e-44f32, 1e-38, 1e-30, 1e-22, 1e-19, 1e-10, 1e10, 1e17] {
        let scaled = |seed, len| noise(seed, len).iter().map(|x| x * scale).collect::<Vec<_>>();
        let mut base = Base::new(20, scaled(12, 20 * 700));
        // Halves have no such numbers.
        base.halves = noise(12, 20 * 700).iter().map(|&x| f16::from_f32(x)).collect();
        base.half_norms = norms(&cpus()[0], Values::F16(&base.halves), 20);
        check(&base, &scaled(13, 20 * 9), &[4]);
        // Rows of this scale, queries of another.
        check(&base, &noise(13, 20 * 9), &[4]);
    }
}

#[test]
fn every_instruction_set_measures_alike() {
    for dim in [1, 15, 16, 17, 31, 100, 512] {
        let (x, y) = (noise(20, dim), noise(21, 9 * dim));
        let halves: Vec<f16> = y.iter().map(|&y| f16::from_f32(y)).collect();
        let wide: Vec<f32> = halves.iter().map(|y| y.to_f32()).collect();
        for cpu in cpus() {
            for (values, rows) in [(Values::F32(&y), &y), (Values::F16(&halves), &wide)] {
                let mut to = vec![0.0; 9];
                Measure { x: &x, rows: values, to: &mut to }.run(cpu.isa());
                let expected: Vec<f32> = rows.chunks_exact(dim).map(|y| distance(&x, y)).collect();
                assert_eq!(to, expected, "{}", cpu.isa());
            }
        }
    }
    // Every half that is a number.
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).filter(|x| x.is_finite()).collect();
    for cpu in cpus() {
        let mut to = vec![0.0; halves.len()];
        product::widen(cpu.isa(), &halves, &mut to);
        assert!(to.iter().zip(&halves).all(|(to, from)| to.to_bits() == from.to_f32().to_bits()), "{}", cpu.isa());
    }
}

#[test]
fn many_hits_are_told_in_parts() {
    // 1,024 x 9,000 hits are more than memory should hold at once.
    let (base, cpu) = (Base::new(2, noise(30, 2 * 9_000)), Cpu::new(2).unwrap());
    let (mut seen, queries) = (0, noise(31, 2 * 1_100));
    within(&cpu, &base.rows(Storage::F32), &queries, 9.0, &mut |query, found| {
        assert_eq!((query, found.len()), (seen, 9_000));
        assert!(found.iter().enumerate().all(|(row, hit)| hit.row() == row));
        seen += 1;
    });
    assert_eq!(seen, 1_100);
}
