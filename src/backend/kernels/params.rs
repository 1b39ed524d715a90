//! The shaders' parameters, field for field; `tests/sync.rs` compares them with the shaders' own.

use bytemuck::{Pod, Zeroable};

/// The parameters of one shader.
pub(crate) trait Params: Pod {
    /// The shader.
    const STEM: &'static str;
}

/// How the parameters of a shader lie in memory here: to be compared with the shader's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamsLayout {
    /// The shader.
    pub stem: &'static str,
    /// Bytes of all fields.
    pub size: usize,
    /// Each field's name and offset in bytes.
    pub fields: Vec<(&'static str, usize)>,
}

macro_rules! params {
    ($($name:ident: $stem:literal { $($field:ident: $type:ty),* $(,)? })+) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
            pub(crate) struct $name { $(pub $field: $type,)* }

            impl Params for $name {
                const STEM: &'static str = $stem;
            }
        )+

        /// The parameters of every shader.
        pub fn params_layouts() -> Vec<ParamsLayout> {
            vec![$(ParamsLayout {
                stem: $stem,
                size: size_of::<$name>(),
                fields: vec![$((stringify!($field), std::mem::offset_of!($name, $field)),)*],
            },)+]
        }
    };
}

params! {
    Conv2d: "conv2d" {
        h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, stride_y: u32, stride_x: u32, pad_y: u32,
        pad_x: u32, taps_y: u32, taps_x: u32, run: u32, pixels: u32, columns: u32, y_offset: u32, y_stride: u32,
        flags: u32, scale: f32,
    }
    LocalConv2d: "local_conv2d" {
        h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_h: u32, k_w: u32, stride_y: u32,
        stride_x: u32, outputs: u32, relu: u32,
    }
    Dense: "dense" { rows: u32, k: u32, c_out: u32, columns: u32, flags: u32 }
    Pack: "pack" {
        elements: u32, pitch: u32, c_out: u32, k_h: u32, k_w: u32, c_in: u32, taps_y: u32, taps_x: u32, last_y: u32,
        last_x: u32, step_y: u32, step_x: u32, backward: u32,
    }
    Conv2dBwdData: "conv2d_bwd_data" {
        elements: u32, h: u32, w: u32, c: u32, stride_y: u32, stride_x: u32, pad_y: u32, pad_x: u32,
    }
    DenseBwdData: "dense_bwd_data" { rows: u32, k: u32, c_out: u32 }
    Conv2dBwdFilter: "conv2d_bwd_filter" {
        h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_w: u32, stride_y: u32, stride_x: u32,
        pad_y: u32, pad_x: u32, k: u32, pixels: u32, chunk: u32, chunks: u32,
    }
    DenseBwdFilter: "dense_bwd_filter" {
        h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_w: u32, stride_y: u32, stride_x: u32,
        pad_y: u32, pad_x: u32, k: u32, pixels: u32, chunk: u32, chunks: u32,
    }
    LocalConv2dBwdData: "local_conv2d_bwd_data" {
        n: u32, h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_h: u32, k_w: u32, stride_y: u32,
        stride_x: u32,
    }
    LocalConv2dBwdFilter: "local_conv2d_bwd_filter" {
        n: u32, h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_h: u32, k_w: u32, stride_y: u32,
        stride_x: u32, threads: u32,
    }
    LocalConv2dBwdBias: "local_conv2d_bwd_bias" { n: u32, elements: u32 }
    ChannelSum: "channel_sum" { rows: u32, c: u32, chunk: u32, chunks: u32, width: u32 }
    PReluBwdAlpha: "prelu_bwd_alpha" { rows: u32, c: u32, chunk: u32, chunks: u32, width: u32 }
    BatchNormBwdSums: "batch_norm_bwd_sums" {
        rows: u32, c: u32, chunk: u32, chunks: u32, width: u32, epsilon: f32, flags: u32,
    }
    BatchMoments: "batch_moments" { rows: u32, c: u32, chunk: u32, chunks: u32, correction: f32 }
    BatchNormTrain: "batch_norm_train" {
        elements: u32, c: u32, epsilon: f32, flags: u32, y_offset: u32, y_stride: u32,
    }
    BatchNormBwdData: "batch_norm_bwd_data" { elements: u32, c: u32, epsilon: f32, flags: u32 }
    ReluBwd: "relu_bwd" { elements: u32 }
    PReluBwdData: "prelu_bwd_data" { elements: u32, c: u32 }
    MaxPool2dBwd: "max_pool2d_bwd" {
        h: u32, w: u32, c: u32, h_out: u32, w_out: u32, k_h: u32, k_w: u32, stride_y: u32, stride_x: u32, pad_y: u32,
        pad_x: u32, elements: u32,
    }
    AvgPool2dBwd: "avg_pool2d_bwd" {
        h: u32, w: u32, c: u32, h_out: u32, w_out: u32, k_h: u32, k_w: u32, stride_y: u32, stride_x: u32, pad_y: u32,
        pad_x: u32, elements: u32,
    }
    Slice: "slice" { elements: u32, c: u32, c_in: u32, offset: u32 }
    Scale: "scale" { elements: u32, factor: f32 }
    PRelu: "prelu" { elements: u32, c: u32 }
    Relu: "relu" { elements: u32 }
    MaxPool2d: "max_pool2d" {
        h: u32, w: u32, c: u32, h_out: u32, w_out: u32, k_h: u32, k_w: u32, stride_y: u32, stride_x: u32, pad_y: u32,
        pad_x: u32, outputs: u32, y_offset: u32, y_stride: u32,
    }
    AvgPool2d: "avg_pool2d" {
        h: u32, w: u32, c: u32, h_out: u32, w_out: u32, k_h: u32, k_w: u32, stride_y: u32, stride_x: u32, pad_y: u32,
        pad_x: u32, outputs: u32, y_offset: u32, y_stride: u32,
    }
    BatchNorm: "batch_norm" { elements: u32, c: u32, epsilon: f32 }
    Softmax: "softmax" { rows: u32, c: u32 }
    Concat: "concat" { elements: u32, c: u32, c_out: u32, offset: u32 }
    ScaledAdd: "scaled_add" { elements: u32, scale: f32 }
    L2Normalize: "l2_normalize" { rows: u32, d: u32, epsilon: f32 }
    Flatten: "flatten" { elements: u32 }
    Join: "join" { elements: u32, offset: u32 }
    Part: "part" { elements: u32, offset: u32 }
    Cast: "cast" { elements: u32 }
    ResizeArea: "resize_area" {
        h: u32, w: u32, c: u32, h_out: u32, w_out: u32, outputs: u32, method: u32, factor_y: u32, factor_x: u32,
        bytes: u32, rows: u32, zero: u32,
    }
    ResizeBilinear: "resize_bilinear" {
        h: u32, w: u32, h_out: u32, w_out: u32, outputs: u32, columns_first: u32, rows: u32,
    }
    Standardize: "standardize" { images: u32, count: u32, prewhiten: u32 }
    Crop: "crop" { elements: u32, h: u32, w: u32, c: u32, h_out: u32, w_out: u32, top: i32, left: i32 }
    BoxRegression: "box_regression" { rows: u32, one: f32 }
    Rerec: "rerec" { rows: u32 }
    BoxPad: "box_pad" { rows: u32, width: f32, height: f32 }
    Nms: "nms" { n: u32, threshold: f32, overlap: u32 }
    PairwiseDistance: "pairwise_distance" { rows: u32, m: u32, d: u32, metric: u32 }
    Pyramid: "cascade/pyramid" {
        h: u32, w: u32, pixels: u32, rows: u32, columns: u32, first_row: u32, images: u32, method: u32, factor_y: u32,
        factor_x: u32, taps_x: u32, taps_y: u32, y_offset: u32, zero: u32,
    }
    CollectCells: "cascade/collect_cells" {
        rows: u32, columns: u32, first_row: u32, level_rows: u32, images: u32, probabilities: u32, offsets: u32,
        corners_x: u32, corners_y: u32, segment: u32, levels: u32, threshold: f32,
    }
    Suppress: "cascade/suppress" { lists: u32, tenths: u32, overlap: u32, slots: u32 }
    Merge: "cascade/merge" { images: u32 }
    Square: "cascade/square" { images: u32, inclusive: u32 }
    CropBoxes: "cascade/crop_boxes" { crops: u32, first: u32, images: u32, size: u32, y_offset: u32 }
    CollectCrops: "cascade/collect_crops" {
        crops: u32, first: u32, images: u32, probabilities: u32, offsets: u32, points: u32, has_points: u32,
        threshold: f32,
    }
    Faces: "cascade/faces" { images: u32 }
    TripletLoss: "triplet_loss" { rows: u32, d: u32, margin: f32 }
    L2NormalizeBwd: "l2_normalize_bwd" { rows: u32, d: u32, epsilon: f32 }
    SoftmaxBwd: "softmax_bwd" { rows: u32, c: u32 }
    SoftmaxCrossEntropy: "softmax_cross_entropy" { rows: u32, c: u32 }
    SoftmaxCrossEntropyBwd: "softmax_cross_entropy_bwd" { rows: u32, c: u32 }
    Accuracy: "accuracy" { rows: u32, c: u32 }
    Mean: "mean" { elements: u32, pieces: u32 }
    MeanBwd: "mean_bwd" { elements: u32 }
    TripletLossBwd: "triplet_loss_bwd" { rows: u32, d: u32, margin: f32, wrt: u32 }
    GatherRows: "gather_rows" { elements: u32, rows: u32, d: u32 }
    GatherRowsBwd: "gather_rows_bwd" { count: u32, rows: u32, d: u32 }
    CenterLoss: "center_loss" { elements: u32, pieces: u32, d: u32, classes: u32 }
    CenterLossBwd: "center_loss_bwd" { elements: u32, d: u32, classes: u32 }
    CenterUpdate: "center_update" { rows: u32, d: u32, classes: u32, alfa: f32 }
    Dropout: "dropout" { elements: u32, keep: f32, seed_low: u32, seed_high: u32, purpose: u32 }
    NormLoss: "norm_loss" { rows: u32, d: u32, p: f32, epsilon: f32 }
    NormLossBwd: "norm_loss_bwd" { rows: u32, d: u32, p: f32, epsilon: f32 }
    L2Loss: "l2_loss" { elements: u32, pieces: u32 }
    L2LossBwd: "l2_loss_bwd" { elements: u32 }
    IsFinite: "is_finite" { elements: u32, pieces: u32 }
    Optimizer: "optimizer" {
        elements: u32, decayed: u32, decay: f32, kind: u32, has_b: u32, has_average: u32, from_w: u32, from_a: u32,
        from_b: u32, from_average: u32,
    }
    MovingAverage: "moving_average" { elements: u32, decay: f32 }
    MineTriplets: "mine_triplets" {
        m: u32, mode: u32, margin: f32, seed_low: u32, seed_high: u32, purpose: u32,
    }
    NearestOther: "nearest_other" { m: u32, n: u32, d: u32, k: u32, stretches: u32, stretch: u32 }
}
