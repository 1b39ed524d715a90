//! Random numbers for tests.

use warpface::Tensor;

/// Random numbers that are the same on every machine.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Values between `from` and `to`.
    pub fn tensor(&mut self, dims: &[usize], from: f32, to: f32) -> Tensor {
        let count = dims.iter().product::<usize>();
        Tensor::new(dims, (0..count).map(|_| from + (to - from) * self.unit()).collect())
    }

    /// Values between -1 and 1.
    pub fn signed(&mut self, dims: &[usize]) -> Tensor {
        self.tensor(dims, -1.0, 1.0)
    }

    /// Whole numbers 0 to 255.
    pub fn bytes(&mut self, dims: &[usize]) -> Tensor {
        let x = self.tensor(dims, 0.0, 256.0);
        Tensor::new(dims, x.data().iter().map(|x| x.floor().min(255.0)).collect())
    }
}
