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
}

impl Mark {
    const ALL: [Mark; 9] = [
        Mark::Same,
        Mark::Different,
        Mark::Curve,
        Mark::Point,
        Mark::Accuracy,
        Mark::F1,
        Mark::InUse,
        Mark::BestAccuracy,
        Mark::BestF1,
    ];

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
    draw(axes, 8, plain, |chart| {
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
    draw(axes, 8, plain, |chart| {
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
    draw(axes, labels, label, |chart| {
        let curve = points.iter().map(place);
        chart.draw_series(LineSeries::new(curve, Mark::Curve.stand_in().stroke_width(2)))?;
        chart.draw_series([Circle::new(place(in_use), 5, Mark::Point.stand_in().filled())])?;
        Ok(())
    })
}

struct Axes {
    x: (f64, f64),
    y: (f64, f64),
    names: [&'static str; 2],
}

fn draw(axes: Axes, x_labels: usize, x_label: fn(&f64) -> String, content: impl FnOnce(&mut Chart) -> Drawn) -> Plot {
    let mut svg = String::new();
    let drawn = {
        let canvas = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw_on(&canvas, axes, x_labels, x_label, content).and_then(|()| canvas.present())
    };
    // Drawing into a String fails only for ranges that are not finite: then there is nothing to show.
    drawn.ok().map(|()| svg)
}

fn draw_on(
    canvas: &Canvas,
    axes: Axes,
    x_labels: usize,
    x_label: fn(&f64) -> String,
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
        .x_labels(x_labels)
        .y_labels(6)
        .x_label_formatter(&x_label)
        .y_label_formatter(&plain)
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

/// The number of which `x` is the decimal logarithm.
fn power(x: &f64) -> String {
    let text = format!("{:.*}", (1.0 - x).max(0.0) as usize + 1, 10f64.powf(*x));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
