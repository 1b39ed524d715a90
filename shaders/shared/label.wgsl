// Whether a number, stored as a float, is that of one of so many rows.
fn is_row(number: f32, count: u32) -> bool {
    return number >= 0.0 && number < f32(count) && number == trunc(number);
}

// Not a number, which a constant cannot be: made of any number that is known at run time alone.
fn not_a_number(any: u32) -> f32 {
    return bitcast<f32>(0x7fc00000u | min(any, 0u));
}
