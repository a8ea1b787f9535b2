//! Figures as a table in Markdown.

use std::time::Duration;

use crate::checker::Findings;

/// The value below which so many of a thousand are.
pub(crate) fn quantile(sorted: &[Duration], thousandths: usize) -> Duration {
    let place = (sorted.len() * thousandths).div_ceil(1_000).max(1) - 1;
    sorted.get(place).copied().unwrap_or_default()
}

/// In milliseconds.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1_000.0)
}

/// `count`, p50, p99 and the longest of some times, as cells.
pub(crate) fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let [p50, p99, p100] = [500, 990, 1_000].map(|thousandths| ms(quantile(&times, thousandths)));
    format!("{} | {p50} | {p99} | {p100}", times.len())
}

/// The middle of some figures, and the range.
pub(crate) fn median(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (figures.first(), figures.last()) else { return "–".to_owned() };
    format!("{:.2} ({least:.2}–{most:.2})", figures[figures.len() / 2])
}

/// What the checker found.
pub(crate) fn findings(findings: &Findings) {
    let Findings { calls, checked, wrong, lost, panics, fail_open, mixed, backwards, .. } = findings;
    println!(
        "\n| calls | answers checked | wrong | lost | panics | fail-open | mixed | backwards | broken | refused |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    println!(
        "| {calls} | {checked} | {wrong} | {lost} | {panics} | {fail_open} | {mixed} | {backwards} | {} | {:?} |",
        findings.broken, findings.refused
    );
    for told in &findings.told {
        println!("{told}");
    }
}

/// Whether nothing is wrong.
pub(crate) fn is_clean(findings: &Findings) -> bool {
    let Findings { checked, wrong, lost, panics, fail_open, mixed, backwards, .. } = findings;
    *checked > 0 && [wrong, lost, panics, fail_open, mixed, backwards].into_iter().all(|count| *count == 0)
}
