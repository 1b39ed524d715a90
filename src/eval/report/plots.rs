//! The page's charts as SVG, drawn by `plotters`.
//!
//! A chart is drawn in stand-in colours, and the page's style sheet maps each to a variable: so one drawing serves
//! light and dark. Titles and legends are the page's text, not the drawing's.

use std::fmt::Write;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::eval::roc::{Point, Roc};

/// An `<svg>` element, or `None` where there is nothing to draw.
pub type Plot = Option<String>;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

const SIZE: (u32, u32) = (600, 360);
const AXIS: RGBColor = RGBColor(1, 0, 0);
const GRID: RGBColor = RGBColor(2, 0, 0);
const TEXT: RGBColor = RGBColor(3, 0, 0);
/// As many points as a curve this wide can show.
const CURVE_POINTS: usize = 1500;
const BINS: usize = 60;

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Same,
    Different,
    Curve,
    Point,
    Accuracy,
    F1,
    InUse,
    BestAccuracy,
    BestF1,
    Series1,
    Series2,
    Series3,
    Series4,
    Series5,
    Series6,
}

impl Mark {
    const ALL: [Mark; 15] = [
        Mark::Same,
        Mark::Different,
        Mark::Curve,
        Mark::Point,
        Mark::Accuracy,
        Mark::F1,
        Mark::InUse,
        Mark::BestAccuracy,
        Mark::BestF1,
        Mark::Series1,
        Mark::Series2,
        Mark::Series3,
        Mark::Series4,
        Mark::Series5,
        Mark::Series6,
    ];

    /// The mark of a chart's `i`-th curve; there are six.
    pub fn series(i: usize) -> Mark {
        Mark::ALL[9 + i % 6]
    }

    /// The style sheet's class, and its variable's name.
    pub fn class(self) -> &'static str {
        match self {
            Mark::Same => "same",
            Mark::Different => "different",
            Mark::Curve => "curve",
            Mark::Point => "point",
            Mark::Accuracy => "accuracy",
            Mark::F1 => "f1",
            Mark::InUse => "in-use",
            Mark::BestAccuracy => "best-accuracy",
            Mark::BestF1 => "best-f1",
            Mark::Series1 => "series-1",
            Mark::Series2 => "series-2",
            Mark::Series3 => "series-3",
            Mark::Series4 => "series-4",
            Mark::Series5 => "series-5",
            Mark::Series6 => "series-6",
        }
    }

    fn stand_in(self) -> RGBColor {
        RGBColor(16 + self as u8, 0, 0)
    }
}

/// The style rules that give the drawings their colours.
pub fn colour_rules() -> String {
    let named = [(AXIS, "axis"), (GRID, "grid"), (TEXT, "muted")];
    let marks = Mark::ALL.map(|mark| (mark.stand_in(), mark.class()));
    named.into_iter().chain(marks).fold(String::new(), |mut rules, (RGBColor(r, g, b), name)| {
        let hex = format!("#{r:02X}{g:02X}{b:02X}");
        let _ = writeln!(rules, "svg [fill=\"{hex}\"] {{ fill: var(--{name}) }}");
        let _ = writeln!(rules, "svg [stroke=\"{hex}\"] {{ stroke: var(--{name}) }}");
        rules
    })
}

/// What share of the same pairs, and of the different pairs, lies in each bin of distances.
pub fn histogram(distances: &[f64], same: &[bool], marks: &[(Mark, f64)]) -> Plot {
    let largest = distances.iter().copied().fold(0.0, f64::max);
    if largest <= 0.0 {
        return None;
    }
    let width = largest * 1.02 / BINS as f64;
    let shares = |wanted: bool| {
        let mut counts = [0.0; BINS];
        let chosen = distances.iter().zip(same).filter(|&(_, &same)| same == wanted).map(|(&d, _)| d);
        let total = chosen.clone().count().max(1) as f64;
        chosen.for_each(|d| counts[((d / width) as usize).min(BINS - 1)] += 100.0 / total);
        counts
    };
    let kinds = [(Mark::Different, shares(false)), (Mark::Same, shares(true))];
    let top = 1.08 * kinds.iter().flat_map(|(_, shares)| shares).copied().fold(0.0, f64::max);
    let axes = Axes { x: (0.0, width * BINS as f64), y: (0.0, top), names: ["distance", "share of pairs, %"] };
    draw(axes, [8, 6], [plain, plain], |chart| {
        for (mark, shares) in &kinds {
            let bar = |(i, &share): (usize, &f64)| {
                let x = i as f64 * width;
                Rectangle::new([(x, share), (x + width, 0.0)], mark.stand_in().mix(0.55).filled())
            };
            chart.draw_series(shares.iter().enumerate().filter(|(_, share)| **share > 0.0).map(bar))?;
        }
        vertical_lines(chart, marks, top)
    })
}

