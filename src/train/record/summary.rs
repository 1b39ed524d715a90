//! A run as one self-contained HTML page: no script, no network, light or dark as the reader's system is.

use std::fmt::{self, Write};

use crate::eval::report::page::{self, Escaped, number, percent};
use crate::eval::report::plots::{self, Mark};
use crate::train::history::{Epoch, History, Point};
use crate::train::pace::duration;

/// More points of a noisy curve would be a band.
const CURVE_POINTS: usize = 200;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// The page's title, such as the run's folder.
    pub title: &'a str,
    /// What was trained: `softmax`, `triplet`.
    pub kind: &'a str,
    /// The device that ran it.
    pub device: &'a str,
    /// The file of the last checkpoint.
    pub model: &'a str,
    /// The run's course.
    pub history: &'a History,
    /// Every setting by its flag's name, with its value.
    pub settings: &'a [(String, String)],
    /// Bytes of device memory at the peak, if known.
    pub peak_memory: Option<u64>,
    /// Seconds of training, of all its parts if it was resumed.
    pub seconds: f64,
    /// Images and people left out, and images that could not be decoded, each with the reason.
    pub left_out: &'a [String],
}

/// The page.
pub fn html(summary: &Summary) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, summary);
    page
}

fn write_page(page: &mut String, summary: &Summary) -> fmt::Result {
    page::begin(page, summary.title)?;
    let chips = [("loss", summary.kind), ("device", summary.device), ("model", summary.model)];
    page::header(page, "training", summary.title, chips.into_iter())?;
    tiles(page, summary)?;
    charts(page, summary.history)?;
    epochs(page, &summary.history.epochs)?;
    settings(page, summary.settings)?;
    page::list(page, "Left out", summary.left_out, "No image was left out.")?;
    page.push_str(
        "<footer>\n<p>Accuracy and VAL follow the LFW protocol as davidsandberg/facenet measures it, on pairs that were not \
         trained on. Triplets that stay are all those of a sample drawn before the first step. Each point of a curve is the mean of the steps it stands for.</p>\n</footer>\n",
    );
    page::end(page);
    Ok(())
}

fn tiles(page: &mut String, summary: &Summary) -> fmt::Result {
    let history = summary.history;
    let (first, last) = (history.points.first(), history.points.last());
    let loss = |point: Option<&Point>| point.and_then(|point| point.losses.first()).copied().unwrap_or(f64::NAN);
    let rates = || history.points.iter().map(|point| point.images_per_second);
    let mean_rate = rates().sum::<f64>() / rates().count() as f64;
    let last_epoch = history.epochs.last();
    let pairs = |value: fn(&Epoch) -> Option<f64>| last_epoch.and_then(value).unwrap_or(f64::NAN);
    let steps = last.map_or(0, |point| point.step + 1);
    // What is measured before the first step is no epoch's.
    let ended = history.epochs.iter().filter(|epoch| epoch.epoch > 0).count();
    let tiles = [
        ("Steps", steps.to_string(), format!("{ended} epochs ended")),
        ("Loss", number(loss(last)), format!("{} at the start", number(loss(first)))),
        (
            "Accuracy",
            percent(pairs(|epoch| epoch.accuracy)),
            history.best_accuracy().map_or("no pairs were evaluated".into(), |(best, epoch)| {
                format!("best {} after epoch {epoch}", percent(best))
            }),
        ),
        ("VAL", percent(pairs(|epoch| epoch.val)), format!("measured FAR {}", percent(pairs(|epoch| epoch.far)))),
        ("AUC", number(pairs(|epoch| epoch.auc)), "of the last epoch's pairs".into()),
        ("Images a second", if mean_rate.is_finite() { format!("{mean_rate:.1}") } else { "–".into() }, "mean".into()),
        ("Training took", duration(summary.seconds), "evaluation and checkpoints included".into()),
        (
            "Memory at the peak",
            summary.peak_memory.map_or("–".into(), |bytes| format!("{:.0}\u{a0}MiB", bytes as f64 / 1048576.0)),
            "on the device".into(),
        ),
    ];
    page::tiles(page, tiles)
}

