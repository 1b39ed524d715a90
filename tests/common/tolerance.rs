//! How near to the exact result each op must come in f32.

use warpface::ops::Op;

use super::Tolerance;

/// What f64 arithmetic must reach against dumps that were computed in f64 and rounded to f32.
pub const ROUNDED: Tolerance = Tolerance::new(1e-9, 6.1e-8);

/// The tolerance of an op on a kind of device.
pub fn of(op: &Op, kind: &str) -> Tolerance {
    match op {
        // Sums of up to some hundred products of values around 1.
        Op::Conv2d(_) | Op::Dense(_) | Op::LocalConv2d(_) => Tolerance::new(5e-6, 5e-6),
        Op::Conv2dBwdData(_) | Op::DenseBwdData(_) | Op::LocalConv2dBwdData(_) => Tolerance::new(5e-6, 5e-6),
        Op::Conv2dBwdFilter(_) | Op::DenseBwdFilter(_) | Op::LocalConv2dBwdFilter(_) => Tolerance::new(5e-6, 5e-6),
        // Sums over all rows.
        Op::ChannelSum(_) | Op::LocalConv2dBwdBias(_) | Op::PReluBwdAlpha(_) | Op::BatchMoments(_) => {
            Tolerance::new(5e-6, 5e-6)
        }
        Op::BatchNormBwdSums(_) | Op::BatchNormBwdData(_) => Tolerance::new(5e-6, 5e-6),
        Op::AvgPool2d(_) | Op::BatchNorm(_) | Op::PRelu(_) | Op::ScaledAdd(_) => Tolerance::new(1e-6, 1e-6),
        Op::AvgPool2dBwd(_) | Op::MaxPool2dBwd(_) | Op::BatchNormTrain(_) | Op::PReluBwdData(_) | Op::Scale(_) => {
            Tolerance::new(1e-6, 4e-6)
        }
        // GPUs' exponentials and roots are off by some last bits.
        Op::L2Normalize(_) | Op::Softmax(_) => Tolerance::new(1e-6, 4e-6),
        // The arc cosine of a rounded similarity.
        Op::PairwiseDistance(_) => Tolerance::new(2e-6, 4e-6),
        Op::TripletLoss(_) | Op::TripletLossBwd(_) => Tolerance::new(1e-6, 1e-5),
        // Sums, roots and exponentials of f32.
        Op::L2NormalizeBwd(_) | Op::SoftmaxBwd(_) | Op::SoftmaxCrossEntropy(_) | Op::SoftmaxCrossEntropyBwd(_) => {
            Tolerance::new(1e-6, 4e-6)
        }
        Op::CenterLoss(_) | Op::CenterLossBwd(_) | Op::CenterUpdate(_) | Op::Mean(_) | Op::L2Loss(_) => {
            Tolerance::new(1e-6, 2e-6)
        }
        Op::NormLoss(_) | Op::NormLossBwd(_) => Tolerance::new(1e-6, 1e-5),
        Op::GatherRowsBwd(_) | Op::L2LossBwd(_) | Op::MeanBwd(_) | Op::MovingAverage(_) => Tolerance::new(1e-6, 1e-6),
        Op::Optimizer(_) => Tolerance::new(1e-7, 2e-6),
        Op::NearestOther(_) => Tolerance::new(1e-6, 4e-6),
        Op::Dropout(_) => Tolerance::new(0.0, 1e-6),
        // The mean is of values up to 255, the result around 1.
        Op::Standardize(_) => Tolerance::new(1e-5, 4e-6),
        // Pixels.
        Op::BoxRegression(_) | Op::Rerec(_) => Tolerance::new(1e-4, 1e-6),
        // The order of OpenCV's sums is kept on the CPU; a GPU may fuse a product into them.
        Op::ResizeArea(resize) if !resize.bytes && kind != "cpu" => Tolerance::new(1e-4, 1e-6),
        // What moves values, chooses among them, or counts in whole numbers.
        Op::Accuracy(_)
        | Op::BoxPad(_)
        | Op::Concat(_)
        | Op::Crop(_)
        | Op::Flatten(_)
        | Op::GatherRows(_)
        | Op::IsFinite(_)
        | Op::MaxPool2d(_)
        | Op::MineTriplets(_)
        | Op::Nms(_)
        | Op::Relu(_)
        | Op::ReluBwd(_)
        | Op::ResizeArea(_)
        | Op::ResizeBilinear(_)
        | Op::Join(_)
        | Op::Part(_)
        | Op::Cast(_)
        | Op::Slice(_) => Tolerance::EXACT,
    }
}
