// `base` is above zero.
fn power(base: f32, exponent: f32) -> f32 {
    if (exponent == 1.0) {
        return base;
    }
    if (exponent == 0.0) {
        return 1.0;
    }
    return pow(base, exponent);
}

fn powers(row: u32) -> f32 {
    var sum = 0.0;
    for (var i = row * p.d; i < (row + 1u) * p.d; i++) {
        sum += power(abs(x[i]) + p.epsilon, p.p);
    }
    return sum;
}
