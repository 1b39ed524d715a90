//! Every op, on every device, against the dumps of `tools/golden/ops.py` and `tools/golden/losses.py`.

mod common;
#[path = "../src/ops/list.rs"]
mod list;

use std::sync::Arc;

use serde_json::Value;
use warpface::ops::*;
use warpface::{Graph, Shape, Tensor};

use common::Tolerance;
use common::close::{ROUNDED, Report};
use common::npz::{self, Arrays};
use common::{devices, files};

/// One case of a dump: an op with its inputs and its result.
struct Case {
    name: String,
    op: Op,
    inputs: Vec<Tensor>,
    /// Which of the inputs are weights.
    params: Vec<usize>,
    expected: Tensor,
    /// An absolute tolerance where the op's usual one cannot be held.
    atol: f32,
    /// The same for f64, where inputs are rounded results themselves.
    atol64: f32,
}

impl Case {
    fn read(stem: &str, name: &str, arrays: &Arrays) -> Case {
        let attrs: Value = serde_json::from_slice(arrays[&format!("{name}.attrs")].u8()).unwrap();
        let inputs = (0..).map_while(|i| Some(arrays.get(&format!("{name}.in{i}"))?.tensor())).collect();
        let params = attrs["params"].as_array().into_iter().flatten().map(|i| i.as_u64().unwrap() as usize).collect();
        Case {
            name: name.to_owned(),
            op: op(stem, &attrs),
            inputs,
            params,
            expected: arrays[&format!("{name}.out")].tensor(),
            atol: attrs["atol"].as_f64().unwrap_or(0.0) as f32,
            atol64: attrs["atol64"].as_f64().unwrap_or(0.0) as f32,
        }
    }

    /// How far a kind of device may be from the dump.
    fn tolerance(&self, kind: &str) -> Tolerance {
        match &self.op {
            // The order of OpenCV's sums is kept on the CPU.
            Op::ResizeArea(_) if kind == "cpu" => Tolerance::EXACT,
            op => op.tolerance().at_least(self.atol),
        }
    }

    /// The op alone in a graph: weights as parameters, the rest as inputs.
    fn graph(&self) -> (Graph, Vec<Tensor>) {
        let mut graph = Graph::new();
        let mut given = Vec::new();
        let mut nodes = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            nodes.push(if self.params.contains(&i) {
                graph.param(&format!("in{i}"), input.clone())
            } else {
                given.push(input.clone());
                graph.input(&format!("in{i}"))
            });
        }
        let y = graph.op("y", self.op.clone(), &nodes);
        graph.output(y);
        (graph, given)
    }
}

fn size(attrs: &Value, name: &str) -> usize {
    attrs[name].as_u64().unwrap_or_else(|| panic!("{name} in {attrs}")) as usize
}

fn float(attrs: &Value, name: &str) -> f32 {
    attrs[name].as_f64().unwrap_or_else(|| panic!("{name} in {attrs}")) as f32
}

fn yes(attrs: &Value, name: &str) -> bool {
    attrs[name].as_bool().unwrap_or_else(|| panic!("{name} in {attrs}"))
}

fn whole(attrs: &Value, name: &str) -> usize {
    attrs[name].as_u64().unwrap_or_else(|| panic!("{name} in {attrs}")) as usize
}

fn wholes(attrs: &Value, name: &str) -> Vec<usize> {
    let values = attrs[name].as_array().unwrap_or_else(|| panic!("{name} in {attrs}"));
    values.iter().map(|value| value.as_u64().expect("a whole number") as usize).collect()
}

fn pair(attrs: &Value, name: &str) -> [usize; 2] {
    [0, 1].map(|i| attrs[name][i].as_u64().unwrap_or_else(|| panic!("{name} in {attrs}")) as usize)
}

fn choice<T: Copy>(attrs: &Value, name: &str, choices: &[(&str, T)]) -> T {
    let found = choices.iter().find(|(text, _)| attrs[name] == *text);
    found.unwrap_or_else(|| panic!("{name} in {attrs}")).1
}

/// A seed, which JSON's numbers may be too short for.
fn seed(attrs: &Value) -> u64 {
    attrs["seed"].as_str().unwrap_or_else(|| panic!("seed in {attrs}")).parse().unwrap()
}

fn padding(attrs: &Value) -> Padding {
    choice(attrs, "padding", &[("same", Padding::Same), ("valid", Padding::Valid)])
}

fn activation(attrs: &Value) -> Activation {
    let choices = [("none", Activation::None), ("relu", Activation::Relu), ("prelu", Activation::PRelu)];
    choice(attrs, "activation", &choices)
}

