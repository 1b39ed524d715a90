//! One support vector machine of two classes: its dual by sequential minimal optimization, as libsvm solves it without
//! shrinking. Working sets are chosen by second order information (Fan, Chen, Lin: "Working Set Selection Using Second
//! Order Information for Training Support Vector Machines", 2005).

/// What stands in for a curvature of zero: two equal points.
const LEAST_CURVATURE: f64 = 1e-12;

/// More steps than any problem of embeddings takes; libsvm's own bound.
const MAX_STEPS: usize = 10_000_000;

/// Inner products of every two points.
pub(super) struct Gram {
    points: usize,
    values: Vec<f64>,
}

impl Gram {
    /// Of a number of points, row after row.
    pub fn new(points: usize, values: Vec<f64>) -> Self {
        debug_assert_eq!(values.len(), points * points);
        Gram { points, values }
    }

    /// How many points there are.
    pub fn points(&self) -> usize {
        self.points
    }

    /// The products of point `i` with all.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.points..][..self.points]
    }

    /// The products of some of the points.
    pub fn of(&self, some: &[usize]) -> Gram {
        let values = some.iter().flat_map(|&i| some.iter().map(move |&j| self.row(i)[j])).collect();
        Gram::new(some.len(), values)
    }
}

/// A plane between two classes.
pub(super) struct Plane {
    /// What each point weighs, with its sign.
    pub coefficients: Vec<f64>,
    /// What is added to the weighted sum of inner products.
    pub bias: f64,
}

struct Solver<'a> {
    gram: &'a Gram,
    signs: &'a [f64],
    penalty: f64,
    /// The multipliers, 0 to `penalty`.
    alpha: Vec<f64>,
    /// `y - f`, of each point, where `f` is the decision without the bias.
    slack: Vec<f64>,
}

/// The plane between points of sign 1 and of sign -1, both of which there are; `None` if the steps do not come to an end.
pub(super) fn solve(gram: &Gram, signs: &[f64], penalty: f64, tolerance: f64) -> Option<Plane> {
    let points = signs.len();
    let mut solver = Solver { gram, signs, penalty, alpha: vec![0.0; points], slack: signs.to_vec() };
    for _ in 0..MAX_STEPS.max(100 * points) {
        match solver.working_set(tolerance) {
            Some((i, j)) => solver.step(i, j),
            None => return Some(solver.plane()),
        }
    }
    None
}

