//! The load generator against the daemon: what it counts, what it calls wrong, and how it ends. Runs are bounded by a
//! number of calls, so that nothing here depends on speed.

use std::fs;

use serde_json::Value as Json;

use crate::support::{Daemon, POLICY, ana_may, good, run, until};

/// Ana may enter, and nobody may leave.
const QUESTIONS: &str = r#"{"subject": "user/ana", "action": "access", "resource": "workspace/prod", "expect": "allow"}
{"subject": "user/bob", "action": "access", "resource": "workspace/prod", "expect": "deny", "context": {"mfa": true}}
{"subject": "user/ana", "action": "leave", "resource": "workspace/prod"}
"#;

/// Runs it, and reads what it says.
fn bench(server: &str, more: &[&str]) -> (Option<i32>, Json, String) {
    let ended = run(&[&["bench", "--server", server, "--json"], more].concat());
    let told = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}{}", ended.out, ended.err));
    (ended.code, told, ended.err)
}

#[test]
fn every_call_is_answered_and_counted_by_every_door() {
    let daemon = Daemon::start(&good()).ready();
    let file = daemon.directory.path().join("questions.jsonl");
    fs::write(&file, QUESTIONS).unwrap();
    let file = file.to_str().unwrap();
    for (door, answers, more) in [
        ("Authorize", 600, &[][..]),
        ("Authorize", 600, &["--rate", "20000"]),
        ("Authorize", 600, &["--connections", "3", "--in-flight", "7", "--threads", "2"]),
        ("BatchAuthorize", 6_000, &["--batch", "10"]),
        ("AuthorizeStream", 600, &["--stream"]),
        ("AuthorizeStream", 600, &["--stream", "--rate", "20000"]),
    ] {
        let (code, told, err) = bench(&daemon.data, &[&["--questions", file, "--count", "600"], more].concat());
        assert_eq!(code, Some(0), "{more:?}: {told} {err}");
        assert_eq!((told["call"].as_str(), told["calls"].as_u64()), (Some(door), Some(600)), "{more:?}: {told}");
        // In order, a third of them each.
        assert_eq!(told["allowed"].as_u64(), Some(answers / 3), "{more:?}: {told}");
        assert_eq!(told["denied"].as_u64(), Some(answers / 3 * 2), "{more:?}: {told}");
        assert_eq!((told["wrong"].as_u64(), told["unanswered"].as_u64()), (Some(0), Some(0)), "{more:?}: {told}");
        let digests = told["digests"].as_object().unwrap();
        assert_eq!(digests.values().map(Json::as_u64).collect::<Vec<_>>(), [Some(600)], "one snapshot: {told}");
        let time = |name: &str| told["latency_us"][name].as_f64().unwrap();
        assert!(time("p50") > 0.0 && time("p50") <= time("p99") && time("p99") <= time("max"), "{told}");
    }
    let decided = daemon.metric("sidegate_decisions_total{decision=\"allow\",reason=\"GRANTED\"}");
    assert_eq!(decided, 200 * 5 + 2_000, "the daemon counts as many");
}

#[test]
fn a_seed_draws_the_same_questions_again() {
    let daemon = Daemon::start(&good()).ready();
    let file = daemon.directory.path().join("questions.jsonl");
    fs::write(&file, QUESTIONS).unwrap();
    let file = file.to_str().unwrap();
    let allowed = |seed: &str| {
        let (_, told, _) = bench(&daemon.data, &["--questions", file, "--count", "1000", "--seed", seed]);
        told["allowed"].as_u64().unwrap()
    };
    assert_eq!(allowed("7"), allowed("7"));
    assert!((200..500).contains(&allowed("8")), "about a third");
}

#[test]
fn a_wrong_answer_is_the_answer() {
    let daemon = Daemon::start(&good()).ready();
    let question = ["user/ana", "access", "workspace/prod", "--count", "50"];
    let (code, told, _) = bench(&daemon.data, &[&question[..], &["--expect", "allow"]].concat());
    assert_eq!((code, told["wrong"].as_u64()), (Some(0), Some(0)), "{told}");
    for door in [&[][..], &["--stream"], &["--batch", "2"]] {
        let (code, told, _) = bench(&daemon.data, &[&question[..], &["--expect", "deny"], door].concat());
        let wrong = if door.len() == 2 { 100 } else { 50 };
        assert_eq!((code, told["wrong"].as_u64()), (Some(1), Some(wrong)), "{door:?}: {told}");
    }
    daemon.write(POLICY);
    until("the binding is gone", || !ana_may(&daemon.client()));
    let (code, told, _) = bench(&daemon.data, &[&question[..], &["--expect", "allow"]].concat());
    assert_eq!((code, told["wrong"].as_u64()), (Some(1), Some(50)), "{told}");
}

#[test]
fn says_what_is_wrong_with_its_questions_and_with_the_server() {
    let daemon = Daemon::start(&good()).ready();
    let file = daemon.directory.path().join("questions.jsonl");
    fs::write(&file, "{\"subject\": \"user/ana\"}\n").unwrap();
    let ended = run(&["bench", "--server", &daemon.data, "--questions", file.to_str().unwrap(), "--count", "1"]);
    assert_eq!(ended.code, Some(64));
    assert!(
        ended.err.contains("questions.jsonl:1:1: ") || ended.err.contains("questions.jsonl:1:1\n"),
        "{}",
        ended.err
    );
    let question = ["user/ana", "access", "workspace/prod", "--count", "5"];
    // A question that no snapshot could answer.
    let (code, told, _) = bench(&daemon.data, &["user/ana", "access", "workspace/\u{7}", "--count", "5"]);
    assert_eq!((code, told["errors"]["INVALID_ARGUMENT"].as_u64()), (Some(64), Some(5)), "{told}");
    let (address, directory) = (daemon.data.clone(), daemon.directory.path().join("nobody.sock"));
    assert_eq!(daemon.terminate().code, Some(0));
    for nobody in [address, format!("unix:{}", directory.display())] {
        let (code, told, _) = bench(&nobody, &question);
        assert_eq!(code, Some(69), "{told}");
        assert!(told["error"]["message"].as_str().unwrap().contains("cannot reach"), "{told}");
    }
}

#[test]
fn asks_over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let (source, socket) = (directory.path().join("policy.yaml"), directory.path().join("sidegate.sock"));
    fs::write(&source, good()).unwrap();
    let daemon = Daemon::serve(directory, &source, &["--uds", socket.to_str().unwrap()]).ready();
    let address = format!("unix:{}", socket.display());
    let question = ["user/ana", "access", "workspace/prod", "--expect", "allow", "--count", "300"];
    for door in [&[][..], &["--stream"]] {
        let (code, told, err) = bench(&address, &[&question[..], door].concat());
        assert_eq!((code, told["allowed"].as_u64()), (Some(0), Some(300)), "{told} {err}");
    }
    drop(daemon);
}
