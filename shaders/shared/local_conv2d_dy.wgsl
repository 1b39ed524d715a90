// Four elements of dy.
fn four_of_dy(places: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(dy[places.x], dy[places.y], dy[places.z], dy[places.w]);
}
