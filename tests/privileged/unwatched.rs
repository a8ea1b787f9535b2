//! A source whose changes the kernel does not tell of: a full queue, no inotify.

use std::fs;

use rustix::process::Signal;

use crate::launch::Launch;
use crate::namespace::Namespace;
use crate::privileges::kernel;
use crate::support::{POLICY, ana_may, good, until};
use crate::tracer::{calls, traced};

/// Longer than a test: what is found is not found by looking.
const NEVER: &str = "3600s";
const ALONE: &str = "cannot watch the source's directories; changes are found by polling alone";
/// Beyond, filling it is no test but a load.
const MOST_EVENTS: usize = 300_000;

#[test]
fn a_change_behind_a_queue_that_overflowed_is_found() {
    let limit = kernel("/proc/sys/fs/inotify/max_queued_events");
    let limit: usize = limit.trim().parse().unwrap();
    assert!(limit < MOST_EVENTS, "fs.inotify.max_queued_events is {limit}: lower it for this test");
    let launch = Launch::new().set("SIDEGATE_SNAPSHOT_POLL", NEVER).set("SIDEGATE_SNAPSHOT_REREAD", NEVER);
    let daemon = launch.daemon(&good()).ready();
    let client = daemon.client();
    assert!(ana_may(&client));
    daemon.process.stop();
    // Three events each: made, opened, closed. Nothing reads them now.
    for number in 0..limit / 3 + 1000 {
        fs::write(daemon.directory.path().join(format!("storm-{number}")), "").unwrap();
    }
    daemon.write(POLICY);
    daemon.process.signal(Signal::CONT);
    until("the change is served", || !ana_may(&client));
    let applied = || daemon.metric("sidegate_reloads_total{result=\"applied\"}");
    until("it is counted", || applied() >= 2);
    assert_eq!(applied(), 2);
    // And the watch lives on.
    daemon.write(&good());
    until("the next change is served", || ana_may(&client));
}

#[test]
fn without_inotify_it_polls_and_says_so_until_it_can_watch_again() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    // The first two tries fail: at the start, and at the first change. They are counted by thread, and each is the first
    // of its own.
    let rules = ["-e", "trace=inotify_init1", "-e", "inject=inotify_init1:error=EMFILE:when=1"];
    let daemon = traced(&log, &rules).set("SIDEGATE_SNAPSHOT_REREAD", NEVER).daemon(&good()).ready();
    let told = daemon.logged(ALONE);
    assert!(told["error"].as_str().unwrap().contains("Too many open files"), "{told}");
    let client = daemon.client();
    assert!(ana_may(&client));
    daemon.write(POLICY);
    until("the change is served", || !ana_may(&client));
    daemon.logged("watching the source's directories again");
    assert_eq!(daemon.log(ALONE).len(), 1, "said once");
    let tries = calls(&log).iter().filter(|call| call.contains("EMFILE")).count();
    assert_eq!(tries, 2, "{:?}", calls(&log));
}

#[test]
fn used_up_instances_of_a_user_leave_it_polling() {
    let limit = "/proc/sys/user/max_inotify_instances";
    let users = Namespace::of_users(&format!("echo 0 > {limit}"));
    let daemon = users.launch().set("SIDEGATE_SNAPSHOT_REREAD", NEVER).daemon(&good()).ready();
    daemon.logged(ALONE);
    let client = daemon.client();
    for (text, may) in [(POLICY.to_owned(), false), (good(), true)] {
        daemon.write(&text);
        until("the change is served", || ana_may(&client) == may);
    }
    users.run(&format!("echo 128 > {limit}"));
    daemon.logged("watching the source's directories again");
    daemon.write(POLICY);
    until("the change is served", || !ana_may(&client));
}