fn charts(page: &mut String, history: &History) -> fmt::Result {
    page.push_str("<section class=\"charts\" aria-label=\"Charts\">\n");
    let group = history.points.len().div_ceil(CURVE_POINTS).max(1);
    let curve = |value: &dyn Fn(&Point) -> f64| -> Vec<(f64, f64)> {
        let mean = |points: &[Point]| points.iter().map(value).sum::<f64>() / points.len() as f64;
        history.points.chunks(group).map(|points| (points[points.len() - 1].step as f64, mean(points))).collect()
    };
    let after = |value: &dyn Fn(&Epoch) -> Option<f64>| -> Vec<(f64, f64)> {
        history.epochs.iter().filter_map(|epoch| Some((f64::from(epoch.epoch), value(epoch)?))).collect()
    };
    let parts = history.losses.iter().enumerate().filter(|(_, name)| *name != "accuracy");
    let losses =
        parts.map(|(i, name)| (name.as_str(), curve(&|point| point.losses.get(i).copied().unwrap_or(f64::NAN))));
    chart(page, "Loss", ["step", "loss"], losses.collect())?;
    if let Some(i) = history.losses.iter().position(|name| name == "accuracy") {
        let of_batch = curve(&|point| 100.0 * point.losses.get(i).copied().unwrap_or(f64::NAN));
        chart(page, "Accuracy of the batch", ["step", "%"], vec![("accuracy", of_batch)])?;
    }
    let percents = [
        ("accuracy", after(&|epoch| epoch.accuracy.map(|x| 100.0 * x))),
        ("VAL", after(&|epoch| epoch.val.map(|x| 100.0 * x))),
    ];
    chart(page, "Pairs after each epoch", ["epoch", "%"], percents.to_vec())?;
    chart(page, "Learning rate", ["step", "rate"], vec![("learning rate", curve(&|point| point.learning_rate))])?;
    chart(page, "Speed", ["step", "images a second"], vec![("images a second", curve(&|p| p.images_per_second))])?;
    let fixed = after(&|epoch| epoch.triplet_loss);
    if !fixed.is_empty() {
        chart(page, "Triplets that stay", ["epoch", "loss"], vec![("loss", fixed)])?;
    }
    let validation =
        [after(&|epoch| epoch.validation_loss), after(&|epoch| epoch.validation_accuracy.map(|x| 100.0 * x))];
    if validation.iter().any(|points| !points.is_empty()) {
        let [loss, accuracy] = validation;
        chart(page, "Validation loss", ["epoch", "loss"], vec![("loss", loss)])?;
        chart(page, "Validation accuracy", ["epoch", "%"], vec![("accuracy", accuracy)])?;
    }
    page.push_str("</section>\n");
    Ok(())
}

fn chart(page: &mut String, title: &str, axes: [&'static str; 2], curves: Vec<(&str, Vec<(f64, f64)>)>) -> fmt::Result {
    let legend: Vec<_> =
        curves.iter().enumerate().map(|(i, (name, _))| (Mark::series(i), (*name).to_owned())).collect();
    let marked: Vec<_> = curves.into_iter().enumerate().map(|(i, (_, points))| (Mark::series(i), points)).collect();
    page::figure(page, title, &plots::lines(axes, &marked), &legend, "Nothing was measured yet.")
}

fn epochs(page: &mut String, epochs: &[Epoch]) -> fmt::Result {
    if epochs.is_empty() {
        return Ok(());
    }
    page.push_str(
        "<section>\n<h2>Epoch by epoch</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>epoch</th><th>steps</th>\
         <th>validation loss</th><th>validation accuracy</th><th>triplet loss</th><th>accuracy</th><th>VAL</th><th>FAR</th><th>AUC</th>\
         <th>time</th></tr></thead>\n<tbody>\n",
    );
    let or_nan = |x: Option<f64>| x.unwrap_or(f64::NAN);
    for epoch in epochs {
        writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            epoch.epoch,
            epoch.step,
            number(or_nan(epoch.validation_loss)),
            percent(or_nan(epoch.validation_accuracy)),
            number(or_nan(epoch.triplet_loss)),
            percent(or_nan(epoch.accuracy)),
            percent(or_nan(epoch.val)),
            percent(or_nan(epoch.far)),
            number(or_nan(epoch.auc)),
            duration(epoch.seconds),
        )?;
    }
    page.push_str("</tbody>\n</table></div>\n</section>\n");
    Ok(())
}

