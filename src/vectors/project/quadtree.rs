//! A quadtree over points of a plane: what is far away counts as one point (Barnes and Hut, 1986).

/// No child.
const NONE: u32 = u32::MAX;
/// Points that are closer than the plane's extent / 2^32 are one point.
const DEEPEST: u32 = 32;

/// A square of the plane.
struct Node {
    /// The middle, and half of a side.
    middle: [f64; 2],
    half: f64,
    /// How many points are in it, and their mean.
    mass: f64,
    mean: [f64; 2],
    children: [u32; 4],
    is_leaf: bool,
}

/// The tree.
pub struct Quadtree {
    nodes: Vec<Node>,
}

/// What all points do to one: see [`Quadtree::repulsion`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Repulsion {
    /// `sum 1 / (1 + d^2)` over all other points.
    pub similarity: f64,
    /// `sum (x - y) / (1 + d^2)^2` over all other points.
    pub force: [f64; 2],
}

impl Quadtree {
    /// The tree of points, which are inserted in their order.
    pub fn new(points: &[[f64; 2]]) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for point in points {
            for k in 0..2 {
                (low[k], high[k]) = (low[k].min(point[k]), high[k].max(point[k]));
            }
        }
        let half = ((high[0] - low[0]).max(high[1] - low[1]) / 2.0).max(f64::MIN_POSITIVE) * (1.0 + 1e-9);
        let middle = [0, 1].map(|k| (low[k] + high[k]) / 2.0);
        let mut tree = Quadtree { nodes: vec![Node::empty(middle, half)] };
        points.iter().for_each(|point| tree.insert(*point));
        tree
    }

    fn insert(&mut self, point: [f64; 2]) {
        let (mut at, mut depth) = (0, 0);
        loop {
            let node = &mut self.nodes[at];
            let (old_mass, old_mean) = (node.mass, node.mean);
            node.add(point, 1.0);
            if node.is_leaf && (old_mass == 0.0 || depth == DEEPEST) {
                return;
            }
            if node.is_leaf {
                // What was alone here moves down.
                node.is_leaf = false;
                let child = self.child(at, old_mean);
                self.nodes[child].add(old_mean, old_mass);
            }
            at = self.child(at, point);
            depth += 1;
        }
    }

    /// The child of a node that a point belongs to, made where there is none.
    fn child(&mut self, at: usize, point: [f64; 2]) -> usize {
        let node = &self.nodes[at];
        let side = [0, 1].map(|k| usize::from(point[k] > node.middle[k]));
        let quarter = 2 * side[1] + side[0];
        if node.children[quarter] == NONE {
            let half = node.half / 2.0;
            let middle = [0, 1].map(|k| node.middle[k] + if side[k] == 1 { half } else { -half });
            let new = self.nodes.len();
            self.nodes[at].children[quarter] = new as u32;
            self.nodes.push(Node::empty(middle, half));
        }
        self.nodes[at].children[quarter] as usize
    }

    /// What all points of the tree do to one of them. A square counts as one point where its side is less than `theta` times
    /// its distance; `theta` below 1 never takes a square for one that the point itself lies in.
    pub fn repulsion(&self, point: [f64; 2], theta: f64, stack: &mut Vec<u32>) -> Repulsion {
        let mut sum = Repulsion::default();
        stack.clear();
        stack.push(0);
        while let Some(at) = stack.pop() {
            let node = &self.nodes[at as usize];
            let away = [0, 1].map(|k| point[k] - node.mean[k]);
            let square = away[0] * away[0] + away[1] * away[1];
            if node.is_leaf || 4.0 * node.half * node.half < theta * theta * square {
                let similarity = 1.0 / (1.0 + square);
                sum.similarity += node.mass * similarity;
                let strength = node.mass * similarity * similarity;
                (0..2).for_each(|k| sum.force[k] += strength * away[k]);
            } else {
                stack.extend(node.children.iter().copied().filter(|&child| child != NONE));
            }
        }
        // The point itself was among them, at no distance.
        sum.similarity -= 1.0;
        sum
    }
}

impl Node {
    fn empty(middle: [f64; 2], half: f64) -> Self {
        Node { middle, half, mass: 0.0, mean: [0.0; 2], children: [NONE; 4], is_leaf: true }
    }

    fn add(&mut self, point: [f64; 2], mass: f64) {
        let mean = [0, 1].map(|k| (self.mean[k] * self.mass + point[k] * mass) / (self.mass + mass));
        // The mean of equal points is that point, not what rounding makes of it.
        self.mean = if self.mass == 0.0 { point } else { mean };
        self.mass += mass;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn all(points: &[[f64; 2]], point: [f64; 2]) -> Repulsion {
        let mut sum = Repulsion { similarity: -1.0, force: [0.0; 2] };
        for other in points {
            let away = [0, 1].map(|k| point[k] - other[k]);
            let similarity = 1.0 / (1.0 + away[0] * away[0] + away[1] * away[1]);
            sum.similarity += similarity;
            (0..2).for_each(|k| sum.force[k] += similarity * similarity * away[k]);
        }
        sum
    }

    #[test]
    fn a_theta_of_nothing_is_exact_and_a_half_is_near() {
        let mut random = Stream::new(3, 0, 0);
        let mut points: Vec<[f64; 2]> = (0..300).map(|_| [0, 1].map(|_| 20.0 * f64::from(random.uniform()))).collect();
        // Some are equal.
        points.extend_from_within(..20);
        let (tree, mut stack) = (Quadtree::new(&points), Vec::new());
        for &point in points.iter().step_by(7) {
            let expected = all(&points, point);
            let close = |found: Repulsion, within: f64| {
                let errors = [
                    found.similarity - expected.similarity,
                    found.force[0] - expected.force[0],
                    found.force[1] - expected.force[1],
                ];
                errors.iter().all(|error| error.abs() < within * (1.0 + expected.similarity))
            };
            assert!(close(tree.repulsion(point, 0.0, &mut stack), 1e-9));
            assert!(close(tree.repulsion(point, 0.5, &mut stack), 0.02));
        }
    }

    #[test]
    fn equal_points_end() {
        let tree = Quadtree::new(&[[0.5, 0.5]; 100]);
        let found = tree.repulsion([0.5, 0.5], 0.5, &mut Vec::new());
        assert!((found.similarity - 99.0).abs() < 1e-9 && found.force == [0.0; 2], "{found:?}");
        assert!(Quadtree::new(&[[0.0, 0.0], [1e-300, 0.0], [1.0, 1.0]]).nodes.len() < 100);
    }
}
