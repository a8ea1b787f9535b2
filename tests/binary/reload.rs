//! A source that changes under a serving daemon: what is good is served at once, what is bad never.

use std::fs;

use rustix::process::Signal;
use sidegate::service::proto::health_v1::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{Daemon, POLICY, ana_may, block_on, good, half_written, question, until};

const REJECTED: &str = "sidegate_reloads_total{result=\"rejected\"}";

#[test]
fn a_bad_source_later_leaves_the_last_good_snapshot() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    let digest = || client.call(|client| client.authorize(question("ana", "access"))).unwrap().snapshot.unwrap().digest;
    let live = digest();
    let half = half_written();
    let bad = [
        ("a mistake", Some("sidegate: 1\nrolls: {}\n")),
        ("empty", Some("")),
        ("half-written", Some(&half)),
        ("removed", None),
        ("no YAML", Some("\0\u{1}{[")),
    ];
    for (number, (what, text)) in (1..).zip(bad) {
        match text {
            Some(text) => daemon.write(text),
            None => fs::remove_file(daemon.source()).unwrap(),
        }
        until(what, || {
            daemon.metric(REJECTED) >= number && daemon.log("the source was refused").len() as u64 >= number
        });
        assert!(ana_may(&client), "{what}");
        assert_eq!(digest(), live, "{what}");
        assert_eq!(client.call(|client| client.health("")).unwrap(), ServingStatus::Serving, "{what}");
        assert_eq!(daemon.get("/readyz").0, 200, "{what}");
    }
    let told = daemon.log("the source was refused")[0].to_string();
    assert!(told.contains("policy.yaml:2:1: error: ") && told.contains("help: "), "{told}");
    daemon.write(POLICY);
    until("the mended source is live", || !ana_may(&client));
}

#[test]
fn a_restart_on_a_bad_source_serves_the_last_good_copy() {
    let state = tempfile::tempdir().unwrap();
    let more = ["--config", state.path().join("sidegate.toml").to_str().unwrap()].map(str::to_owned);
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let config = format!("[snapshot]\nstate_directory = {:?}\n", state.path());
    fs::write(state.path().join("sidegate.toml"), config).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let kept = directory.path().to_owned();
    let first = Daemon::serve(tempfile::tempdir().unwrap(), &source, &more).ready();
    assert!(ana_may(&first.client()));
    assert_eq!(first.metric("sidegate_source_refused"), 0);
    assert_eq!(first.terminate().code, Some(0));
    fs::write(kept.join("policy.yaml"), "sidegate: 1\nrolls: {}\n").unwrap();
    let second = Daemon::serve(tempfile::tempdir().unwrap(), &source, &more).ready();
    assert!(ana_may(&second.client()));
    // Metrics follow the snapshot a moment later.
    until("the refusal shows", || second.metric("sidegate_source_refused") == 1 && second.metric(REJECTED) == 1);
    fs::write(kept.join("policy.yaml"), POLICY).unwrap();
    until("the mended source is live", || !ana_may(&second.client()));
    until("the refusal is over", || second.metric("sidegate_source_refused") == 0);
}

#[test]
fn health_does_not_flap_on_a_bad_source() {
    let daemon = Daemon::start(&good()).ready();
    block_on(async {
        let mut health = HealthClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        let mut next = async || watch.message().await.unwrap().map(|news| news.status());
        let mut status = next().await;
        while status == Some(ServingStatus::NotServing) {
            // Health follows the snapshot a moment later.
            status = next().await;
        }
        assert_eq!(status, Some(ServingStatus::Serving));
        for number in 1..=3 {
            daemon.write(&format!("sidegate: 1\nrolls: {{}} # {number}\n"));
            until("it is refused", || daemon.metric(REJECTED) >= number);
        }
        daemon.process.signal(Signal::TERM);
        assert_eq!(next().await, Some(ServingStatus::NotServing), "the first news since is the end");
        assert_eq!(next().await, None);
    });
    assert_eq!(daemon.process.end().code, Some(0));
}

#[test]
fn a_hangup_reads_the_source_again() {
    let daemon = Daemon::start(&good()).ready();
    let unchanged = "sidegate_reloads_total{result=\"unchanged\"}";
    for number in 1..=3 {
        daemon.process.signal(Signal::HUP);
        until("it was read again", || daemon.metric(unchanged) >= number);
    }
    assert!(ana_may(&daemon.client()));
}
