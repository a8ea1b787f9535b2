//! The figures of the page are those that were measured: `benches/peers/run` writes both.

use std::fs;

use super::{page, root};

#[test]
fn the_table_of_figures_is_the_one_that_was_measured() {
    let page = page();
    let (_, rest) = page.split_once("<!-- benches/results/table.md -->\n").unwrap();
    let (shown, _) = rest.split_once("<!-- end of table.md -->").unwrap();
    let measured = fs::read_to_string(root().join("benches/results/table.md")).unwrap();
    assert!(shown == measured, "the page shows another table than benches/results/table.md: run benches/peers/run");
}

#[test]
fn every_chart_shown_is_there() {
    let page = page();
    let charts: Vec<&str> = page
        .split("](benches/results/")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(name, _)| name))
        .collect();
    assert!(charts.len() >= 3, "only {charts:?} are shown");
    for chart in charts {
        let text = fs::read_to_string(root().join("benches/results").join(chart)).unwrap();
        assert!(text.starts_with("<svg "), "{chart} is no picture");
    }
}