/// Accuracy and F1 over all pairs at every threshold.
pub fn scores(roc: &Roc, marks: &[(Mark, f64)]) -> Plot {
    let points = thinned(roc.points());
    let largest = points.last()?.threshold;
    if points.len() < 2 || largest <= 0.0 {
        return None;
    }
    let axes = Axes { x: (0.0, largest * 1.02), y: (0.0, 1.02), names: ["threshold", "score"] };
    draw(axes, [8, 6], [plain, plain], |chart| {
        let score = |mark, point| if mark == Mark::F1 { roc.f1(point) } else { roc.accuracy(point) };
        for mark in [Mark::F1, Mark::Accuracy] {
            let curve = points.iter().map(|point| (point.threshold, score(mark, point)));
            chart.draw_series(LineSeries::new(curve, mark.stand_in().stroke_width(2)))?;
        }
        vertical_lines(chart, marks, 1.02)
    })
}

/// The ROC curve with the threshold in use as a dot.
pub fn roc(roc: &Roc, threshold: f64, logarithmic: bool) -> Plot {
    let last = roc.points().last()?;
    if last.true_accepts == 0 || last.false_accepts == 0 {
        return None;
    }
    // Down to the rate of half a false accept: the step to the first one is then in the picture.
    let least = (0.5 / last.false_accepts as f64).log10();
    let place = |p: &Point| {
        let far = p.false_accepts as f64 / last.false_accepts as f64;
        let tar = p.true_accepts as f64 / last.true_accepts as f64;
        (if logarithmic { far.log10().max(least) } else { far }, tar)
    };
    let x = if logarithmic { (least, 0.0) } else { (-0.01, 1.0) };
    let axes = Axes { x, y: (0.0, 1.02), names: ["false accept rate", "true accept rate"] };
    let points = thinned(roc.points());
    let in_use = roc.points().iter().rev().find(|p| p.threshold <= threshold).or(roc.points().first())?;
    let (labels, label): (_, fn(&f64) -> String) =
        if logarithmic { ((2.0 - least) as usize, power) } else { (8, plain) };
    draw(axes, [labels, 6], [label, plain], |chart| {
        let curve = points.iter().map(place);
        chart.draw_series(LineSeries::new(curve, Mark::Curve.stand_in().stroke_width(2)))?;
        chart.draw_series([Circle::new(place(in_use), 5, Mark::Point.stand_in().filled())])?;
        Ok(())
    })
}

/// Curves over a common axis, each in the order of its points; those that are no finite numbers are left out. A vertical
/// axis that spans more than a factor of 50 without reaching 0 is logarithmic.
pub fn lines(names: [&'static str; 2], curves: &[(Mark, Vec<(f64, f64)>)]) -> Plot {
    let points = || curves.iter().flat_map(|(_, points)| points).filter(|(x, y)| x.is_finite() && y.is_finite());
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
    };
    let (left, right) = span(&mut points().map(|p| p.0));
    let (low, high) = span(&mut points().map(|p| p.1));
    if left > right {
        return None;
    }
    let logarithmic = low > 0.0 && high > 50.0 * low;
    let height = |y: f64| if logarithmic { y.log10() } else { y };
    let (low, high) = (height(low), height(high));
    // A hundredth of the numbers at least, so that their labels differ; half of a number that stays, so that they are short.
    let least = if low == high { 0.5 } else { 0.005 };
    let margin = (0.06 * (high - low)).max(least * low.abs().max(high.abs())).max(1e-9);
    // Zero is shown where it is near: most of these are losses.
    let bottom = if !logarithmic && low >= 0.0 && low < 0.6 * high { 0.0 } else { low - margin };
    let room = if left == right { 1.0 } else { 0.0 };
    let axes = Axes { x: (left - room, right + room), y: (bottom, high + margin), names };
    // Of a logarithmic axis whole powers of ten are labelled.
    let (count, label): (_, fn(&f64) -> String) =
        if logarithmic { ((axes.y.1.floor() - axes.y.0.ceil()) as usize + 1, power) } else { (6, significant) };
    draw(axes, [6, count], [significant, label], |chart| {
        for (mark, points) in curves.iter().rev() {
            let finite = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
            let placed: Vec<(f64, f64)> = finite.map(|&(x, y)| (x, height(y))).collect();
            if let [only] = placed[..] {
                chart.draw_series([Circle::new(only, 4, mark.stand_in().filled())])?;
            }
            chart.draw_series(LineSeries::new(placed, mark.stand_in().stroke_width(2)))?;
        }
        Ok(())
    })
}

