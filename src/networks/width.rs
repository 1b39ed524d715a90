//! How wide a network is.

/// How wide a network is: the published one's channels, all by the same factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width(usize);

/// Steps of the factor: channels of Inception-ResNet's first layer, as published.
const STEPS: usize = 32;

impl Width {
    /// As published.
    pub const FULL: Width = Width(STEPS);

    /// So many thirty-secondths of the published channels: an even number up to 32. Inception-ResNet-v1 has as many
    /// channels in its first layer, and whole numbers in all of them.
    pub fn of_stem(channels: usize) -> Option<Width> {
        (channels.is_multiple_of(2) && (2..=STEPS).contains(&channels)).then_some(Width(channels))
    }

    /// The width at which `published` channels have become `channels`.
    pub fn of_channels(channels: usize, published: usize) -> Option<Width> {
        let width = Width::of_stem((channels * STEPS).div_ceil(published))?;
        (width.channels(published) == channels).then_some(width)
    }

    /// Channels where the published network has so many, rounded down.
    pub fn channels(self, published: usize) -> usize {
        published * self.0 / STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_told_by_their_channels() {
        for stem in (2..=32).step_by(2) {
            let width = Width::of_stem(stem).unwrap();
            for published in [32, 64, 96, 4096] {
                assert_eq!(Width::of_channels(width.channels(published), published), Some(width));
            }
        }
        assert_eq!([0, 1, 3, 34].map(Width::of_stem), [None; 4]);
        assert_eq!([Width::of_channels(5, 96), Width::of_channels(97, 96), Width::of_channels(0, 96)], [None; 3]);
    }
}
