struct Params {
    rows: u32,
    c: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
