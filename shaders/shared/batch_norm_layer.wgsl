// The layer at one element: the input normalized, and what comes before the activation.
fn normalized(x: f32, c: u32) -> f32 {
    return (x - moments[c]) / sqrt(moments[p.c + c] + p.epsilon);
}

fn scaled(normalized: f32, c: u32) -> f32 {
    var rate = 1.0;
    if ((p.flags & 2u) != 0u) {
        rate = gamma[c];
    }
    return rate * normalized + beta[c];
}