fn settings(page: &mut String, settings: &[(String, String)]) -> fmt::Result {
    page.push_str("<section>\n<h2>Settings</h2>\n<div class=\"wide\"><table class=\"settings\">\n<tbody>\n");
    for (name, value) in settings {
        writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", Escaped(name), Escaped(value))?;
    }
    page.push_str("</tbody>\n</table></div>\n</section>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that looks like one.
    fn history(steps: u64, epoch_size: u64) -> History {
        let mut history = History::new(&["total", "cross entropy", "center", "weight decay"]);
        history.epochs.push(Epoch { accuracy: Some(0.88), ..Epoch::default() });
        for step in 0..steps {
            let done = step as f32 / steps as f32;
            let noise = ((step * 2654435761 % 1000) as f32 / 1000.0 - 0.5) * 0.4;
            let parts = [8.0 * (-4.0 * done).exp() + 0.4 + noise.abs(), 1.2 - done, 0.8 - 0.3 * done];
            let losses = [parts.iter().sum(), parts[0], parts[1], parts[2]];
            let rate = if done < 0.6 {
                0.05
            } else if done < 0.85 {
                0.005
            } else {
                0.0005
            };
            history.step(step, &losses, rate, 900.0 + 200.0 * f64::from(noise));
            if (step + 1) % epoch_size == 0 {
                let done = f64::from(done);
                history.epochs.push(Epoch {
                    epoch: ((step + 1) / epoch_size) as u32,
                    step: step + 1,
                    validation_loss: Some(3.0 - 2.0 * done),
                    validation_accuracy: Some(0.4 + 0.5 * done),
                    triplet_loss: Some(0.05 - 0.04 * done),
                    accuracy: Some(0.9 + 0.095 * done),
                    val: Some(0.3 + 0.65 * done),
                    far: Some(0.001),
                    auc: None,
                    seconds: 95.4,
                });
            }
        }
        history
    }

    fn page(history: &History, title: &str) -> String {
        let settings = [("batch-size", "90"), ("learning-rate-schedule-file", "<rates & more>.txt")];
        html(&Summary {
            title,
            kind: "softmax",
            device: "cpu (2 cores)",
            model: "models/20180402-114759/step-00030000.safetensors",
            history,
            settings: &settings.map(|(name, value)| (name.to_owned(), value.to_owned())),
            peak_memory: Some(7_345_000_000),
            seconds: 5040.0,
            left_out: &["Jane_Doe/0004.jpg: the file is empty".to_owned()],
        })
    }

    #[test]
    fn the_page_shows_figures_curves_and_settings_and_needs_nothing_else() {
        let page = page(&history(30_000, 1000), "faces <2>");
        for part in [
            "<h1>faces &lt;2&gt;</h1>",
            "<p class=\"value\">99.50\u{a0}%</p>",
            "best 99.50\u{a0}% after epoch 30",
            "30 epochs ended",
            "1h 24m",
            "7005\u{a0}MiB",
            "&lt;rates &amp; more&gt;.txt",
            "Left out: 1",
            "<td>30</td><td>30000</td>",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<svg").count(), 7);
        assert!(!page.contains("<script") && !page.contains("src=\"http") && !page.contains("NaN"));
        if let Some(path) = std::env::var_os("WARPFACE_SAMPLE_PAGE") {
            std::fs::write(path, page).unwrap();
        }
    }

    #[test]
    fn a_run_that_has_hardly_begun_is_no_problem() {
        let empty = page(&History::new(&["total"]), "x");
        assert_eq!((empty.matches("<svg").count(), empty.matches("Nothing was measured yet.").count()), (0, 4));
        let one = page(&history(1, 1), "x");
        assert_eq!(one.matches("<svg").count(), 7);
    }
}
