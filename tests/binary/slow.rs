//! Clients that say little, say it slowly, or do not listen: they hold a place for a while, and nobody else up.

use std::fs;

use prost::Message as _;
use sidegate::client::Blocking;
use tempfile::TempDir;

use crate::flood::AUTHORIZE;
use crate::frames::{PREFACE, Wire, settings, whole_call};
use crate::raw;
use crate::support::{Daemon, LIMIT, good, question, until};
use crate::vitals::{Baseline, Bystanders, connections, raise_descriptors, unharmed};

/// A daemon with these limits.
fn limited(text: &str, limits: &str) -> (Daemon, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, format!("[limits]\n{limits}\n")).unwrap();
    (Daemon::start_with(text, &["--config", file.to_str().unwrap()]).ready(), directory)
}

/// As many as the descriptors of this process and of its children allow, and no more than this.
fn at_most(wanted: usize) -> usize {
    let possible = usize::try_from(raise_descriptors() / 4).unwrap();
    wanted.min(possible)
}

/// The ways not to come to the point.
fn beginnings() -> [(&'static str, Vec<u8>); 3] {
    let client_hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    [("silent", Vec::new()), ("half a preface", PREFACE[..12].to_vec()), ("half of TLS's hello", client_hello.to_vec())]
}

#[test]
fn who_never_asks_is_let_go() {
    let (daemon, _config) = limited(&good(), "handshake = \"3s\"\nconnections = 20000");
    let each = at_most(2_100) / beginnings().len();
    let baseline = Baseline::of(&daemon);
    let others = Bystanders::ask(&daemon.data, true);
    let mut open = Vec::new();
    for (what, bytes) in beginnings() {
        for _ in 0..each {
            let mut wire = Wire::open(&daemon.data);
            // Fails when the daemon has had enough already: its right.
            wire.write(&bytes);
            open.push((what, wire));
        }
    }
    others.wait();
    // Those who never ask are gone while those who do are not.
    for (what, mut wire) in open {
        until(what, || wire.is_closed());
    }
    others.wait();
    others.end();
    baseline.is_reached_again(&daemon, "connections that do not come to the point");
}

#[test]
fn idle_connections_over_the_cap_are_closed_at_once() {
    let (daemon, _config) = limited(&good(), "connections = 100\nhandshake = \"60s\"");
    let baseline = Baseline::of(&daemon);
    let others = Bystanders::ask(&daemon.data, false);
    let mut open: Vec<_> = (0..at_most(600)).map(|_| Wire::open(&daemon.data)).collect();
    until("those over the cap are closed", || {
        open.retain_mut(|wire| !wire.is_closed());
        open.len() <= 98
    });
    assert_eq!(connections(&daemon), 100);
    assert_eq!(open.len(), 98, "those within it are not");
    others.wait();
    assert!(daemon.metric("sidegate_shed_total{what=\"connection\"}") >= 500);
    assert_eq!(daemon.get("/livez").0, 200, "the ops listener has places of its own");
    // A place that is given up is there for the next one.
    drop(open);
    until("there is room again", || {
        Blocking::connect(&daemon.data, LIMIT)
            .is_ok_and(|client| client.call(|client| client.authorize(question("ana", "access"))).is_ok())
    });
    others.end();
    baseline.is_reached_again(&daemon, "idle connections over the cap");
}

#[test]
fn asking_byte_by_byte_is_answered_or_cut() {
    let (daemon, _config) = limited(&good(), "handshake = \"60s\"");
    let body = raw::frame(&question("ana", "access").encode_to_vec());
    let bytes = [PREFACE, &settings(&[]), &whole_call(1, AUTHORIZE, &body)].concat();
    unharmed(&daemon, "byte by byte", || {
        let mut wire = Wire::open(&daemon.data);
        let listening = wire.listen();
        for byte in bytes {
            assert!(wire.write(&[byte]));
        }
        until("it is answered", || !listening.so_far().payloads.is_empty());
        wire.finish();
        listening.end();
    });
}
