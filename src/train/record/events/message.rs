//! TensorFlow's `event.proto`, `summary.proto` and `histogram.proto`, with only the fields that are written.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(string, optional, tag = "3")]
    pub file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    pub summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    pub session_log: Option<SessionLog>,
}

impl Event {
    /// An event with nothing in it yet.
    pub fn at(wall_time: f64, step: u64) -> Self {
        Event { wall_time, step: step as i64, ..Event::default() }
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Value {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
    #[prost(message, optional, tag = "5")]
    pub histo: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SessionLog {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

impl SessionLog {
    /// A run begins, or goes on: what was said of this step and later ones is void.
    pub const START: i32 = 1;
}

/// `HistogramProto`. Bucket `i` counts values from `bucket_limit[i - 1]` up to, and without, `bucket_limit[i]`.
#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    #[prost(double, tag = "1")]
    pub min: f64,
    #[prost(double, tag = "2")]
    pub max: f64,
    #[prost(double, tag = "3")]
    pub num: f64,
    #[prost(double, tag = "4")]
    pub sum: f64,
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}

impl Histogram {
    /// The finite ones of `values` in TensorFlow's buckets, whose limits grow by a tenth from 1e-12 to 1e20 on both
    /// sides of 0. Neighbouring empty buckets are written as one.
    pub fn of(values: &[f32]) -> Self {
        let limits = limits();
        let mut counts = vec![0u64; limits.len()];
        let mut histogram = Histogram { min: f64::MAX, max: f64::MIN, ..Histogram::default() };
        for x in values.iter().filter(|x| x.is_finite()).map(|&x| f64::from(x)) {
            counts[limits.partition_point(|&limit| limit <= x)] += 1;
            histogram.min = histogram.min.min(x);
            histogram.max = histogram.max.max(x);
            histogram.num += 1.0;
            histogram.sum += x;
            histogram.sum_squares += x * x;
        }
        for (limit, &count) in limits.iter().zip(&counts) {
            if count == 0 && histogram.bucket.last() == Some(&0.0) {
                histogram.bucket.pop();
                histogram.bucket_limit.pop();
            }
            histogram.bucket.push(count as f64);
            histogram.bucket_limit.push(*limit);
        }
        histogram
    }
}

fn limits() -> Vec<f64> {
    let positive = || std::iter::successors(Some(1e-12), |limit| Some(limit * 1.1)).take_while(|&limit| limit < 1e20);
    let mut limits: Vec<f64> = positive().chain([f64::MAX]).map(|limit| -limit).collect();
    limits.reverse();
    limits.push(0.0);
    limits.extend(positive().chain([f64::MAX]));
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_bucket() {
        let limits = limits();
        assert!(limits.is_sorted() && limits.len() == 1551, "{}", limits.len());
        let values = [-3.0, 0.0, 0.5, 0.5, 1e30, f32::NAN, f32::INFINITY];
        let histogram = Histogram::of(&values);
        assert_eq!((histogram.min, histogram.max, histogram.num), (-3.0, f64::from(1e30f32), 5.0));
        assert_eq!(histogram.sum_squares, 9.5 + f64::from(1e30f32).powi(2));
        // Empty, -3, empty, 0, empty, 0.5, empty, 1e30.
        assert_eq!(histogram.bucket, [0.0, 1.0, 0.0, 1.0, 0.0, 2.0, 0.0, 1.0]);
        let limit = &histogram.bucket_limit;
        assert!(limit[0] <= -3.0 && -3.0 < limit[1] && limit[1] < -2.7, "{limit:?}");
        assert!(limit[2] == 0.0 && limit[3] == 1e-12, "{limit:?}");
        assert!(limit[4] <= 0.5 && 0.5 < limit[5] && limit[5] <= limit[4] * 1.1001, "{limit:?}");
        assert_eq!(limit[7], f64::MAX);
    }

    #[test]
    fn nothing_makes_an_empty_histogram() {
        let histogram = Histogram::of(&[f32::NAN]);
        assert_eq!((histogram.num, histogram.bucket, histogram.bucket_limit), (0.0, vec![0.0], vec![f64::MAX]));
    }
}
