//! The cards: what their vendor publishes of them.

use warpface::Precision;

/// A card's published peaks.
#[derive(Debug)]
pub struct Card {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name in full.
    pub title: &'static str,
    /// Compute capability, which chooses the kernels.
    pub capability: (u32, u32),
    /// Streaming multiprocessors.
    pub multiprocessors: u32,
    /// Boost clock in Hz: of all but tensor cores, and of tensor cores, where the vendor's peaks differ in it.
    pub clock: [f64; 2],
    /// Dense products on tensor cores with sums in f32, in 10^12 floating-point operations a second: f16, bf16, tf32.
    pub tensor: [f64; 3],
    /// Lanes of f32 in a multiprocessor.
    pub fp32_lanes: f64,
    /// Lanes of 32-bit integers.
    pub integer_lanes: f64,
    /// Bytes of second-level cache.
    pub l2: u64,
    /// Bytes a second from that cache: as measured, and as the widths of its paths allow.
    pub l2_rate: [f64; 2],
    /// Bytes a second from memory.
    pub dram_rate: f64,
    /// Where the numbers stand.
    pub source: &'static str,
}

/// A path of 64 bytes a clock from L2 to each multiprocessor (NVIDIA A100 white paper, "A100 L2 Cache": 5120 bytes a clock in
/// all; Ada's and Blackwell's are not published, and taken to be as wide a multiprocessor).
const L2_PATH: f64 = 64.0;

const H100: Card = Card {
    name: "h100",
    title: "H100 SXM5 80 GB",
    capability: (9, 0),
    multiprocessors: 132,
    clock: [1.98e9, 1.83e9],
    tensor: [989.4, 989.4, 494.7],
    fp32_lanes: 128.0,
    integer_lanes: 64.0,
    l2: 50 << 20,
    l2_rate: [5.5e12, 5120.0 * 1.83e9],
    dram_rate: 3.35e12,
    source: "NVIDIA H100 white paper (table of peaks, clocks from footnotes); L2 as Chips and Cheese measured it in July 2023",
};

pub const CARDS: [Card; 6] = [
    H100,
    Card {
        name: "h200",
        title: "H200 SXM 141 GB",
        dram_rate: 4.8e12,
        source: "NVIDIA H200 data sheet; multiprocessors, clocks and L2 as H100",
        ..H100
    },
    Card {
        name: "a100",
        title: "A100 SXM4 80 GB",
        capability: (8, 0),
        multiprocessors: 108,
        clock: [1.41e9, 1.41e9],
        tensor: [312.0, 312.0, 156.0],
        fp32_lanes: 64.0,
        integer_lanes: 64.0,
        l2: 40 << 20,
        l2_rate: [4.5e12, 5120.0 * 1.41e9],
        dram_rate: 2.039e12,
        source: "NVIDIA A100 data sheet and white paper (L2: 5120 bytes a clock); the lower rate of L2 is an assumption",
    },
    Card {
        name: "l40s",
        title: "L40S 48 GB",
        capability: (8, 9),
        multiprocessors: 142,
        clock: [2.52e9, 2.52e9],
        tensor: [362.05, 362.05, 183.0],
        fp32_lanes: 128.0,
        integer_lanes: 64.0,
        l2: 96 << 20,
        l2_rate: [4.5e12, L2_PATH * 142.0 * 2.52e9],
        dram_rate: 864e9,
        source: "NVIDIA L40S data sheet; the rates of L2 are assumptions",
    },
    Card {
        name: "rtx4090",
        title: "GeForce RTX 4090",
        capability: (8, 9),
        multiprocessors: 128,
        clock: [2.52e9, 2.52e9],
        tensor: [165.2, 165.2, 82.6],
        fp32_lanes: 128.0,
        integer_lanes: 64.0,
        l2: 72 << 20,
        l2_rate: [4.5e12, L2_PATH * 128.0 * 2.52e9],
        dram_rate: 1.008e12,
        source: "NVIDIA Ada GPU architecture white paper, appendix A (sums in f32); the rates of L2 are assumptions",
    },
    Card {
        name: "rtx5090",
        title: "GeForce RTX 5090",
        capability: (12, 0),
        multiprocessors: 170,
        clock: [2.407e9, 2.407e9],
        tensor: [209.5, 209.5, 104.8],
        fp32_lanes: 128.0,
        integer_lanes: 128.0,
        l2: 96 << 20,
        l2_rate: [5.5e12, L2_PATH * 170.0 * 2.407e9],
        dram_rate: 1.792e12,
        source: "NVIDIA RTX Blackwell GPU architecture white paper, appendix (sums in f32); the rates of L2 are assumptions",
    },
];

impl Card {
    /// The card of a name.
    pub fn named(name: &str) -> Result<&'static Card, String> {
        let names = || CARDS.iter().map(|card| card.name).collect::<Vec<_>>().join(", ");
        CARDS.iter().find(|card| card.name == name).ok_or_else(|| format!("the cards are {}", names()))
    }

    /// Products, each with its addition, that a multiprocessor's tensor cores make in a clock; none in f32.
    pub fn tensor_products(&self, precision: Precision) -> Option<f64> {
        let rate = self.operations(precision)?;
        Some(rate / 2.0 / f64::from(self.multiprocessors) / self.clock[1])
    }

    /// Floating-point operations of tensor cores in a second; none in f32.
    fn operations(&self, precision: Precision) -> Option<f64> {
        let [f16, bf16, tf32] = self.tensor;
        let trillions = match precision {
            Precision::F16 => f16,
            Precision::Bf16 => bf16,
            Precision::Tf32 => tf32,
            Precision::F32 => return None,
        };
        Some(trillions * 1e12)
    }

    /// The most floating-point operations of a product in this precision in a second.
    pub fn peak(&self, precision: Precision) -> f64 {
        let fp32 = 2.0 * self.fp32_lanes * f64::from(self.multiprocessors) * self.clock[0];
        self.operations(precision).unwrap_or(fp32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published peaks are whole numbers of products a clock, and f32's are those of its lanes.
    #[test]
    fn peaks_agree_with_clocks() {
        for (name, products, fp32) in [
            ("h100", 2048.0, 66.9),
            ("h200", 2048.0, 66.9),
            ("a100", 1024.0, 19.5),
            ("l40s", 512.0, 91.6),
            ("rtx4090", 256.0, 82.6),
            ("rtx5090", 256.0, 104.8),
        ] {
            let card = Card::named(name).unwrap();
            let of_clock = card.tensor_products(Precision::F16).unwrap();
            assert!((of_clock / products - 1.0).abs() < 0.02, "{name}: {of_clock}");
            let peak = card.peak(Precision::F32) / 1e12;
            assert!((peak / fp32 - 1.0).abs() < 0.01, "{name}: {peak}");
            assert!(card.l2_rate[0] < card.l2_rate[1] && card.dram_rate < card.l2_rate[0], "{name}");
        }
        assert!(Card::named("h1000").is_err());
    }
}
