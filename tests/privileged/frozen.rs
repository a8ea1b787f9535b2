//! A daemon that stands still for a while, or is moved to other cores: late, never wrong.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use sidegate::client::Blocking;
use tonic::Code;

use crate::control_group::ControlGroup;
use crate::launch::Launch;
use crate::support::{Daemon, LIMIT, POLICY, ana_may, good, question, refusal, until};

const SHORT: Duration = Duration::from_millis(200);

/// What a stopped daemon owes its clients: a call past its deadline ends at the client, and what changed meanwhile is
/// served as soon as it goes on.
fn assert_late_but_right(daemon: &Daemon, stop_and_go: impl FnOnce(&dyn Fn())) {
    let client = daemon.client();
    let hurried = Blocking::connect(&daemon.data, SHORT).unwrap();
    assert!(ana_may(&client) && ana_may(&hurried));
    stop_and_go(&|| {
        let (code, ..) = refusal(hurried.call(|client| client.authorize(question("ana", "access"))));
        assert!(matches!(code, Code::DeadlineExceeded | Code::Cancelled), "{code:?}");
        daemon.write(POLICY);
    });
    until("what was written meanwhile is served", || !ana_may(&client));
    assert!(!ana_may(&hurried), "and the connection of the call that was late goes on");
    let fresh = daemon.client();
    assert!(!ana_may(&fresh), "a new connection sees the same");
    assert_eq!(daemon.get("/livez").0, 200);
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
    assert_eq!(daemon.metric("sidegate_decisions_total{decision=\"deny\",reason=\"INTERNAL\"}"), 0);
}

#[test]
fn a_stop_and_a_continuation_make_it_late_not_wrong() {
    let daemon = Launch::new().daemon(&good()).ready();
    assert_late_but_right(&daemon, |meanwhile| {
        daemon.process.stop();
        meanwhile();
        daemon.process.signal(Signal::CONT);
    });
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn a_frozen_group_makes_it_late_not_wrong() {
    let group = ControlGroup::new("freezer", "freezer");
    let daemon = group.launch().daemon(&good()).ready();
    assert_late_but_right(&daemon, |meanwhile| {
        let frozen = group.freeze();
        meanwhile();
        drop(frozen);
    });
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn an_order_to_end_that_comes_while_it_is_frozen_is_kept() {
    let group = ControlGroup::new("freezer", "ending");
    let daemon = group.launch().daemon(&good()).ready();
    let frozen = group.freeze();
    daemon.process.signal(Signal::TERM);
    drop(frozen);
    let ended = daemon.process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[test]
fn other_cores_change_nothing() {
    let group = ControlGroup::new("cpuset", "cpuset");
    let cores = ("cpuset.cpus", "cpuset.cpus");
    // Version 1 takes no process before both are said.
    group.set(("cpuset.mems", "cpuset.mems"), "0");
    group.set(cores, "0");
    let daemon = Launch::new().daemon(&good()).ready();
    let client = daemon.client();
    assert!(ana_may(&client));
    group.add(daemon.process.pid());
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.process.pid().as_raw_nonzero())).unwrap();
    assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
    daemon.write(POLICY);
    until("a change is served", || !ana_may(&client));
    if let Some(last) = fs::read_to_string("/sys/devices/system/cpu/online").unwrap().trim().rsplit(['-', ',']).next() {
        group.set(cores, last);
    }
    daemon.write(&good());
    until("the next change is served", || ana_may(&client));
    assert!(LIMIT > SHORT && daemon.get("/livez").0 == 200, "every worker answers");
}
