use crate::Case;
use crate::common::Noise;
use warpface::ops::ResizeArea;

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for bytes in [true, false] {
        for ([n, h, w, c], [h_out, w_out]) in [
            ([1, 1, 1, 1], [1, 1]),
            ([1, 1, 1, 3], [5, 7]),
            ([2, 50, 41, 3], [30, 25]),
            ([1, 48, 48, 3], [24, 24]),
            ([1, 72, 72, 3], [24, 24]),
            ([1, 20, 20, 1], [10, 10]),
            ([1, 20, 12, 2], [5, 4]),
            ([3, 37, 36, 3], [24, 24]),
            ([1, 17, 19, 3], [24, 24]),
            ([1, 23, 25, 3], [24, 24]),
            ([1, 24, 24, 3], [24, 24]),
            ([1, 250, 250, 3], [107, 107]),
        ] {
            let op = ResizeArea { h: h_out, w: w_out, bytes };
            let x = Noise::new(24).bytes(&[n, h, w, c]);
            cases.push(Case::new(format!("bytes {bytes} {n} {h}x{w}x{c} to {h_out}x{w_out}"), op, vec![x]));
        }
    }
    cases
}

backend_test!(cases);
