//! From decisions to probabilities: a sigmoid for each two classes (Lin, Lin, Weng: "A Note on Platt's Probabilistic
//! Outputs for Support Vector Machines", 2007), and one distribution over all classes from those of every two (Wu, Lin,
//! Weng: "Probability Estimates for Multi-class Classification by Pairwise Coupling", 2004, the second method).

/// `p = 1 / (1 + exp(slope * decision + offset))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sigmoid {
    pub slope: f64,
    pub offset: f64,
}

/// No probability of two classes is nearer to 0 or 1.
const LEAST: f64 = 1e-7;

impl Sigmoid {
    /// The probability of the first class, whose decisions are positive.
    pub fn of(&self, decision: f64) -> f64 {
        // Neither exponential overflows.
        let x = self.slope * decision + self.offset;
        let p = if x >= 0.0 { (-x).exp() / (1.0 + (-x).exp()) } else { 1.0 / (1.0 + x.exp()) };
        p.clamp(LEAST, 1.0 - LEAST)
    }

    /// The likeliest sigmoid for decisions of points whose sign is known, by Newton's method with backtracking.
    pub fn fit(decisions: &[f64], signs: &[f64]) -> Sigmoid {
        let positive = signs.iter().filter(|&&sign| sign > 0.0).count() as f64;
        let negative = signs.len() as f64 - positive;
        // Not 1 and 0: that many points say no more.
        let (high, low) = ((positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0));
        let targets: Vec<f64> = signs.iter().map(|&sign| if sign > 0.0 { high } else { low }).collect();
        let mut now = Sigmoid { slope: 0.0, offset: ((negative + 1.0) / (positive + 1.0)).ln() };
        let mut loss = now.loss(decisions, &targets);
        for _ in 0..100 {
            let Some((direction, descent)) = now.newton(decisions, &targets) else { break };
            let mut step = 1.0;
            loop {
                let next = Sigmoid { slope: now.slope + step * direction[0], offset: now.offset + step * direction[1] };
                let next_loss = next.loss(decisions, &targets);
                if next_loss < loss + 1e-4 * step * descent {
                    (now, loss) = (next, next_loss);
                    break;
                }
                step /= 2.0;
                if step < 1e-10 {
                    return now;
                }
            }
        }
        now
    }

    /// The negative logarithm of the likelihood.
    fn loss(&self, decisions: &[f64], targets: &[f64]) -> f64 {
        let of = |(&decision, &target): (&f64, &f64)| {
            let x = self.slope * decision + self.offset;
            if x >= 0.0 { target * x + (-x).exp().ln_1p() } else { (target - 1.0) * x + x.exp().ln_1p() }
        };
        decisions.iter().zip(targets).map(of).sum()
    }

    /// Newton's direction, and how steeply the loss falls along it; `None` where it is flat.
    fn newton(&self, decisions: &[f64], targets: &[f64]) -> Option<([f64; 2], f64)> {
        // A little on the diagonal keeps the matrix definite.
        let (mut h11, mut h22, mut h12, mut g1, mut g2) = (1e-12, 1e-12, 0.0, 0.0, 0.0);
        for (&decision, &target) in decisions.iter().zip(targets) {
            let x = self.slope * decision + self.offset;
            let small = (-x.abs()).exp();
            let (p, q) = match x >= 0.0 {
                true => (small / (1.0 + small), 1.0 / (1.0 + small)),
                false => (1.0 / (1.0 + small), small / (1.0 + small)),
            };
            h11 += decision * decision * p * q;
            h22 += p * q;
            h12 += decision * p * q;
            g1 += decision * (target - p);
            g2 += target - p;
        }
        if g1.abs() < 1e-5 && g2.abs() < 1e-5 {
            return None;
        }
        let determinant = h11 * h22 - h12 * h12;
        let direction = [-(h22 * g1 - h12 * g2) / determinant, -(h11 * g2 - h12 * g1) / determinant];
        Some((direction, g1 * direction[0] + g2 * direction[1]))
    }
}

/// The distribution over classes that fits best what every two of them say: `of_two(i, j)` is the probability of `i`
/// where it is `i` or `j`, for `i < j`.
pub(super) fn couple(classes: usize, of_two: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut q = vec![0.0; classes * classes];
    for i in 0..classes {
        for j in i + 1..classes {
            let (p, other) = (of_two(i, j), 1.0 - of_two(i, j));
            q[i * classes + i] += other * other;
            q[j * classes + j] += p * p;
            q[i * classes + j] = -p * other;
            q[j * classes + i] = -p * other;
        }
    }
    let mut p = vec![1.0 / classes as f64; classes];
    let close = 0.005 / classes as f64;
    for _ in 0..classes.max(100) {
        let mut qp: Vec<f64> =
            q.chunks_exact(classes).map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        if qp.iter().all(|qp| (qp - pqp).abs() < close) {
            break;
        }
        for t in 0..classes {
            let row = &q[t * classes..][..classes];
            let step = (pqp - qp[t]) / row[t];
            let scale = 1.0 / (1.0 + step);
            p[t] += step;
            pqp = (pqp + step * (step * row[t] + 2.0 * qp[t])) * scale * scale;
            for ((qp, p), q) in qp.iter_mut().zip(&mut p).zip(row) {
                *qp = (*qp + step * q) * scale;
                *p *= scale;
            }
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_equal_halves_far_apart_give_the_targets() {
        // Four points of each sign: the likelihood is largest where the sigmoid gives Platt's targets, 5/6 and 1/6.
        let sigmoid =
            Sigmoid::fit(&[1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0], &[1., 1., 1., 1., -1., -1., -1., -1.]);
        assert!((sigmoid.of(1.0) - 5.0 / 6.0).abs() < 1e-5, "{sigmoid:?}");
        assert!((sigmoid.slope + 5f64.ln()).abs() < 1e-4 && sigmoid.offset.abs() < 1e-6, "{sigmoid:?}");
        assert_eq!(sigmoid.of(1e9), 1.0 - LEAST);
        assert_eq!(sigmoid.of(-1e9), LEAST);
    }

    #[test]
    fn decisions_that_say_nothing_give_the_shares() {
        let sigmoid = Sigmoid::fit(&[0.0; 6], &[1.0, 1.0, -1.0, -1.0, -1.0, -1.0]);
        let share = (2.0 * (3.0 / 4.0) + 4.0 / 6.0) / 6.0;
        assert!((sigmoid.of(0.0) - share).abs() < 1e-4, "{} beside {share}", sigmoid.of(0.0));
    }

    #[test]
    fn what_every_two_say_of_one_distribution_is_that_distribution() {
        let truth = [0.5, 0.3, 0.15, 0.05];
        let found = couple(4, |i, j| truth[i] / (truth[i] + truth[j]));
        for (found, truth) in found.iter().zip(truth) {
            assert!((found - truth).abs() < 2e-3, "{found} beside {truth}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let two = couple(2, |_, _| 0.9);
        assert!((two[0] - 0.9).abs() < 5e-3, "{two:?}");
    }
}