/// The op that the attributes describe.
fn op(stem: &str, attrs: &Value) -> Op {
    match stem {
        "accuracy" => Accuracy.into(),
        "avg_pool2d" | "avg_pool2d_bwd" => {
            let kernel = attrs.get("kernel").map(|_| pair(attrs, "kernel"));
            let (stride, padding) = (pair(attrs, "stride"), padding(attrs));
            match stem {
                "avg_pool2d" => AvgPool2d { kernel, stride, padding }.into(),
                _ => AvgPool2dBwd { kernel, stride, padding }.into(),
            }
        }
        "batch_moments" => BatchMoments.into(),
        "batch_norm" => BatchNorm { epsilon: float(attrs, "epsilon") }.into(),
        "batch_norm_train" | "batch_norm_bwd_sums" | "batch_norm_bwd_data" => {
            let layer = BatchNormTrain {
                epsilon: float(attrs, "epsilon"),
                activation: activation(attrs),
                scale: yes(attrs, "scale"),
            };
            match stem {
                "batch_norm_train" => layer.into(),
                "batch_norm_bwd_sums" => BatchNormBwdSums(layer).into(),
                _ => BatchNormBwdData(layer).into(),
            }
        }
        "box_pad" => BoxPad { width: size(attrs, "width"), height: size(attrs, "height") }.into(),
        "box_regression" => BoxRegression { inclusive: yes(attrs, "inclusive") }.into(),
        "center_loss" => CenterLoss.into(),
        "center_loss_bwd" => CenterLossBwd.into(),
        "center_update" => CenterUpdate { alfa: float(attrs, "alfa") }.into(),
        "channel_sum" => ChannelSum.into(),
        "concat" => Concat.into(),
        "conv2d" => Conv2d {
            stride: pair(attrs, "stride"),
            padding: padding(attrs),
            bias: yes(attrs, "bias"),
            activation: activation(attrs),
            residual_scale: attrs.get("residual_scale").map(|_| float(attrs, "residual_scale")),
        }
        .into(),
        "conv2d_bwd_data" => Conv2dBwdData { stride: pair(attrs, "stride"), padding: padding(attrs) }.into(),
        "conv2d_bwd_filter" => Conv2dBwdFilter { stride: pair(attrs, "stride"), padding: padding(attrs) }.into(),
        "crop" => {
            let offset = |name: &str| attrs[name].as_i64().unwrap() as i32;
            Crop { y: offset("y"), x: offset("x"), h: size(attrs, "h"), w: size(attrs, "w") }.into()
        }
        "dense" => Dense { bias: yes(attrs, "bias"), activation: activation(attrs) }.into(),
        "dropout" => {
            let stream = size(attrs, "stream") as u32;
            Dropout { keep: float(attrs, "keep"), seed: seed(attrs), stream }.into()
        }
        "gather_rows" => GatherRows.into(),
        "gather_rows_bwd" => GatherRowsBwd.into(),
        "is_finite" => IsFinite.into(),
        "l2_loss" => L2Loss.into(),
        "l2_loss_bwd" => L2LossBwd.into(),
        "dense_bwd_data" => DenseBwdData.into(),
        "dense_bwd_filter" => DenseBwdFilter.into(),
        "flatten" => Flatten.into(),
        "join" => Join.into(),
        "cast" => Cast { exact: yes(attrs, "exact") }.into(),
        "part" => match attrs["kind"].as_str() {
            Some("at") => Part::At(whole(attrs, "offset"), Shape::new(wholes(attrs, "extents"))).into(),
            Some("row") => Part::Row(whole(attrs, "index")).into(),
            _ => Part::Like.into(),
        },
        "l2_normalize" => L2Normalize { epsilon: float(attrs, "epsilon") }.into(),
        "l2_normalize_bwd" => L2NormalizeBwd { epsilon: float(attrs, "epsilon") }.into(),
        "local_conv2d" => LocalConv2d { stride: pair(attrs, "stride"), activation: activation(attrs) }.into(),
        "local_conv2d_bwd_bias" => LocalConv2dBwdBias.into(),
        "local_conv2d_bwd_data" => LocalConv2dBwdData { stride: pair(attrs, "stride") }.into(),
        "local_conv2d_bwd_filter" => LocalConv2dBwdFilter { stride: pair(attrs, "stride") }.into(),
        "max_pool2d" | "max_pool2d_bwd" => {
            let (kernel, stride, padding) = (pair(attrs, "kernel"), pair(attrs, "stride"), padding(attrs));
            match stem {
                "max_pool2d" => MaxPool2d { kernel, stride, padding }.into(),
                _ => MaxPool2dBwd { kernel, stride, padding }.into(),
            }
        }
        "mean" => Mean.into(),
        "mean_bwd" => MeanBwd.into(),
        "mine_triplets" => {
            let modes = [
                ("random", Mining::Random),
                ("semi_hard", Mining::SemiHard),
                ("hard", Mining::Hard),
                ("vgg", Mining::Vgg),
            ];
            let mode = choice(attrs, "mode", &modes);
            MineTriplets { mode, margin: float(attrs, "margin"), seed: seed(attrs) }.into()
        }
        "moving_average" => MovingAverage { decay: float(attrs, "decay") }.into(),
        "nearest_other" => NearestOther { k: size(attrs, "k") }.into(),
        "nms" => {
            let overlap = choice(attrs, "overlap", &[("union", Overlap::Union), ("min", Overlap::Min)]);
            Nms { threshold: float(attrs, "threshold"), overlap }.into()
        }
        "norm_loss" => NormLoss { p: float(attrs, "p"), epsilon: float(attrs, "epsilon") }.into(),
        "norm_loss_bwd" => NormLossBwd { p: float(attrs, "p"), epsilon: float(attrs, "epsilon") }.into(),
        "optimizer" => {
            let kinds = [
                ("adagrad", OptimizerKind::Adagrad),
                ("adadelta", OptimizerKind::Adadelta),
                ("adam", OptimizerKind::Adam),
                ("rms_prop", OptimizerKind::RmsProp),
                ("momentum", OptimizerKind::Momentum),
            ];
            let (kind, decayed) = (choice(attrs, "kind", &kinds), size(attrs, "decayed"));
            Optimizer { kind, decayed, decay: float(attrs, "decay"), average: yes(attrs, "average") }.into()
        }
        "pairwise_distance" => PairwiseDistance { metric: attrs["metric"].as_str().unwrap().parse().unwrap() }.into(),
        "prelu" => PRelu.into(),
        "prelu_bwd_alpha" => PReluBwdAlpha.into(),
        "prelu_bwd_data" => PReluBwdData.into(),
        "relu" => Relu.into(),
        "relu_bwd" => ReluBwd.into(),
        "rerec" => Rerec.into(),
        "resize_area" => ResizeArea { h: size(attrs, "h"), w: size(attrs, "w"), bytes: yes(attrs, "bytes") }.into(),
        "resize_bilinear" => ResizeBilinear { h: size(attrs, "h"), w: size(attrs, "w") }.into(),
        "scale" => Scale { factor: float(attrs, "factor") }.into(),
        "scaled_add" => ScaledAdd { scale: float(attrs, "scale") }.into(),
        "slice" => Slice.into(),
        "softmax" => Softmax.into(),
        "softmax_bwd" => SoftmaxBwd.into(),
        "softmax_cross_entropy" => SoftmaxCrossEntropy.into(),
        "softmax_cross_entropy_bwd" => SoftmaxCrossEntropyBwd.into(),
        "standardize" => attrs["mode"].as_str().unwrap().parse::<Standardize>().unwrap().into(),
        "triplet_loss" => TripletLoss { margin: float(attrs, "margin") }.into(),
        "triplet_loss_bwd" => {
            let rows = [("anchor", Triplet::Anchor), ("positive", Triplet::Positive), ("negative", Triplet::Negative)];
            TripletLossBwd { margin: float(attrs, "margin"), wrt: choice(attrs, "wrt", &rows) }.into()
        }
        _ => panic!("no op {stem}"),
    }
}

