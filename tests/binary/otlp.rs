//! Spans: with the feature, a sampled call arrives at a collector; without it, the configuration says so.

#[cfg(feature = "otlp")]
mod collector;

use std::fs;

use crate::support::{good, run};

#[test]
fn an_endpoint_that_cannot_be_used_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let (source, file) = (directory.path().join("policy.yaml"), directory.path().join("sidegate.toml"));
    fs::write(&source, good()).unwrap();
    let endpoint = if cfg!(feature = "otlp") { "https://127.0.0.1:4317" } else { "http://127.0.0.1:4317" };
    fs::write(&file, format!("[otlp]\nendpoint = \"{endpoint}\"\n")).unwrap();
    let ended = run(&["serve", "--snapshot", source.to_str().unwrap(), "--config", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    let why = if cfg!(feature = "otlp") { "must be like" } else { "built without OTLP" };
    assert!(ended.err.contains("otlp.endpoint") && ended.err.contains(why), "{}", ended.err);
}
