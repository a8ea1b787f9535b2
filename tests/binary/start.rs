//! A bad source at the start: the process stays up, says so, and mends; with `--fail-fast` it ends.

use std::fs;
use std::path::{Path, PathBuf};

use sidegate::service::proto::health_v1::health_check_response::ServingStatus;
use tonic::Code;

use crate::support::{Daemon, ana_may, good, half_written, question, refusal, run, until};

/// Not one of them may take the process down, or let it answer.
fn assert_up_without_an_answer(daemon: &Daemon, what: &str) {
    daemon.logged("the source was refused");
    let client = daemon.client();
    let (code, message, _) = refusal(client.call(|client| client.authorize(question("ana", "access"))));
    assert_eq!(code, Code::Unavailable, "{what}: {message}");
    for service in ["", "sidegate.v1.AuthorizationService"] {
        let status = client.call(|client| client.health(service)).unwrap();
        assert_eq!(status, ServingStatus::NotServing, "{what}: `{service}`");
    }
    assert_eq!(daemon.get("/readyz").0, 503, "{what}");
    assert_eq!(daemon.get("/livez").0, 200, "{what}");
    assert_eq!(daemon.metric("sidegate_reloads_total{result=\"rejected\"}"), 1, "{what}");
}

fn assert_mends(daemon: &Daemon, what: &str) {
    daemon.write(&good());
    let client = daemon.client();
    let status = || client.call(|client| client.health("")).unwrap();
    until("it serves", || status() == ServingStatus::Serving);
    assert!(ana_may(&client), "{what}");
    assert_eq!(daemon.get("/readyz").0, 200, "{what}");
    assert_eq!(client.call(|client| client.health("sidegate.v1.AuthorizationService")).unwrap(), status());
}

#[test]
fn a_bad_source_leaves_it_up_until_it_is_mended() {
    let bad = [
        ("a mistake", "sidegate: 1\nrolls: {}\n"),
        ("empty", ""),
        ("only a comment", "# nothing\n"),
        ("half-written", &half_written()),
        ("no YAML", "\0\u{1}{[\u{202e}"),
        ("deep", &"[".repeat(100_000)),
    ];
    for (what, text) in bad {
        let daemon = Daemon::start(text);
        assert_up_without_an_answer(&daemon, what);
        assert_mends(&daemon, what);
        assert_eq!(daemon.terminate().code, Some(0), "{what}");
    }
}

#[test]
fn a_missing_source_leaves_it_up_until_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    let daemon = Daemon::serve(directory, &source, &[]);
    assert_up_without_an_answer(&daemon, "missing");
    assert_mends(&daemon, "missing");
}

#[test]
fn a_directory_without_a_source_leaves_it_up_until_there_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().to_owned();
    fs::write(source.join("README.md"), "no source").unwrap();
    let daemon = Daemon::serve(directory, &source, &[]);
    assert_up_without_an_answer(&daemon, "no source");
    assert_mends(&daemon, "no source");
}

#[test]
fn fail_fast_ends_with_65_and_shows_the_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, "sidegate: 1\nrolls: {}\n").unwrap();
    let source = source.to_str().unwrap();
    let listen = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let ended = run(&[&["serve", "--fail-fast", "--snapshot", source][..], &listen].concat());
    assert_eq!(ended.code, Some(65), "{}", ended.err);
    assert!(ended.err.contains("policy.yaml:2:1"), "{}", ended.err);
    assert!(ended.err.contains("`sidegate validate` shows the lines"), "{}", ended.err);
}

/// The niceness of the daemon's first thread, and of the one that builds (`proc_pid_stat(5)`, field 19).
fn niceness(daemon: &Daemon) -> (i32, i32) {
    let of = |path: &Path| -> i32 {
        let stat = fs::read_to_string(path.join("stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap()
    };
    let process = PathBuf::from(format!("/proc/{}", daemon.process.id()));
    let mut tasks = fs::read_dir(process.join("task")).unwrap().map(|task| task.unwrap().path());
    let build =
        tasks.find(|task| fs::read_to_string(task.join("comm")).unwrap().trim_end() == "sidegate-build").unwrap();
    (of(&process), of(&build))
}

#[test]
fn who_builds_gives_way_once_something_is_live() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    let daemon = Daemon::serve(directory, &source, &[]);
    daemon.logged("the source was refused");
    let (others, build) = niceness(&daemon);
    assert_eq!(build, others, "nothing is live, all wait for the build");
    daemon.write(&good());
    let daemon = daemon.ready();
    until("it gives way", || niceness(&daemon) == (others, 19.min(others + 10)));
}
