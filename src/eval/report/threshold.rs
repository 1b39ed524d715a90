//! The page of `threshold`: the best thresholds with their intervals, and what lies on both sides of them.

use std::fmt;

use super::page::{self, number, percent};
use super::plots::{self, Mark};
use crate::eval::roc::Roc;
use crate::eval::threshold::{LabelledPair, Thresholds};

/// Points of a curve.
const POINTS: usize = 400;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct ThresholdPage<'a> {
    /// The page's title, such as the dataset's folder.
    pub title: &'a str,
    /// Name and value of what was chosen.
    pub chosen: &'a [(String, String)],
    /// The thresholds.
    pub thresholds: &'a Thresholds,
    /// The pairs that they are of, in ascending order of their distances.
    pub pairs: &'a [LabelledPair],
    /// Photographs left out, each with the reason.
    pub skipped: &'a [String],
}

/// The page.
pub fn html(input: &ThresholdPage) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, input);
    page
}

fn write_page(page: &mut String, input: &ThresholdPage) -> fmt::Result {
    page::begin(page, input.title)?;
    let chosen = input.chosen.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    page::header(page, "thresholds", input.title, chosen)?;
    tiles(page, input.thresholds)?;
    charts(page, input)?;
    page::list(page, "Left out", input.skipped, "No photograph was left out.")?;
    page.push_str(
        "<footer><p>A pair is taken for one person if its distance is below the threshold. Pairs of one person and of \
         different people count alike. Intervals hold 95 % of the thresholds that people drawn with repetition give.</p></footer>\n",
    );
    page::end(page);
    Ok(())
}

fn tiles(page: &mut String, best: &Thresholds) -> fmt::Result {
    let of = |name: String, chosen: &crate::eval::Chosen, score: String| {
        let interval = match chosen.low.is_nan() {
            true => String::new(),
            false => format!(" · {} to {}", number(chosen.low), number(chosen.high)),
        };
        (name, number(chosen.threshold), format!("{score}{interval}"))
    };
    let tiles = [
        of("Best by accuracy".into(), &best.accuracy, percent(best.accuracy.score)),
        of("Best by F1".into(), &best.f1, format!("F1 {}", number(best.f1.score))),
        of(format!("At FAR {}", best.far_target), &best.far, format!("accepts {}", percent(best.far.score))),
        (
            "Pairs".into(),
            (best.same + best.different).to_string(),
            format!("{} same, {} different · {} people", best.same, best.different, best.people),
        ),
    ];
    page::tiles(page, tiles.iter().map(|(name, value, note)| (name.as_str(), value.clone(), note.clone())))
}

fn charts(page: &mut String, input: &ThresholdPage) -> fmt::Result {
    let best = input.thresholds;
    let marks = [
        (Mark::BestAccuracy, "best by accuracy".to_owned(), best.accuracy.threshold),
        (Mark::BestF1, "best by F1".to_owned(), best.f1.threshold),
        (Mark::InUse, format!("at FAR {}", best.far_target), best.far.threshold),
    ];
    let lines = [0, 1, 2].map(|i| (marks[i].0, marks[i].2));
    let distances: Vec<f64> = input.pairs.iter().map(|pair| pair.distance).collect();
    let same: Vec<bool> = input.pairs.iter().map(LabelledPair::is_same).collect();
    let roc = Roc::new(&distances, &same);
    let mut legend = vec![(Mark::Same, "same person".to_owned()), (Mark::Different, "different people".to_owned())];
    legend.extend(marks.iter().map(|(mark, name, threshold)| (*mark, format!("{name} {}", number(*threshold)))));
    let none = "Needs pairs of one person and of different people.";
    page.push_str("<section class=\"charts\" aria-label=\"Charts\">\n");
    page::figure(page, "How far pairs are apart", &plots::histogram(&distances, &same, &lines), &legend, none)?;
    let curves = curves(&distances, &same);
    let legend = [(Mark::Accuracy, "accuracy".to_owned()), (Mark::F1, "F1".to_owned())];
    page::figure(
        page,
        "Accuracy and F1, kinds counting alike",
        &plots::lines(["threshold", "score"], &curves),
        &legend,
        none,
    )?;
    let legend = [(Mark::Curve, "true accepts".to_owned()), (Mark::Point, format!("at FAR {}", best.far_target))];
    for (title, logarithmic) in [("ROC", false), ("ROC, false accepts on a logarithmic scale", true)] {
        page::figure(page, title, &plots::roc(&roc, best.far.threshold, logarithmic), &legend, none)?;
    }
    page.push_str("</section>\n");
    Ok(())
}

/// Accuracy and F1 at evenly spaced thresholds.
fn curves(distances: &[f64], same: &[bool]) -> [(Mark, Vec<(f64, f64)>); 2] {
    let kind = |wanted: bool| -> Vec<f64> {
        distances.iter().zip(same).filter(|&(_, &same)| same == wanted).map(|(&distance, _)| distance).collect()
    };
    let (of_one, of_two) = (kind(true), kind(false));
    let share = |sorted: &[f64], threshold: f64| {
        sorted.partition_point(|&distance| distance < threshold) as f64 / sorted.len() as f64
    };
    let largest = distances.last().copied().unwrap_or_default();
    let points = (0..=POINTS).map(|i| largest * i as f64 / POINTS as f64).map(|threshold| {
        let (tar, far) = (share(&of_one, threshold), share(&of_two, threshold));
        (threshold, (tar + 1.0 - far) / 2.0, 2.0 * tar / (tar + far + 1.0))
    });
    let points: Vec<_> = points.collect();
    [
        (Mark::Accuracy, points.iter().map(|&(x, accuracy, _)| (x, accuracy)).collect()),
        (Mark::F1, points.iter().map(|&(x, _, f1)| (x, f1)).collect()),
    ]
}