/// The reference in f32 and f64, and every device, against the dump of `stem`.
fn compare(stem: &str) {
    let arrays = npz::load(&files::golden(&format!("ops/{stem}.npz")));
    let cases: Vec<Case> =
        arrays.keys().filter_map(|key| Some(Case::read(stem, key.strip_suffix(".attrs")?, &arrays))).collect();
    let mut report = Report::default();
    for case in &cases {
        let (graph, inputs) = case.graph();
        let tolerance = case.tolerance("cpu");
        let y = &graph.reference(&inputs).unwrap()[0];
        assert_eq!(y.shape(), case.expected.shape(), "{stem} {}", case.name);
        report.compare(&format!("reference f32, {}", case.name), y.data(), case.expected.data(), tolerance);
        let wide: Vec<Tensor<f64>> = inputs
            .iter()
            .map(|x| Tensor::new(x.shape().clone(), x.data().iter().map(|&x| x.into()).collect()))
            .collect();
        let y = &graph.reference(&wide).unwrap()[0];
        let tolerance = ROUNDED.at_least(case.atol64);
        report.compare(&format!("reference f64, {}", case.name), y.data(), case.expected.data(), tolerance);
    }
    devices::each_and_simulated(|device| {
        let kind = device.info().kind;
        for case in &cases {
            let (graph, inputs) = case.graph();
            let shapes: Vec<Shape> = inputs.iter().map(|x| x.shape().clone()).collect();
            let values: Vec<&[f32]> = inputs.iter().map(Tensor::data).collect();
            let module = device.backend().load(Arc::new(graph)).unwrap();
            let got = module.plan(&shapes).and_then(|plan| plan.run(&values));
            let got = got.unwrap_or_else(|e| panic!("{stem} {} on {kind}: {e}", case.name));
            let tolerance = case.tolerance(kind);
            report.compare(&format!("{kind}, {}", case.name), &got[0], case.expected.data(), tolerance);
        }
    });
    report.finish();
}

macro_rules! golden {
    ($($(#[$doc:meta])* $stem:ident::$name:ident $(, $extra:ident)*;)+) => {
        $(#[test]
        fn $stem() {
            compare(stringify!($stem));
        })+
    };
}

list::for_each_op!(golden);
