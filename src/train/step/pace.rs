//! How fast training goes, and how long it will.

use std::time::Instant;

/// Images in a second and time left, from the times of steps.
#[derive(Debug)]
pub struct Pace {
    /// Steps in all, and how many are done.
    total: u64,
    done: u64,
    /// When the last step ended.
    last: Instant,
    /// When the first step began, and how many were done before.
    first: Option<(Instant, u64)>,
    /// Smoothed seconds of an image: one step in ten counts.
    image_seconds: Option<f64>,
}

impl Pace {
    /// For `total` steps, of which `done` were done before.
    pub fn new(total: u64, done: u64) -> Self {
        Pace { total, done, last: Instant::now(), first: None, image_seconds: None }
    }

    /// Counts a step on `images` images. Returns the seconds that are left: all that happened since the first step
    /// will go on happening, evaluations, checkpoints, the search for triplets.
    pub fn step(&mut self, images: usize) -> f64 {
        self.step_at(images, Instant::now())
    }

    /// Time that passed since the last step was not training's (an evaluation, a checkpoint), and does not count as a
    /// step's. It does for the time that is left.
    pub fn pause(&mut self) {
        self.last = Instant::now();
    }

    /// Images trained on in a second, as of late.
    pub fn images_per_second(&self) -> Option<f64> {
        self.image_seconds.filter(|&seconds| seconds > 0.0).map(|seconds| 1.0 / seconds)
    }

    fn step_at(&mut self, images: usize, now: Instant) -> f64 {
        let new = now.saturating_duration_since(self.last).as_secs_f64() / images.max(1) as f64;
        self.image_seconds = Some(self.image_seconds.map_or(new, |old| 0.9 * old + 0.1 * new));
        let (first, before) = *self.first.get_or_insert((self.last, self.done));
        (self.last, self.done) = (now, self.done + 1);
        let each = now.saturating_duration_since(first).as_secs_f64() / (self.done - before) as f64;
        self.total.saturating_sub(self.done) as f64 * each
    }
}

/// Seconds as `3d 04h`, `2h 05m`, `4m 09s` or `12s`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if days > 0 => format!("{days}d {:02}h", hours % 24),
        () if hours > 0 => format!("{hours}h {:02}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {:02}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_left_goes_by_all_that_was() {
        let mut pace = Pace::new(100, 40);
        let start = pace.last;
        let left: Vec<f64> = (1..=60).map(|i| pace.step_at(90, start + Duration::from_millis(500) * i)).collect();
        assert_eq!((left[0].round(), left[20].round(), left[59]), (30.0, 20.0, 0.0));
        assert!((pace.images_per_second().unwrap() - 180.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_step_takes_time_as_well() {
        let mut pace = Pace::new(10, 0);
        let start = pace.last;
        pace.step_at(90, start + Duration::from_secs(1));
        pace.last = start + Duration::from_secs(3);
        assert_eq!(pace.step_at(90, start + Duration::from_secs(4)).round(), 16.0);
        assert_eq!(pace.images_per_second().unwrap().round(), 90.0);
    }

    #[test]
    fn durations_have_two_parts() {
        let texts = [11.6, 60.0, 3599.0, 7500.0, 90000.0].map(duration);
        assert_eq!(texts, ["12s", "1m 00s", "59m 59s", "2h 05m", "1d 01h"]);
    }
}
