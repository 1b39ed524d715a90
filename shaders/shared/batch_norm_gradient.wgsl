// The gradient of what comes before the activation.
fn before(dy: f32, normalized: f32, c: u32) -> f32 {
    return select(dy, 0.0, (p.flags & 1u) != 0u && scaled(normalized, c) <= 0.0);
}
