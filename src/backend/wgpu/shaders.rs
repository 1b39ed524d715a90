//! The texts of the shaders.
//!
//! WGSL knows no headers: a line `#include "NAME"` stands for `shaders/shared/NAME.wgsl`, in which `STEM` is the stem of
//! the shader that includes it.

macro_rules! shared {
    ($($name:literal)+) => {
        /// A text that shaders share.
        fn shared(name: &str) -> &'static str {
            match name {
                $($name => include_str!(concat!("../../../shaders/shared/", $name, ".wgsl")),)+
                _ => unreachable!("no text `{name}`"),
            }
        }
    };
}

/// The text with what it includes, and what that includes.
fn expand(stem: &str, text: &str) -> String {
    let mut whole = String::with_capacity(2 * text.len());
    for line in text.lines() {
        match line.strip_prefix("#include \"").and_then(|rest| rest.strip_suffix('"')) {
            Some(name) => whole += &expand(stem, &shared(name).replace("STEM", stem)),
            None => whole.extend([line, "\n"]),
        }
    }
    whole
}

macro_rules! shaders {
    ($($stem:literal)+) => {
        /// The text of a shader, as the device gets it.
        ///
        /// # Panics
        /// If there is no shader of this stem.
        pub fn source(stem: &str) -> String {
            let text = match stem {
                $($stem => include_str!(concat!("../../../shaders/", $stem, ".wgsl")),)+
                _ => unreachable!("no shader `{stem}`"),
            };
            expand(stem, text)
        }
    };
}

shared! {
    "batch_norm_gradient" "batch_norm_layer" "block_max" "block_sum" "bwd_filter" "cascade" "covering" "label" "lines"
    "lines_merge" "parts_total" "philox" "pieces" "powers" "reduce" "rows_mean" "softmax_row"
}

shaders! {
    "conv2d" "local_conv2d" "dense" "pack" "prelu" "relu" "max_pool2d" "avg_pool2d" "batch_norm" "softmax" "concat"
    "scaled_add" "cast" "join" "part" "l2_normalize" "flatten" "resize_area" "resize_bilinear" "standardize" "crop"
    "box_regression" "rerec" "box_pad" "nms" "pairwise_distance" "triplet_loss" "conv2d_bwd_data" "conv2d_bwd_filter"
    "dense_bwd_data" "dense_bwd_filter" "channel_sum" "local_conv2d_bwd_data" "local_conv2d_bwd_filter"
    "local_conv2d_bwd_bias" "relu_bwd" "prelu_bwd_data" "prelu_bwd_alpha" "max_pool2d_bwd" "avg_pool2d_bwd"
    "batch_moments" "batch_norm_train" "batch_norm_bwd_sums" "batch_norm_bwd_data" "slice" "scale" "l2_normalize_bwd"
    "softmax_bwd" "softmax_cross_entropy" "softmax_cross_entropy_bwd" "accuracy" "mean" "mean_bwd" "triplet_loss_bwd"
    "gather_rows" "gather_rows_bwd" "center_loss" "center_loss_bwd" "center_update" "dropout" "norm_loss"
    "norm_loss_bwd" "l2_loss" "l2_loss_bwd" "is_finite" "optimizer" "moving_average" "mine_triplets" "nearest_other"
    "cascade/pyramid" "cascade/collect_cells" "cascade/suppress" "cascade/merge" "cascade/square" "cascade/crop_boxes"
    "cascade/collect_crops" "cascade/faces"
}
