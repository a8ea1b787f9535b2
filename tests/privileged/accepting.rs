//! Accepts that fail: the daemon waits ever longer, serves whom it has, says so, and recovers.

use std::process::{Command, Stdio};

use crate::launch::Launch;
use crate::privileges::prlimit;
use crate::support::{Daemon, Process, ana_may, good, until};
use crate::tracer::{Tracer, moment};

const ERRORS: &str = "sidegate_accept_errors_total";
const WARNING: &str = "cannot accept a connection";
/// The accepts that fail; the pauses between them, in seconds, are never shorter than these.
const FAILURES: usize = 5;
const PAUSES: [f64; 4] = [0.010, 0.020, 0.040, 0.080];

/// What is wanting when an accept fails so will be wanting a moment later too.
fn assert_waits_and_recovers(error: &str) {
    let daemon = Launch::new().daemon(&good()).ready();
    let earlier = daemon.client();
    let before = daemon.metric(ERRORS);
    let inject = format!("inject=accept4:error={error}:when=1..{FAILURES}");
    let tracer = Tracer::attach(daemon.process.pid(), &["-e", "trace=accept4", "-e", &inject]);
    let late = daemon.client();
    assert!(ana_may(&earlier), "{error}: who is connected is served");
    assert!(ana_may(&late), "{error}: who waited is served in the end");
    let calls = tracer.detach();
    let failed: Vec<f64> = calls.iter().filter(|call| call.contains("INJECTED")).map(|call| moment(call)).collect();
    assert_eq!(failed.len(), FAILURES, "{error}: {calls:?}");
    for (two, pause) in failed.windows(2).zip(PAUSES) {
        assert!(two[1] - two[0] >= pause, "{error}: no pause of {pause} s: {calls:?}");
    }
    // Besides those: the one that worked, and one that found nobody waiting any more, for each listener at most.
    assert!(calls.len() <= FAILURES + 4, "{error}: {calls:?}");
    assert_eq!(daemon.metric(ERRORS) - before, FAILURES as u64, "{error}");
    assert_eq!(daemon.log(WARNING).len(), 1, "{error}: said once for a row of them");
}

#[test]
fn no_descriptors_of_its_own() {
    assert_waits_and_recovers("EMFILE");
}

#[test]
fn no_descriptors_of_the_machine() {
    assert_waits_and_recovers("ENFILE");
}

#[test]
fn no_memory_of_the_kernel() {
    assert_waits_and_recovers("ENOMEM");
    assert_waits_and_recovers("ENOBUFS");
}

#[test]
fn an_error_of_the_network_below() {
    assert_waits_and_recovers("EPROTO");
}

#[test]
fn an_error_of_one_connection_makes_nobody_wait() {
    let daemon = Launch::new().daemon(&good()).ready();
    let inject = "inject=accept4:error=ECONNABORTED:when=1..20";
    let tracer = Tracer::attach(daemon.process.pid(), &["-e", "trace=accept4", "-e", inject]);
    assert!(ana_may(&daemon.client()));
    let calls = tracer.detach();
    assert_eq!(calls.iter().filter(|call| call.contains("INJECTED")).count(), 20, "{calls:?}");
    assert_eq!(daemon.metric(ERRORS), 0);
}

/// Accepts that never work again: no spin, and it still ends when told to.
#[test]
fn an_endless_want_neither_spins_nor_holds_up_the_end() {
    let daemon = Launch::new().daemon(&good()).ready();
    let earlier = daemon.client();
    let rules = ["-e", "trace=accept4", "-e", "inject=accept4:error=EMFILE"];
    let tracer = Tracer::attach(daemon.process.pid(), &rules);
    let waiting = std::net::TcpStream::connect(&daemon.data).unwrap();
    until("it tried again and again", || tracer.calls().len() >= 7);
    assert!(ana_may(&earlier));
    let calls = tracer.calls();
    let (first, last) = (moment(&calls[0]), moment(&calls[6]));
    assert!(last - first >= 0.010 + 0.020 + 0.040 + 0.080 + 0.160, "{calls:?}");
    drop(waiting);
    drop(earlier);
    let ended = daemon.terminate();
    drop(tracer);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

/// No injection: the limit itself.
#[test]
fn real_descriptors_that_run_out_come_back() {
    let daemon = Launch::new().daemon(&good()).ready();
    let earlier = daemon.client();
    assert!(ana_may(&earlier));
    limit_descriptors(&daemon, "0:");
    let tracer = Tracer::attach(daemon.process.pid(), &["-e", "trace=accept4"]);
    let waiting = std::net::TcpStream::connect(&daemon.data).unwrap();
    until("accepts fail", || tracer.calls().iter().filter(|call| call.contains("EMFILE")).count() >= 3);
    assert!(ana_may(&earlier), "who is connected is served");
    daemon.logged(WARNING);
    limit_descriptors(&daemon, "1024:");
    let late = daemon.client();
    assert!(ana_may(&late));
    assert!(daemon.metric(ERRORS) >= 3);
    drop(waiting);
}

/// The soft limit alone: what is lowered can be raised again without a privilege.
fn limit_descriptors(daemon: &Daemon, most: &str) {
    let mut command = Command::new(prlimit());
    command.arg(format!("--nofile={most}")).arg("--pid").arg(daemon.process.pid().as_raw_nonzero().to_string());
    command.env_clear().stdin(Stdio::null());
    let ended = Process::spawn(&mut command).end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}
