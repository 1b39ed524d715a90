// What the cascade's shaders share; it precedes each of them.

// A box on its way through the cascade: 64 bytes.
struct Box {
    // x1 y1 x2 y2: whole pixels, the photograph's first being 1.
    corners: vec4<i32>,
    // The network's offsets, fractions of the box.
    offsets: vec4<f32>,
    // P-Net: the offsets of the cell mirrored left to right. O-Net: the corners moved by the offsets.
    extra: vec4<f32>,
    score: f32,
    // The box's place in the original's list: of equal scores the later one is the better.
    order: u32,
    image: u32,
    unused: u32,
}

// A range of the lists of boxes: a level's of a photograph, or a whole photograph's.
struct Segment {
    first: u32,
    capacity: u32,
}

struct Image {
    w: u32,
    h: u32,
    // The first byte of its pixels.
    pixels: u32,
    // Its levels, in the table of segments.
    first_level: u32,
    levels: u32,
    // Its range of the lists of boxes.
    first: u32,
}

// Pixels, 0 to 255, as the networks take them. Scaling by a power of two is exact.
fn normalized(x: vec3<f32>) -> vec3<f32> {
    return (x - 127.5) * 0.0078125;
}

