//! The list of ops: a line each, of the op's stem and its type, and of what else its module exports.
//!
//! `for_each_op!(callback)` calls `callback! { .. }` with the whole list. Modules, re-exports, the variants of `Op`,
//! launches, tests, golden tests and benchmarks are made of it; `benches/` and `tests/` take this file by its path.

macro_rules! for_each_op {
    ($callback:ident) => {
        $callback! {
            /// Which rows are classified as their labels say.
            accuracy::Accuracy;
            /// Mean over a window.
            avg_pool2d::AvgPool2d;
            /// Gradient of a mean over a window.
            avg_pool2d_bwd::AvgPool2dBwd;
            /// Mean and variances of each channel.
            batch_moments::BatchMoments;
            /// Batch normalization with given statistics.
            batch_norm::BatchNorm;
            /// Gradient of batch normalization's input.
            batch_norm_bwd_data::BatchNormBwdData;
            /// Sums for the gradients of batch normalization.
            batch_norm_bwd_sums::BatchNormBwdSums;
            /// Batch normalization with the batch's statistics.
            batch_norm_train::BatchNormTrain;
            /// Boxes clipped to the image.
            box_pad::BoxPad;
            /// Boxes moved by the networks' offsets.
            box_regression::BoxRegression;
            /// From one storage to the other.
            cast::Cast;
            /// Distance to the centers of classes.
            center_loss::CenterLoss;
            /// The gradient of [`CenterLoss`].
            center_loss_bwd::CenterLossBwd;
            /// Centers following their features.
            center_update::CenterUpdate;
            /// Sums over all but channels.
            channel_sum::ChannelSum;
            /// Joining along channels.
            concat::Concat;
            /// Convolution with shared filters.
            conv2d::Conv2d;
            /// Gradient of a convolution's input.
            conv2d_bwd_data::Conv2dBwdData;
            /// Gradient of a convolution's filters.
            conv2d_bwd_filter::Conv2dBwdFilter;
            /// A window of the image.
            crop::Crop;
            /// Matrix product with a weight.
            dense::Dense;
            /// Gradient of a dense layer's input.
            dense_bwd_data::DenseBwdData;
            /// Gradient of a dense layer's weight.
            dense_bwd_filter::DenseBwdFilter;
            /// Dropout by addressed random numbers.
            dropout::Dropout;
            /// The same values as rows.
            flatten::Flatten;
            /// Rows by their numbers.
            gather_rows::GatherRows;
            /// The gradient of [`GatherRows`].
            gather_rows_bwd::GatherRowsBwd;
            /// Whether all elements are finite.
            is_finite::IsFinite;
            /// Tensors end to end.
            join::Join;
            /// Half the sum of squares.
            l2_loss::L2Loss;
            /// The gradient of [`L2Loss`].
            l2_loss_bwd::L2LossBwd;
            /// Division by the Euclidean norm.
            l2_normalize::L2Normalize;
            /// The gradient of [`L2Normalize`].
            l2_normalize_bwd::L2NormalizeBwd;
            /// Euclidean norm over a window.
            l2_pool2d::L2Pool2d;
            /// Gradient of a Euclidean norm over a window.
            l2_pool2d_bwd::L2Pool2dBwd;
            /// Convolution with a filter per output position.
            local_conv2d::LocalConv2d;
            /// Gradient of a locally connected layer's bias.
            local_conv2d_bwd_bias::LocalConv2dBwdBias;
            /// Gradient of a locally connected layer's input.
            local_conv2d_bwd_data::LocalConv2dBwdData;
            /// Gradient of a locally connected layer's filters.
            local_conv2d_bwd_filter::LocalConv2dBwdFilter;
            /// Division by the neighbouring channels' power.
            lrn::Lrn;
            /// The gradient of [`Lrn`].
            lrn_bwd::LrnBwd;
            /// Maximum over a window.
            max_pool2d::MaxPool2d;
            /// Gradient of a maximum over a window.
            max_pool2d_bwd::MaxPool2dBwd;
            /// The mean of all elements.
            mean::Mean;
            /// The gradient of [`Mean`].
            mean_bwd::MeanBwd;
            /// The choice of negatives within a batch.
            mine_triplets::MineTriplets, Mining;
            /// An exponential moving average.
            moving_average::MovingAverage;
            /// The nearest rows of another matrix.
            nearest_rows::NearestRows, RowStorage;
            /// Non-maximum suppression.
            nms::Nms, Overlap;
            /// The mean norm of rows.
            norm_loss::NormLoss;
            /// The gradient of [`NormLoss`].
            norm_loss_bwd::NormLossBwd;
            /// A step of an optimizer.
            optimizer::Optimizer, OptimizerKind;
            /// Zeros around an image, or less of it.
            pad2d::Pad2d;
            /// Distances between all rows of two matrices.
            pairwise_distance::PairwiseDistance, Metric;
            /// A stretch of a tensor.
            part::Part;
            /// Leaky rectifier with a slope per channel.
            prelu::PRelu;
            /// Gradient of a leaky rectifier's slopes.
            prelu_bwd_alpha::PReluBwdAlpha;
            /// Gradient of a leaky rectifier's input.
            prelu_bwd_data::PReluBwdData;
            /// Rectifier.
            relu::Relu;
            /// Gradient of a rectifier.
            relu_bwd::ReluBwd;
            /// Boxes made square.
            rerec::Rerec;
            /// OpenCV's `INTER_AREA`.
            resize_area::ResizeArea;
            /// Pillow's antialiased bilinear filter.
            resize_bilinear::ResizeBilinear;
            /// Multiplication by a constant.
            scale::Scale;
            /// `a + scale * b`.
            scaled_add::ScaledAdd;
            /// A stretch of channels.
            slice::Slice;
            /// Exponentials over their sum.
            softmax::Softmax;
            /// The gradient of [`Softmax`].
            softmax_bwd::SoftmaxBwd;
            /// Cross entropy of a softmax with labels.
            softmax_cross_entropy::SoftmaxCrossEntropy;
            /// The gradient of [`SoftmaxCrossEntropy`].
            softmax_cross_entropy_bwd::SoftmaxCrossEntropyBwd;
            /// Pixels to network input.
            standardize::Standardize;
            /// FaceNet's triplet loss.
            triplet_loss::TripletLoss;
            /// The gradients of [`TripletLoss`].
            triplet_loss_bwd::TripletLossBwd, Triplet;
            /// OpenCV's `warpAffine`.
            warp_affine::WarpAffine;
        }
    };
}

pub(crate) use for_each_op;
