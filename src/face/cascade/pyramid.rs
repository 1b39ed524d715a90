//! The sizes at which the proposal network sees a photograph.

use crate::face::DetectOptions;

/// P-Net's receptive field, in pixels: the smallest image it can say anything about.
pub(crate) const CELL: usize = 12;

/// One level of the pyramid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Pixels of the level for one of the photograph.
    pub scale: f64,
    /// Columns, rounded up.
    pub width: usize,
    /// Rows, rounded up.
    pub height: usize,
}

/// The levels of a photograph, the largest first: faces of `min_size` pixels are 12 pixels in the first, and each
/// level shrinks by `factor` while the shorter side has 12 pixels.
pub(crate) fn levels(width: usize, height: usize, options: &DetectOptions) -> Vec<Level> {
    let base = CELL as f64 / options.min_size as f64;
    let mut shorter = width.min(height) as f64 * base;
    let mut levels = Vec::new();
    while shorter >= CELL as f64 {
        let scale = base * options.factor.powf(levels.len() as f64);
        let extent = |of: usize| (of as f64 * scale).ceil() as usize;
        levels.push(Level { scale, width: extent(width), height: extent(height) });
        shorter *= options.factor;
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_lfw_photograph_has_eight_levels() {
        let levels = levels(250, 250, &DetectOptions::default());
        let widths: Vec<usize> = levels.iter().map(|level| level.width).collect();
        assert_eq!(widths, [150, 107, 76, 54, 38, 27, 20, 14]);
    }

    #[test]
    fn too_small_a_photograph_has_none() {
        assert!(levels(19, 500, &DetectOptions::default()).is_empty());
        assert_eq!(levels(20, 500, &DetectOptions::default()).len(), 1);
    }
}
