// What local response normalization and its gradient share: their parameters, and what an element is divided by.
struct Params {
    // n * h * w * c.
    elements: u32,
    c: u32,
    // Channels of the window on either side.
    radius: u32,
    bias: f32,
    alpha: f32,
    beta: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements / c, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;

// An element's window, from the first to one past the last: the elements of its row at most `radius` away.
fn window(at: u32) -> vec2<u32> {
    let channel = at % p.c;
    return vec2(at - min(channel, p.radius), at + min(p.c - channel - 1u, p.radius) + 1u);
}

// bias + alpha * sum of x^2 over the window.
fn divisor(window: vec2<u32>) -> f32 {
    var sum = 0.0;
    for (var j = window.x; j < window.y; j++) {
        sum += x[j] * x[j];
    }
    return p.bias + p.alpha * sum;
}

// d^-beta, d being above zero. Three quarters, which every published network has, are two roots.
fn factor(d: f32) -> f32 {
    if (p.beta == 0.75) {
        let root = sqrt(d);
        return 1.0 / (root * sqrt(root));
    }
    return pow(d, -p.beta);
}
