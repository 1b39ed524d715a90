// A step of an optimizer for a vector of weights, in place, by TensorFlow's rules with FaceNet's constants:
// see src/ops/optimizer.rs.
//
//     g = rates[1] gradient + decay w for the first weights, rates[1] gradient for the others
//     Adagrad   a += g^2;                  w -= rate g / sqrt(a)
//     Adadelta  a = .9 a + .1 g^2;         u = sqrt(b + 1e-6) / sqrt(a + 1e-6) g;  b = .9 b + .1 u^2;  w -= rate u
//     Adam      a += .1 (g - a);           b += .001 (g^2 - b);                    w -= rate a / (sqrt(b) + .1)
//     RMSProp   a += .1 (g^2 - a);         b = .9 b + rate g / sqrt(a + 1);        w -= b
//     Momentum  a = .9 a + g;              w -= rate (g + .9 a)
//     average -= (1 - rates[2]) (average - w)
//
// Nothing if `finite` is 0. One thread an element. The rows of the state are bound one by one, for a binding may be too
// small for all of them, each with the element that it begins at. Operations: some 12 an element.
// Bytes: the gradient read once, each row read and written once.

struct Params {
    elements: u32,
    decayed: u32,
    decay: f32,
    // 0 Adagrad, 1 Adadelta, 2 Adam, 3 RMSProp, 4 Momentum.
    kind: u32,
    has_b: u32,
    has_average: u32,
    from_w: u32,
    from_a: u32,
    from_b: u32,
    from_average: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// gradient: [elements] f32
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
// rates: [3] f32
@group(0) @binding(2) var<storage, read_write> rates: array<f32>;
// finite: [1] f32
@group(0) @binding(3) var<storage, read_write> finite: array<f32>;
// w: [elements] f32
@group(0) @binding(4) var<storage, read_write> w: array<f32>;
// a: [elements] f32
@group(0) @binding(5) var<storage, read_write> a: array<f32>;
// b: [elements, or nothing] f32
@group(0) @binding(6) var<storage, read_write> b: array<f32>;
// average: [elements, or nothing] f32
@group(0) @binding(7) var<storage, read_write> average: array<f32>;

@compute @workgroup_size(64)
fn optimizer_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements || finite[0] == 0.0) {
        return;
    }
    let rate = rates[0];
    var weight = w[p.from_w + at];
    var first = a[p.from_a + at];
    var second = 0.0;
    if (p.has_b != 0u) {
        second = b[p.from_b + at];
    }
    var g = rates[1] * gradient[at];
    if (at < p.decayed) {
        g += p.decay * weight;
    }
    switch p.kind {
        case 0u: {
            first += g * g;
            weight -= rate * g / sqrt(first);
        }
        case 1u: {
            first = 0.9 * first + (1.0f - 0.9f) * (g * g);
            let change = sqrt(second + 1e-6) / sqrt(first + 1e-6) * g;
            second = 0.9 * second + (1.0f - 0.9f) * (change * change);
            weight -= rate * change;
        }
        case 2u: {
            first += (g - first) * (1.0f - 0.9f);
            second += (g * g - second) * (1.0f - 0.999f);
            weight -= rate * first / (sqrt(second) + 0.1);
        }
        case 3u: {
            first += (g * g - first) * (1.0f - 0.9f);
            second = 0.9 * second + rate * g / sqrt(first + 1.0);
            weight -= second;
        }
        default: {
            first = 0.9 * first + g;
            weight -= rate * (g + 0.9 * first);
        }
    }
    w[p.from_w + at] = weight;
    a[p.from_a + at] = first;
    if (p.has_b != 0u) {
        b[p.from_b + at] = second;
    }
    if (p.has_average != 0u) {
        let i = p.from_average + at;
        average[i] -= (1.0 - rates[2]) * (average[i] - weight);
    }
}
