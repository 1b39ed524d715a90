//! How alike rows are to their neighbours: t-SNE's joint probabilities.

use rayon::prelude::*;

use crate::vectors::search::Hit;

/// Bisections of a bandwidth: as many as a double's digits.
const BISECTIONS: usize = 64;

/// A sparse symmetric matrix of probabilities that sum to 1: of each row the others with their probabilities, ascending.
pub struct Similarities {
    starts: Vec<usize>,
    entries: Vec<(u32, f64)>,
}

impl Similarities {
    /// Of the nearest rows of each (without itself), such that the entropy of each row's probabilities is that of
    /// `perplexity` equally likely ones (van der Maaten and Hinton 2008, equations 1 and 2; neighbours as van der Maaten
    /// 2014).
    pub fn new(neighbours: &[Vec<Hit>], perplexity: f64) -> Self {
        let conditional: Vec<Vec<f64>> =
            neighbours.par_iter().map(|hits| probabilities(hits, perplexity.ln())).collect();
        let mut lists: Vec<Vec<(u32, f64)>> = vec![Vec::new(); neighbours.len()];
        let scale = 1.0 / (2.0 * neighbours.len() as f64);
        for (i, (hits, probabilities)) in neighbours.iter().zip(&conditional).enumerate() {
            for (hit, p) in hits.iter().zip(probabilities) {
                lists[i].push((hit.row as u32, p * scale));
                lists[hit.row].push((i as u32, p * scale));
            }
        }
        let mut all = Similarities { starts: vec![0], entries: Vec::new() };
        for mut list in lists {
            list.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            list.dedup_by(|later, first| {
                let is_one = later.0 == first.0;
                first.1 += if is_one { later.1 } else { 0.0 };
                is_one
            });
            all.entries.extend(list);
            all.starts.push(all.entries.len());
        }
        all
    }

    /// The others that a row is like, with their probabilities.
    pub fn row(&self, i: usize) -> &[(u32, f64)] {
        &self.entries[self.starts[i]..self.starts[i + 1]]
    }
}

/// A row's probabilities, whose entropy is `entropy` or as near as its neighbours allow.
fn probabilities(hits: &[Hit], entropy: f64) -> Vec<f64> {
    let least = hits.first().map_or(0.0, |hit| f64::from(hit.distance));
    let distances: Vec<f64> = hits.iter().map(|hit| f64::from(hit.distance) - least).collect();
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mean = distances.iter().sum::<f64>() / distances.len().max(1) as f64;
    let mut precision = if mean > 0.0 { 1.0 / mean } else { 1.0 };
    let mut found = Vec::new();
    for _ in 0..BISECTIONS {
        found.clear();
        found.extend(distances.iter().map(|distance| (-precision * distance).exp()));
        let sum: f64 = found.iter().sum();
        found.iter_mut().for_each(|p| *p /= sum);
        let weighted: f64 = found.iter().zip(&distances).map(|(p, distance)| p * distance).sum();
        let difference = sum.ln() + precision * weighted - entropy;
        if difference.abs() < 1e-9 || mean == 0.0 {
            break;
        }
        (low, high) = if difference > 0.0 { (precision, high) } else { (low, precision) };
        precision = if high.is_finite() { (low + high) / 2.0 } else { precision * 2.0 };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_perplexity_is_what_was_asked_for_and_all_sum_to_one() {
        let hits = |i: usize| -> Vec<Hit> {
            (0..30).filter(|&row| row != i).map(|row| Hit { row, distance: (row as f32 - i as f32).powi(2) }).collect()
        };
        let mut sorted = hits(3);
        sorted.sort_by(Hit::order);
        let p = probabilities(&sorted, 5f64.ln());
        let entropy: f64 = p.iter().map(|p| -p * p.max(f64::MIN_POSITIVE).ln()).sum();
        assert!((entropy.exp() - 5.0).abs() < 1e-6, "{}", entropy.exp());
        let neighbours: Vec<Vec<Hit>> = (0..30)
            .map(|i| {
                let mut hits = hits(i);
                hits.sort_by(Hit::order);
                hits.truncate(12);
                hits
            })
            .collect();
        let all = Similarities::new(&neighbours, 4.0);
        let sum: f64 = (0..30).flat_map(|i| all.row(i)).map(|(_, p)| p).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        let p = |i: usize, j: usize| all.row(i).iter().find(|(row, _)| *row as usize == j).map(|(_, p)| *p);
        assert_eq!(p(3, 5), p(5, 3));
        // Equal rows are equally likely.
        let equal: Vec<Hit> = (1..5).map(|row| Hit { row, distance: 0.0 }).collect();
        assert_eq!(probabilities(&equal, 2f64.ln()), [0.25; 4]);
    }
}