impl Solver<'_> {
    /// Whether the signed multiplier of a point may grow.
    fn may_grow(&self, i: usize) -> bool {
        if self.signs[i] > 0.0 { self.alpha[i] < self.penalty } else { self.alpha[i] > 0.0 }
    }

    /// Whether the signed multiplier of a point may shrink.
    fn may_shrink(&self, i: usize) -> bool {
        if self.signs[i] > 0.0 { self.alpha[i] > 0.0 } else { self.alpha[i] < self.penalty }
    }

    fn curvature(&self, i: usize, j: usize) -> f64 {
        let (row, other) = (self.gram.row(i), self.gram.row(j));
        let curvature = row[i] + other[j] - 2.0 * row[j];
        if curvature > 0.0 { curvature } else { LEAST_CURVATURE }
    }

    /// The point that violates optimality most, and that beside it which gains most; `None` within the tolerance.
    fn working_set(&self, tolerance: f64) -> Option<(usize, usize)> {
        let grow = (0..self.signs.len()).filter(|&i| self.may_grow(i));
        // The last of equals, as libsvm.
        let i = grow.reduce(|best, i| if self.slack[i] >= self.slack[best] { i } else { best })?;
        let (mut least, mut most_gain, mut chosen) = (f64::INFINITY, 0.0, None);
        for j in (0..self.signs.len()).filter(|&j| self.may_shrink(j)) {
            least = least.min(self.slack[j]);
            let violation = self.slack[i] - self.slack[j];
            if violation > 0.0 {
                let gain = violation * violation / self.curvature(i, j);
                if gain >= most_gain {
                    (most_gain, chosen) = (gain, Some(j));
                }
            }
        }
        (self.slack[i] - least >= tolerance).then_some((i, chosen?))
    }

    /// Solves for two points, all others fixed.
    fn step(&mut self, i: usize, j: usize) {
        let room =
            |i: usize, up: bool| if (self.signs[i] > 0.0) == up { self.penalty - self.alpha[i] } else { self.alpha[i] };
        let (room_i, room_j) = (room(i, true), room(j, false));
        let step = ((self.slack[i] - self.slack[j]) / self.curvature(i, j)).min(room_i).min(room_j);
        // Exactly on the bound where it is reached.
        let moved = |i: usize, up: bool, is_bound: bool| match ((self.signs[i] > 0.0) == up, is_bound) {
            (true, true) => self.penalty,
            (false, true) => 0.0,
            (true, false) => self.alpha[i] + step,
            (false, false) => self.alpha[i] - step,
        };
        let moved = (moved(i, true, step >= room_i), moved(j, false, step >= room_j));
        (self.alpha[i], self.alpha[j]) = moved;
        let rows = self.gram.row(i).iter().zip(self.gram.row(j));
        for (slack, (a, b)) in self.slack.iter_mut().zip(rows) {
            *slack -= step * (a - b);
        }
    }

    fn plane(self) -> Plane {
        let all = 0..self.signs.len();
        let free: Vec<f64> =
            all.clone().filter(|&i| self.may_grow(i) && self.may_shrink(i)).map(|i| self.slack[i]).collect();
        let bias = if free.is_empty() {
            let most =
                all.clone().filter(|&i| self.may_grow(i)).map(|i| self.slack[i]).fold(f64::NEG_INFINITY, f64::max);
            let least = all.filter(|&i| self.may_shrink(i)).map(|i| self.slack[i]).fold(f64::INFINITY, f64::min);
            (most + least) / 2.0
        } else {
            free.iter().sum::<f64>() / free.len() as f64
        };
        let coefficients = self.alpha.iter().zip(self.signs).map(|(alpha, sign)| alpha * sign).collect();
        Plane { coefficients, bias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gram(points: &[[f64; 2]]) -> Gram {
        let dot = |a: &[f64; 2], b: &[f64; 2]| a[0] * b[0] + a[1] * b[1];
        Gram::new(points.len(), points.iter().flat_map(|a| points.iter().map(move |b| dot(a, b))).collect())
    }

    fn weights(points: &[[f64; 2]], plane: &Plane) -> [f64; 2] {
        [0, 1].map(|axis| points.iter().zip(&plane.coefficients).map(|(x, c)| c * x[axis]).sum())
    }

    #[test]
    fn a_margin_that_can_be_worked_out_by_hand() {
        // The nearest of both lie at (1, 0) and (-1, 0); the plane is x = 0, the margin 1, the rest has no weight.
        let points = [[1.0, 0.0], [3.0, 2.0], [-1.0, 0.0], [-2.0, -5.0]];
        let plane = solve(&gram(&points), &[1.0, 1.0, -1.0, -1.0], 10.0, 1e-9).unwrap();
        let [x, y] = weights(&points, &plane);
        assert!((x - 1.0).abs() < 1e-9 && y.abs() < 1e-9 && plane.bias.abs() < 1e-9, "{x} {y} {}", plane.bias);
        assert_eq!([plane.coefficients[1], plane.coefficients[3]], [0.0, 0.0]);
        assert!((plane.coefficients[0] - 0.5).abs() < 1e-9 && (plane.coefficients[2] + 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_penalty_bounds_what_a_point_weighs() {
        // The second point lies among the others: it would take any weight.
        let points = [[1.0, 0.0], [-1.5, 0.0], [-1.0, 0.0], [-2.0, 0.0]];
        let plane = solve(&gram(&points), &[1.0, 1.0, -1.0, -1.0], 0.5, 1e-9).unwrap();
        assert!(plane.coefficients.iter().all(|c| c.abs() <= 0.5));
        assert_eq!(plane.coefficients[1], 0.5);
        assert!(plane.coefficients.iter().sum::<f64>().abs() < 1e-12);
    }

    #[test]
    fn equal_points_of_both_classes_end_on_the_bound() {
        let plane = solve(&gram(&[[0.6, 0.8]; 4]), &[1.0, 1.0, -1.0, -1.0], 1.0, 1e-3).unwrap();
        assert_eq!(plane.coefficients, [1.0, 1.0, -1.0, -1.0]);
        assert_eq!(plane.bias, 0.0);
    }
}
