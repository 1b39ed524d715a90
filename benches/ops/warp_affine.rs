use crate::{Bench, Input, op_in_f32, pixels};
use warpface::image::Warp;
use warpface::ops::WarpAffine;

pub fn cases(bench: &mut Bench) {
    for warp in [Warp::Exact, Warp::OpenCv4] {
        for side in [112, 160] {
            let op = WarpAffine { h: side, w: side, warp };
            let scale = side as f64 / 190.0;
            let map = [[scale, 0.1, -0.2 * side as f64], [-0.1, scale, -0.1 * side as f64]];
            let places = op.places(&[map]);
            let places = Input::Given(places.shape().clone(), places.into_data());
            op_in_f32(bench, &format!("face of 250 to {side}, {warp}"), op, vec![pixels([1, 250, 250, 3]), places]);
        }
    }
}
