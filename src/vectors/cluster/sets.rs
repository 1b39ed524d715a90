//! Sets that are joined and never parted.

/// Disjoint sets of the numbers below some count.
pub(super) struct Sets(Vec<u32>);

impl Sets {
    /// Each number by itself.
    pub fn new(count: usize) -> Sets {
        Sets((0..count as u32).collect())
    }

    /// The least number of the set.
    pub fn least(&mut self, mut of: usize) -> usize {
        while self.0[of] as usize != of {
            // Halves the way for those who come after.
            self.0[of] = self.0[self.0[of] as usize];
            of = self.0[of] as usize;
        }
        of
    }

    /// Joins two sets.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.least(a), self.least(b));
        self.0[a.max(b)] = a.min(b) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_told_by_their_least_number() {
        let mut sets = Sets::new(6);
        for (a, b) in [(5, 3), (4, 1), (3, 4)] {
            sets.join(a, b);
        }
        assert_eq!((0..6).map(|i| sets.least(i)).collect::<Vec<_>>(), [0, 1, 2, 1, 1, 1]);
    }
}
