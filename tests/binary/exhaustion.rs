//! A process without descriptors: who is connected is answered, who is not waits, and nothing is lost when there are
//! some again.

use std::net::TcpStream;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use sidegate::client::Blocking;

use crate::support::{Daemon, LIMIT, POLICY, Process, ana_may, good, until};
use crate::vitals::{Bystanders, Vitals};

const ERRORS: &str = "sidegate_accept_errors_total";

/// Lets a running daemon open nothing more, or as much as this process may.
fn may_open(daemon: &Daemon, anything: bool) {
    let pid = Pid::from_raw(i32::try_from(daemon.process.id()).unwrap());
    let own = getrlimit(Resource::Nofile);
    // What is open stays open.
    let limit = Rlimit { current: if anything { own.current } else { Some(0) }, maximum: own.maximum };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

#[test]
fn accepts_that_fail_for_want_of_descriptors_are_waited_out() {
    let daemon = Daemon::start(&good()).ready();
    let others = Bystanders::ask(&daemon.data, false);
    for round in 1..=3 {
        let before = daemon.metric(ERRORS);
        may_open(&daemon, false);
        let waiting: Vec<_> = (0..50).map(|_| TcpStream::connect(&daemon.data).unwrap()).collect();
        until("an accept fails", || daemon.log("cannot accept a connection").len() >= round);
        others.wait();
        if round == 2 {
            // Those who wait in vain give up.
            drop(waiting);
            may_open(&daemon, true);
        } else {
            may_open(&daemon, true);
            drop(waiting);
        }
        let client = Blocking::connect(&daemon.data, LIMIT).unwrap();
        assert!(ana_may(&client), "a new client is answered");
        assert!(daemon.metric(ERRORS) > before, "counted");
        others.wait();
    }
    others.end();
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn a_change_without_descriptors_is_served_once_there_are_some() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    assert!(ana_may(&client));
    may_open(&daemon, false);
    daemon.write(POLICY);
    daemon.logged("the source was refused");
    for _ in 0..50 {
        assert!(ana_may(&client), "the last good snapshot answers");
    }
    may_open(&daemon, true);
    until("the change is served", || !ana_may(&client));
    assert_eq!(daemon.get("/livez").0, 200);
}

#[test]
fn few_descriptors_are_shared_out_at_the_start() {
    for limit in [32, 64, 128, 256] {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("policy.yaml");
        std::fs::write(&source, good()).unwrap();
        let mut command = Command::new("/bin/sh");
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_sidegate"), "serve", "--snapshot", source.to_str().unwrap()]);
        command.args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-format", "json"]);
        let daemon = Daemon::of(directory, Process::spawn(command.env_clear())).ready();
        let client = daemon.client();
        assert!(ana_may(&client), "with {limit} descriptors");
        println!("{limit}: {:?}, {:?}", Vitals::of(&daemon), daemon.log("fewer connections than configured"));
        let open: Vec<_> = (0..300).map(|_| TcpStream::connect(&daemon.data).unwrap()).collect();
        for _ in 0..50 {
            assert!(ana_may(&client), "with {limit} descriptors");
        }
        drop(open);
        assert_eq!(daemon.get("/livez").0, 200);
        assert_eq!(daemon.terminate().code, Some(0));
    }
}
