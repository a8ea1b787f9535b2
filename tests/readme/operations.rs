//! What an operator is told: every metric, every event of the log, every limit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sidegate::index::Counts;
use sidegate::model::{Reason, Verdict};
use sidegate::observe::metrics::{Closed, Method, Metrics, ReloadResult, Shed};
use sidegate::snapshot::{Applied, Freshness};

use super::{code_spans, first_cell, page, root};

#[test]
fn every_metric_told_exists_and_every_metric_is_told() {
    let exported = every_metric();
    let page = page();
    let told: BTreeSet<&str> = code_spans(&page)
        .filter(|span| span.starts_with("sidegate_") || span.starts_with("process_"))
        .filter_map(|span| span.split('{').next())
        .collect();
    for name in &told {
        assert!(exported.iter().any(|known| known == name), "there is no metric `{name}`: {exported:?}");
    }
    for name in &exported {
        assert!(told.contains(name.as_str()), "`{name}` is not told");
    }
}

#[test]
fn every_metric_that_is_watched_exists() {
    let exported = every_metric();
    for file in ["deploy/prometheus/alerts.yaml", "deploy/prometheus/alerts.test.yaml", "deploy/grafana/sidegate.json"]
    {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let mut watched = 0;
        for word in words.filter(|word| word.starts_with("sidegate_") || word.starts_with("process_")) {
            let name = ["_bucket", "_sum", "_count"].iter().fold(word, |word, end| word.trim_end_matches(end));
            assert!(exported.contains(name), "{file}: there is no metric `{word}`");
            watched += 1;
        }
        assert!(watched >= 15, "{file}: only {watched} metrics were found");
    }
}

#[test]
fn every_event_told_exists_and_every_event_is_told() {
    let logged: BTreeSet<String> = sources(&root().join("src")).iter().flat_map(|file| events(file)).collect();
    assert!(logged.len() >= 20, "{logged:?}");
    let page = page();
    let table = page.split_once("\n| event |").unwrap().1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let told: BTreeSet<String> =
        rows.flat_map(|row| code_spans(first_cell(row)).map(str::to_owned).collect::<Vec<_>>()).collect();
    for event in &logged {
        assert!(told.contains(event), "the event `{event}` is not told");
    }
    for event in &told {
        assert!(logged.contains(event), "there is no event `{event}`");
    }
}

#[test]
fn every_limit_is_told_with_its_default() {
    let page = page();
    let table = page.split_once("\n| limit |").unwrap().1;
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let text = fs::read_to_string(root().join("config/sidegate.toml")).unwrap();
    let keys: toml::Table = text.parse().unwrap();
    for (key, value) in keys["limits"].as_table().unwrap() {
        let default = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let row = rows.iter().find(|row| first_cell(row).contains(&format!("`limits.{key}`")));
        let row = row.unwrap_or_else(|| panic!("`limits.{key}` is not told"));
        let told = row.split(" | ").nth(1).unwrap().replace([',', '`'], "");
        assert!(told.split(' ').any(|word| word == default), "`limits.{key}` is {default}, not {told}");
    }
}

/// The names of all metrics, as a scraper sees them after everything has happened once.
fn every_metric() -> BTreeSet<String> {
    let metrics = Metrics::default();
    metrics.decided(&Verdict::deny(Reason::NoGrant), Duration::from_micros(1));
    metrics.reloaded(ReloadResult::Applied);
    metrics.shed(Shed::Connection);
    metrics.config_reloaded(ReloadResult::Applied);
    drop(metrics.caller("some"));
    metrics.connected("data");
    metrics.disconnected("data", Closed::Client);
    metrics.tls_renewed(true);
    metrics.config_reloaded(ReloadResult::Applied);
    metrics.caller("rule");
    metrics.call(Method::Authorize, || None).note(0);
    metrics.live(Arc::new(Applied {
        sequence: 1,
        generation: 1,
        digest: "abc".to_owned(),
        loaded_at: SystemTime::UNIX_EPOCH,
        took: Duration::ZERO,
        bytes: 1,
        fresh: Arc::new(Freshness::ending(Duration::from_secs(60))),
        replaced: None,
        counts: Counts { types: 1, roles: 1, subjects: 1, resources: 1, bindings: 1, forbids: 1 },
        warnings: Vec::new(),
    }));
    let text = metrics.render();
    let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next());
    series
        .map(|name| ["_bucket", "_sum", "_count"].iter().fold(name, |name, end| name.trim_end_matches(end)).to_owned())
        .collect()
}

/// The source files below a folder, without those of tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !name.starts_with("test") {
            files.push(path);
        }
    }
    files
}

/// The messages that a file logs at `info` and above: the last text of each call, up to what is filled in.
fn events(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let calls = ["tracing::info!(", "tracing::warn!(", "tracing::error!("];
    let behind = calls.iter().flat_map(|call| text.split(call).skip(1));
    behind.map(|call| message(call).unwrap_or_else(|| panic!("no message in {}", file.display()))).collect()
}

/// The last text before the bracket that closes a call.
fn message(call: &str) -> Option<String> {
    let (mut depth, mut quoted, mut escaped, mut last, mut begin) = (1, false, false, None, 0);
    for (at, letter) in call.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if quoted => {
                quoted = false;
                last = call.get(begin..at);
            }
            '"' => {
                quoted = true;
                begin = at + 1;
            }
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let text = last?.split(['{', '\\']).next()?;
    Some(text.trim_end_matches(|letter: char| letter == ':' || letter.is_whitespace()).replace('`', ""))
}
