//! An evaluation as one self-contained HTML page: no script, no network, light or dark as the reader's system is.

pub(crate) mod page;
pub(crate) mod plots;
pub mod sheet;
pub mod threshold;

use std::fmt::{self, Write};

use super::verification::{Evaluation, FAR_TARGET};
use page::{DataUri, Escaped, number, percent};
use plots::{Mark, Plot};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    /// The page's title, such as the dataset's folder.
    pub title: &'a str,
    /// The weights file that made the embeddings.
    pub model: &'a str,
    /// The device that ran it.
    pub device: &'a str,
    /// Name and value of what else was chosen: distance, flip, standardization, pairs file, …
    pub options: &'a [(String, String)],
    /// How many photographs were embedded.
    pub images: usize,
    /// What was measured.
    pub evaluation: &'a Evaluation,
    /// Pairs of different people that look most alike ([`Evaluation::nearest_different`]).
    pub nearest_different: &'a [PicturePair],
    /// Pairs of one person that look least alike ([`Evaluation::farthest_same`]).
    pub farthest_same: &'a [PicturePair],
    /// Photographs left out, each with the reason.
    pub skipped: &'a [String],
    /// Stage and seconds.
    pub seconds: &'a [(String, f64)],
}

/// Two crops to look at.
#[derive(Clone, Debug)]
pub struct PicturePair {
    /// The first crop as a PNG file's bytes.
    pub a: Vec<u8>,
    /// The second crop as a PNG file's bytes.
    pub b: Vec<u8>,
    /// What the first photograph is called.
    pub name_a: String,
    /// What the second photograph is called.
    pub name_b: String,
    /// Their distance.
    pub distance: f64,
    /// Whether the threshold in use judges them wrongly.
    pub wrong: bool,
}

/// The page.
pub fn html(input: &ReportInput) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, input);
    page
}

fn write_page(page: &mut String, input: &ReportInput) -> fmt::Result {
    page::begin(page, input.title)?;
    let fixed = [("model", input.model), ("device", input.device)];
    let chosen = input.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    page::header(page, "face verification", input.title, fixed.into_iter().chain(chosen))?;
    tiles(page, input)?;
    charts(page, input.evaluation)?;
    folds(page, input.evaluation)?;
    pictures(page, input)?;
    skipped(page, input)?;
    footer(page, input)?;
    page::end(page);
    Ok(())
}

fn tiles(page: &mut String, input: &ReportInput) -> fmt::Result {
    let evaluation = input.evaluation;
    let figures = &evaluation.figures;
    let same = evaluation.same.iter().filter(|&&same| same).count();
    let [best_accuracy, best_f1] = [evaluation.best_accuracy, evaluation.best_f1];
    let tiles: [(&str, String, String); 8] = [
        ("Accuracy", percent(figures.accuracy.mean), format!("± {} over the folds", percent(figures.accuracy.std))),
        (
            &format!("VAL at FAR {FAR_TARGET}"),
            percent(figures.val.mean),
            format!("± {} · measured FAR {}", percent(figures.val.std), percent(figures.val.far)),
        ),
        ("AUC", number(figures.auc), "exact, ties count one half".into()),
        ("EER", percent(figures.eer), "exact, linear between points".into()),
        ("Threshold in use", number(figures.threshold), "mean of the folds' best".into()),
        ("Best by accuracy", number(best_accuracy.threshold), format!("{} of all pairs", percent(best_accuracy.score))),
        ("Best by F1", number(best_f1.threshold), format!("F1 {} over all pairs", number(best_f1.score))),
        (
            "Pairs",
            figures.pairs.to_string(),
            format!("{same} same, {} different · {} photographs", figures.pairs - same, input.images),
        ),
    ];
    page::tiles(page, tiles)
}

fn charts(page: &mut String, evaluation: &Evaluation) -> fmt::Result {
    let thresholds = [
        (Mark::InUse, "threshold in use", evaluation.figures.threshold),
        (Mark::BestAccuracy, "best by accuracy", evaluation.best_accuracy.threshold),
        (Mark::BestF1, "best by F1", evaluation.best_f1.threshold),
    ];
    let marks = thresholds.map(|(mark, _, threshold)| (mark, threshold));
    let named = thresholds.map(|(mark, name, threshold)| (mark, format!("{name} {}", number(threshold))));
    let with = |own: &[(Mark, &str)]| {
        own.iter().map(|&(mark, name)| (mark, name.to_owned())).chain(named.clone()).collect::<Vec<_>>()
    };
    let rates = [(Mark::Curve, "true accepts".to_owned()), (Mark::Point, "threshold in use".to_owned())];
    page.push_str("<section class=\"charts\" aria-label=\"Charts\">\n");
    figure(
        page,
        "How far pairs are apart",
        &plots::histogram(&evaluation.distances, &evaluation.same, &marks),
        &with(&[(Mark::Same, "same person"), (Mark::Different, "different people")]),
    )?;
    figure(
        page,
        "Accuracy and F1 by threshold",
        &plots::scores(&evaluation.roc, &marks),
        &with(&[(Mark::Accuracy, "accuracy"), (Mark::F1, "F1")]),
    )?;
    let threshold = evaluation.figures.threshold;
    figure(page, "ROC", &plots::roc(&evaluation.roc, threshold, false), &rates)?;
    figure(page, "ROC, false accepts on a logarithmic scale", &plots::roc(&evaluation.roc, threshold, true), &rates)?;
    page.push_str("</section>\n");
    Ok(())
}