struct Axes {
    x: (f64, f64),
    y: (f64, f64),
    names: [&'static str; 2],
}

fn draw(
    axes: Axes,
    counts: [usize; 2],
    labels: [fn(&f64) -> String; 2],
    content: impl FnOnce(&mut Chart) -> Drawn,
) -> Plot {
    let mut svg = String::new();
    let drawn = {
        let canvas = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw_on(&canvas, axes, counts, labels, content).and_then(|()| canvas.present())
    };
    // Drawing into a String fails only for ranges that are not finite: then there is nothing to show.
    drawn.ok().map(|()| svg)
}

fn draw_on(
    canvas: &Canvas,
    axes: Axes,
    counts: [usize; 2],
    labels: [fn(&f64) -> String; 2],
    content: impl FnOnce(&mut Chart) -> Drawn,
) -> Drawn {
    let mut chart = ChartBuilder::on(canvas)
        .margin(6)
        .margin_right(16)
        .x_label_area_size(46)
        .y_label_area_size(56)
        .build_cartesian_2d(axes.x.0..axes.x.1, axes.y.0..axes.y.1)?;
    let text = |size| ("system-ui, sans-serif", size).into_font().color(&TEXT);
    chart
        .configure_mesh()
        .axis_style(AXIS)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_labels(counts[0])
        .y_labels(counts[1])
        .x_label_formatter(&labels[0])
        .y_label_formatter(&labels[1])
        .label_style(text(14))
        .axis_desc_style(text(15).pos(Pos::new(HPos::Center, VPos::Center)))
        .x_desc(axes.names[0])
        .y_desc(axes.names[1])
        .draw()?;
    content(&mut chart)
}

fn vertical_lines(chart: &mut Chart, marks: &[(Mark, f64)], top: f64) -> Drawn {
    for &(mark, x) in marks.iter().filter(|(_, x)| x.is_finite()) {
        let style = mark.stand_in().stroke_width(2);
        // The second dashed line fills the first one's gaps where the two coincide.
        let (dash, start) = (8, if mark == Mark::BestF1 { top * 8.0 / f64::from(SIZE.1 - 52) } else { 0.0 });
        let line = [(x, start), (x, top)];
        match mark {
            Mark::InUse => chart.draw_series(LineSeries::new(line, style))?,
            _ => chart.draw_series(DashedLineSeries::new(line, dash, dash, style))?,
        };
    }
    Ok(())
}

/// At most about `CURVE_POINTS` of the points, first and last among them.
fn thinned(points: &[Point]) -> Vec<Point> {
    let step = points.len().div_ceil(CURVE_POINTS).max(1);
    let last = points.last().filter(|_| !(points.len() - 1).is_multiple_of(step));
    points.iter().step_by(step).chain(last).copied().collect()
}

/// Up to two digits after the point, without trailing zeros.
fn plain(x: &f64) -> String {
    let text = format!("{x:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Four digits that count, without trailing zeros.
fn significant(x: &f64) -> String {
    // What is left of a rounded zero would have many digits.
    if x.abs() < 1e-12 {
        return "0".into();
    }
    let digits = (3.0 - x.abs().log10().floor()).max(0.0) as usize;
    let text = format!("{x:.digits$}");
    if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// The number of which `x` is the decimal logarithm.
fn power(x: &f64) -> String {
    let text = format!("{:.*}", (1.0 - x).max(0.0) as usize + 1, 10f64.powf(*x));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of a chart's axes.
    fn labels(svg: &str) -> Vec<&str> {
        svg.split("<text").skip(1).filter_map(|text| text.split(['>', '<']).nth(1)).map(str::trim).collect()
    }

    #[test]
    fn curves_are_drawn_with_labels_that_tell_them_apart() {
        let curve =
            |ys: &[f64]| (Mark::Series1, ys.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect::<Vec<_>>());
        let svg = lines(["step", "rate"], &[curve(&[0.05, 0.005, f64::NAN, 0.0005])]).unwrap();
        let found = labels(&svg);
        assert!(found.contains(&"0.01") && found.contains(&"0.001") && !found.contains(&"0.0032"), "{found:?}");
        assert!(svg.contains(&format!("stroke=\"#{:02X}0000\"", 16 + Mark::Series1 as u8)), "{svg}");
        for ys in [&[900.0, 900.1][..], &[5.0; 3], &[0.0; 2], &[7.0]] {
            let svg = lines(["x", "y"], &[curve(ys)]).unwrap();
            let mut found = labels(&svg);
            let all = found.len();
            found.sort();
            found.dedup();
            // One label may be on both axes.
            assert!(all > 6 && found.len() + 3 >= all, "{ys:?}: {found:?}");
        }
        assert!(lines(["x", "y"], &[curve(&[])]).is_none() && lines(["x", "y"], &[curve(&[f64::NAN])]).is_none());
    }

    #[test]
    fn numbers_have_four_digits() {
        let texts = [0.0, 1e-15, 0.05, 0.000512349, 899.93, 30000.0, -0.25].map(|x| significant(&x));
        assert_eq!(texts, ["0", "0", "0.05", "0.0005123", "899.9", "30000", "-0.25"]);
    }
}
