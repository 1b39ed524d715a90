//! How near each op's f32 result must be to the exact one, on every backend.

use super::close::Tolerance;

/// What f64 arithmetic must reach against dumps that were computed in f64 and rounded to f32.
pub const ROUNDED: Tolerance = Tolerance::new(1e-9, 6.1e-8);

/// The tolerance of an op, by stem.
pub fn of(stem: &str) -> Tolerance {
    match stem {
        // They move values, choose among them, or count in whole numbers.
        "box_pad" | "concat" | "crop" | "flatten" | "max_pool2d" | "nms" | "relu" | "resize_area"
        | "resize_bilinear" => Tolerance::EXACT,
        // Sums of products of values around 1.
        "conv2d" | "dense" | "local_conv2d" => Tolerance::new(2e-6, 2e-6),
        "avg_pool2d" | "batch_norm" | "prelu" | "scaled_add" => Tolerance::new(1e-6, 1e-6),
        "l2_normalize" | "softmax" => Tolerance::new(1e-7, 2e-6),
        "triplet_loss" => Tolerance::new(1e-6, 1e-5),
        // The arc cosine of a rounded similarity.
        "pairwise_distance" => Tolerance::new(1e-6, 2e-6),
        // The mean is of values up to 255, the result of some around 1.
        "standardize" => Tolerance::new(5e-6, 2e-6),
        // Pixels, of which 1e-4 decides nothing.
        "box_regression" | "rerec" => Tolerance::new(2e-5, 1e-6),
        _ => panic!("no tolerance for {stem}"),
    }
}