fn figure(page: &mut String, title: &str, plot: &Plot, legend: &[(Mark, String)]) -> fmt::Result {
    page::figure(page, title, plot, legend, "Needs pairs of one person and of different people.")
}

fn folds(page: &mut String, evaluation: &Evaluation) -> fmt::Result {
    page.push_str(
        "<section>\n<h2>Fold by fold</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>fold</th><th>pairs</th>\
         <th>threshold</th><th>accuracy</th><th>VAL threshold</th><th>VAL</th><th>FAR</th></tr></thead>\n<tbody>\n",
    );
    for (i, fold) in evaluation.folds.iter().enumerate() {
        writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{:.2}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            i + 1,
            fold.pairs,
            fold.threshold,
            percent(fold.accuracy),
            number(fold.val_threshold),
            percent(fold.val),
            percent(fold.far),
        )?;
    }
    let figures = &evaluation.figures;
    writeln!(
        page,
        "</tbody>\n<tfoot><tr><td>mean</td><td></td><td>{}</td><td>{}</td><td></td><td>{}</td><td>{}</td></tr></tfoot>\n\
         </table></div>\n</section>",
        number(figures.threshold),
        percent(figures.accuracy.mean),
        percent(figures.val.mean),
        percent(figures.val.far),
    )
}

fn pictures(page: &mut String, input: &ReportInput) -> fmt::Result {
    let kinds = [
        ("Different people who look most alike", "false accept", input.nearest_different),
        ("One person who looks least alike", "false reject", input.farthest_same),
    ];
    for (title, error, pairs) in kinds {
        let wrong = pairs.iter().filter(|pair| pair.wrong).count();
        let found = match wrong {
            0 => format!("No {error} among them at the threshold in use."),
            1 => format!("1 {error} among them at the threshold in use."),
            n => format!("{n} {error}s among them at the threshold in use."),
        };
        writeln!(page, "<section>\n<h2>{title}</h2>\n<p class=\"lead\">{found}</p>\n<div class=\"pairs\">")?;
        for pair in pairs {
            let (class, verdict) = if pair.wrong { (" class=\"wrong\"", error) } else { ("", "judged rightly") };
            writeln!(
                page,
                "<article{class}>\n<div class=\"faces\"><img src=\"{}\" alt=\"{a}\" title=\"{a}\"><img src=\"{}\" alt=\"{b}\" \
                 title=\"{b}\"></div>\n<p class=\"verdict\"><b>{}</b> {verdict}</p>\n<p class=\"names\">{a}<br>{b}</p>\n</article>",
                DataUri(&pair.a),
                DataUri(&pair.b),
                number(pair.distance),
                a = Escaped(&pair.name_a),
                b = Escaped(&pair.name_b),
            )?;
        }
        page.push_str("</div>\n</section>\n");
    }
    Ok(())
}

fn skipped(page: &mut String, input: &ReportInput) -> fmt::Result {
    page::list(page, "Left out", input.skipped, "No photograph was left out.")
}

fn footer(page: &mut String, input: &ReportInput) -> fmt::Result {
    page.push_str("<footer>\n");
    if !input.seconds.is_empty() {
        page.push_str("<p>Seconds: ");
        for (i, (stage, seconds)) in input.seconds.iter().enumerate() {
            write!(page, "{}{} <b>{seconds:.2}</b>", if i > 0 { " · " } else { "" }, Escaped(stage))?;
        }
        page.push_str(".</p>\n");
    }
    page.push_str(
        "<p>Accuracy and VAL follow the LFW protocol as davidsandberg/facenet measures it: each fold's threshold comes \
         from the other folds. AUC, EER and the curves are exact over the full range of distances. A pair is taken for \
         one person if its distance is below the threshold.</p>\n</footer>\n",
    );
    Ok(())
}
