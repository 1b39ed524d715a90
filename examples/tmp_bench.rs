use std::sync::Arc;
use std::time::Instant;
use warpface::backend::{
    Executable,
    cpu::{Cpu, Isa},
};
use warpface::ops::*;
use warpface::*;
fn main() {
    for isa in Isa::ALL.into_iter().filter(|i| i.is_available()) {
        let cpu = Cpu::with_isa(1, isa).unwrap();
        for (n, h, w, ci, co, kh, kw, s, p) in [
            (1, 147, 147, 3, 32, 3, 3, 2, Padding::Valid),
            (1, 79, 79, 32, 32, 3, 3, 1, Padding::Valid),
            (1, 77, 77, 32, 64, 3, 3, 1, Padding::Same),
            (1, 38, 38, 80, 192, 3, 3, 1, Padding::Valid),
            (4, 17, 17, 32, 32, 3, 3, 1, Padding::Same),
            (4, 17, 17, 96, 256, 1, 1, 1, Padding::Same),
            (4, 17, 17, 256, 384, 3, 3, 2, Padding::Valid),
            (4, 8, 8, 896, 128, 1, 1, 1, Padding::Same),
            (4, 8, 8, 128, 128, 1, 7, 1, Padding::Same),
            (8, 3, 3, 1792, 192, 1, 1, 1, Padding::Same),
            (1, 150, 150, 3, 10, 3, 3, 1, Padding::Valid),
        ] {
            let mut g = Graph::new();
            let x = g.input("x");
            let wn = g.param("w", Tensor::new([co, kh, kw, ci], vec![0.01; co * kh * kw * ci]));
            let b = g.param("b", Tensor::new([co], vec![0.0; co]));
            let y = g.op("c", Conv2d::new(p).stride([s; 2]).activation(Activation::Relu), &[x, wn, b]);
            g.output(y);
            let e = cpu.module(Arc::new(g)).unwrap().executable(&[Shape::from([n, h, w, ci])], false).unwrap();
            let inp = vec![0.5f32; n * h * w * ci];
            let fl = e.plan().flops() as f64;
            let mut best = 1e9f64;
            for _ in 0..12 {
                let t = e.profile(&[&inp]).unwrap()[0].as_secs_f64();
                best = best.min(t);
            }
            println!("{isa} {n}x{h}x{w}x{ci}->{co} {kh}x{kw}/{s}: {:.3} ms {:.1} GF/s", best * 1e3, fl / best / 1e9);
        }
    }
}
