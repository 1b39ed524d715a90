// Whether a number, stored as a float, is that of one of so many rows.
fn is_row(number: f32, count: u32) -> bool {
    return number >= 0.0 && number < f32(count) && number == trunc(number);
}

// Not a number, which a constant cannot be.
fn not_a_number() -> f32 {
    return bitcast<f32>(0x7fc00000u | min(p.rows, 0u));
}
