//! Decision logs that nobody reads: a pipe without a reader, one whose reader stops or leaves, a full disk. Nobody waits
//! for them, and written and dropped together are what was decided.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sidegate::service::proto::v1::{self, batch_authorize_result::Outcome};
use tempfile::TempDir;

use crate::support::{Daemon, LIMIT, ana_may, command, good, question, until};
use crate::vitals::Bystanders;

const WRITTEN: &str = "sidegate_decision_log_written_total";
const DROPPED: &str = "sidegate_decision_log_dropped_total";

fn config(directory: &Path, to: &str) -> PathBuf {
    let file = directory.join("sidegate.toml");
    fs::write(&file, format!("[decision_log]\nmode = \"all\"\nqueue = 256\nto = \"{to}\"\n")).unwrap();
    file
}

fn pipe() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    (directory, path)
}

/// Has as many decisions made as it takes until some are dropped; how many.
fn decide_until_some_are_dropped(daemon: &Daemon) -> u64 {
    let client = daemon.client();
    let requests = vec![question("ana", "access"); 1000];
    let batch = v1::BatchAuthorizeRequest { requests, ..Default::default() };
    let mut decided = 0;
    until("some are dropped", || {
        let answer = client.call(|client| client.batch(batch.clone())).unwrap();
        assert!(answer.results.iter().all(|result| matches!(&result.outcome, Some(Outcome::Verdict(_)))));
        decided += 1000;
        daemon.metric(DROPPED) > 500
    });
    decided
}

/// Every decision was either written or dropped, once what waits has been written or given up.
fn assert_all_are_counted(daemon: &Daemon, decided: u64) {
    until("all are counted", || daemon.metric(WRITTEN) + daemon.metric(DROPPED) == decided);
}

/// What the daemon says at its end of decisions that it could not write.
fn lost_at_the_end(daemon: Daemon) -> String {
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("the decision log is closed"), "{}", ended.err);
    ended.err
}

#[test]
fn a_pipe_that_nobody_opens_holds_up_nobody() {
    let (directory, path) = pipe();
    let file = config(directory.path(), &format!("file:{}", path.display()));
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    decide_until_some_are_dropped(&daemon);
    assert_eq!(daemon.metric(WRITTEN), 0);
    assert!(ana_may(&daemon.client()));
    lost_at_the_end(daemon);
}

#[test]
fn a_reader_that_stops_and_goes_on_gets_every_line_or_its_gap() {
    let (directory, path) = pipe();
    let file = config(directory.path(), &format!("file:{}", path.display()));
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    let mut reader = File::options().read(true).write(true).open(&path).unwrap();
    let decided = decide_until_some_are_dropped(&daemon);
    // Reads again: what waited comes, then all that follows.
    let reading = std::thread::spawn(move || {
        let (mut text, mut piece) = (Vec::new(), vec![0; 65536]);
        while !text.ends_with(b"END\n") {
            let count = reader.read(&mut piece).unwrap();
            text.extend_from_slice(&piece[..count]);
        }
        text.split(|byte| *byte == b'\n').count() as u64 - 2
    });
    assert_all_are_counted(&daemon, decided);
    let written = daemon.metric(WRITTEN);
    assert!(written > 0);
    lost_at_the_end(daemon);
    fs::write(&path, "END\n").unwrap();
    assert_eq!(reading.join().unwrap(), written, "lines that count as written are there");
}

#[test]
fn a_reader_that_leaves_holds_up_nobody() {
    let (directory, path) = pipe();
    let file = config(directory.path(), &format!("file:{}", path.display()));
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    let client = daemon.client();
    for _ in 0..3 {
        let both = File::options().read(true).write(true).open(&path).unwrap();
        until("a line is written", || {
            assert!(ana_may(&client));
            daemon.metric(WRITTEN) > 0
        });
        drop(both);
        for _ in 0..100 {
            assert!(ana_may(&client));
        }
    }
    lost_at_the_end(daemon);
}

#[test]
fn a_full_disk_drops_and_counts() {
    let directory = tempfile::tempdir().unwrap();
    let file = config(directory.path(), "file:/dev/full");
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    let others = Bystanders::ask(&daemon.data, false);
    let decided = decide_until_some_are_dropped(&daemon);
    others.wait();
    let decided = decided + u64::try_from(others.end()).unwrap();
    assert_eq!(daemon.metric(WRITTEN), 0);
    assert!(daemon.metric(DROPPED) < decided, "some still wait");
    let err = lost_at_the_end(daemon);
    println!("{}", err.lines().last().unwrap());
}

/// Standard output that nobody reads: the pipe of a supervisor that hangs.
#[test]
fn a_deaf_supervisor_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let file = config(directory.path(), "stdout");
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let sockets = directory.path().join("data.sock");
    let arguments = ["serve", "--snapshot", source.to_str().unwrap(), "--config", file.to_str().unwrap()];
    let listeners = ["--listen", "", "--ops-listen", "", "--uds", sockets.to_str().unwrap()];
    let mut command: Command = command(&[&arguments[..], &listeners].concat());
    // Neither stream is read.
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = Killed(child);
    let address = format!("unix:{}", sockets.display());
    until("it answers", || {
        let asked = sidegate::client::Blocking::connect(&address, LIMIT);
        asked.is_ok_and(|client| client.call(|client| client.authorize(question("ana", "access"))).is_ok())
    });
    let client = sidegate::client::Blocking::connect(&address, LIMIT).unwrap();
    let batch = v1::BatchAuthorizeRequest { requests: vec![question("ana", "access"); 1000], ..Default::default() };
    // Ten times what a pipe holds.
    for _ in 0..10 {
        assert_eq!(client.call(|client| client.batch(batch.clone())).unwrap().results.len(), 1000);
    }
    assert!(ana_may(&client));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child.0), rustix::process::Signal::TERM).unwrap();
    let mut status = None;
    until("it ends", || {
        status = child.0.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(0));
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both do nothing to a child that has ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
