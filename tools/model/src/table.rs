//! The prediction, layer by layer, in columns.

use std::fmt::Write;

use crate::cards::Card;
use crate::count::{Asked, CountedStep};
use crate::predict::{Bound, FILL, LAUNCH, Predicted};

/// A step with its prediction.
pub type Row<'a> = (&'a CountedStep, Predicted);

fn micros(seconds: f64) -> f64 {
    seconds * 1e6
}

/// The table, and the network's sums below it.
pub fn table(asked: Asked, card: &Card, rows: &[Row]) -> String {
    let mut text = String::new();
    let Card { title, multiprocessors, source, .. } = card;
    let Asked { network, batch, precision } = asked;
    // Writing to a string does not fail.
    let _ = writeln!(text, "# {} on {title}: predicted, not measured\n", network.def.name());
    let _ = writeln!(text, "Batch {batch}, {precision}; {multiprocessors} multiprocessors. Peaks: {source}.");
    let _ = writeln!(
        text,
        "A launch costs {:.1} to {:.1} us besides its work, a block {:.0} to {:.0} clocks until its first data are there.\n",
        micros(LAUNCH[0]),
        micros(LAUNCH[1]),
        FILL[0],
        FILL[1]
    );
    let _ = writeln!(
        text,
        "| layer | kernel | blocks | waves | tail | bound | us, low | us, high | roofline us | conflicts | sectors |"
    );
    let _ = writeln!(text, "|---|---|---:|---:|---:|---|---:|---:|---:|---:|---:|");
    for (step, predicted) in rows.iter().filter(|(step, _)| !step.launches.is_empty()) {
        row(&mut text, step, predicted);
    }
    sums(&mut text, batch, rows);
    text
}

fn row(text: &mut String, step: &CountedStep, predicted: &Predicted) {
    let Predicted { seconds, bound, waves, tail, roofline } = predicted;
    let profiles = || step.launches.iter().map(|launched| &launched.counted.profile);
    let kernels: Vec<&str> = profiles().map(|profile| profile.kernel.as_str()).collect();
    let blocks: u64 = profiles().map(|profile| profile.grid.iter().map(|&n| u64::from(n)).product::<u64>()).sum();
    let [conflicts, passes] =
        profiles().fold([0; 2], |[c, p], profile| [c + profile.total.conflicts(), p + profile.total.wavefronts()]);
    let conflicts = if passes == 0 { 0.0 } else { conflicts as f64 / passes as f64 };
    let efficiency = profiles().map(|profile| profile.total.sector_efficiency()).fold(1.0, f64::min);
    let _ = writeln!(
        text,
        "| {} | {} | {blocks} | {waves:.2} | {:.0}% | {} | {:.2} | {:.2} | {:.2} | {:.0}% | {:.0}% |",
        step.name,
        kernels.join(", "),
        100.0 * tail,
        bound.name(),
        micros(seconds[0]),
        micros(seconds[1]),
        micros(*roofline),
        100.0 * conflicts,
        100.0 * efficiency
    );
}

/// The columns of [`rows_as_csv`].
pub const COLUMNS: &str =
    "card,network,precision,batch,layer,kernels,blocks,waves,tail,bound,low_s,high_s,roofline_s\n";

/// The rows as CSV, times in seconds.
pub fn rows_as_csv(asked: Asked, card: &Card, rows: &[Row]) -> String {
    let Asked { network, batch, precision } = asked;
    let mut text = String::new();
    for (step, predicted) in rows.iter().filter(|(step, _)| !step.launches.is_empty()) {
        let Predicted { seconds: [low, high], bound, waves, tail, roofline } = predicted;
        let profiles = || step.launches.iter().map(|launched| &launched.counted.profile);
        let kernels: Vec<&str> = profiles().map(|profile| profile.kernel.as_str()).collect();
        let blocks: u64 = profiles().map(|profile| profile.grid.iter().map(|&n| u64::from(n)).product::<u64>()).sum();
        let _ = writeln!(
            text,
            "{},{},{precision},{batch},{},{},{blocks},{waves:.3},{tail:.3},{},{low:.4e},{high:.4e},{roofline:.4e}",
            card.name,
            network.def.name(),
            step.name,
            kernels.join(" "),
            bound.name()
        );
    }
    text
}

/// The network's time, by what bounds it, and beside its roofline.
fn sums(text: &mut String, batch: usize, rows: &[Row]) {
    let launches: usize = rows.iter().map(|(step, _)| step.launches.len()).sum();
    let sum = |end: usize| rows.iter().map(|(_, predicted)| predicted.seconds[end]).sum::<f64>();
    let [low, high] = [sum(0), sum(1)];
    let roofline: f64 = rows.iter().map(|(_, predicted)| predicted.roofline).sum();
    let _ = writeln!(
        text,
        "\nThe network: {:.3} to {:.3} ms in {launches} launches, {:.0} to {:.0} faces/s; its roofline {:.3} ms, so {:.2}x to {:.2}x \
         that.",
        1e3 * low,
        1e3 * high,
        batch as f64 / high,
        batch as f64 / low,
        1e3 * roofline,
        low / roofline,
        high / roofline
    );
    let mut bounds: Vec<(Bound, f64)> = Vec::new();
    for (_, predicted) in rows {
        match bounds.iter_mut().find(|(bound, _)| *bound == predicted.bound) {
            Some((_, seconds)) => *seconds += predicted.seconds[0],
            None => bounds.push((predicted.bound, predicted.seconds[0])),
        }
    }
    bounds.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shares = bounds.iter().map(|(bound, seconds)| format!("{} {:.0}%", bound.name(), 100.0 * seconds / low));
    let _ = writeln!(text, "Of the low time: {}.", shares.collect::<Vec<_>>().join(", "));
}
