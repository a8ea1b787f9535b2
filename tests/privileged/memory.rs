//! A control group that leaves too little memory for the next snapshot: refused before it is built, and nobody killed.

use std::fmt::Write;
use std::fs;

use crate::control_group::ControlGroup;
use crate::support::{Daemon, POLICY, ana_may, good, until};

const LIMIT: (&str, &str) = ("memory.limit_in_bytes", "memory.max");
const USAGE: (&str, &str) = ("memory.usage_in_bytes", "memory.current");
const STATISTICS: (&str, &str) = ("memory.stat", "memory.stat");
const KILLS: (&str, &str) = ("memory.oom_control", "memory.events");

/// A policy by which ana may, with so many users.
fn policy(users: usize) -> String {
    let mut text = POLICY.replace("subjects: {user/ana: {}, user/bob: {}}\n", "subjects:\n  user/ana: {}\n");
    let resources = text.split_off(text.find("resources:").unwrap());
    for number in 0..users {
        writeln!(text, "  user/somebody-{number}: {{}}").unwrap();
    }
    text + &resources + "bindings:\n  - {subject: user/ana, role: member, at: workspace/prod}\n"
}

/// What is taken and would not be given back.
fn used(group: &ControlGroup) -> u64 {
    let idle = ["total_inactive_file ", "inactive_file "];
    let text = group.get(STATISTICS);
    let idle = idle.iter().find_map(|name| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()));
    group.get(USAGE).trim().parse::<u64>().unwrap() - idle.unwrap_or(0)
}

fn limit_to_six_fifths(group: &ControlGroup) {
    let limit = used(group) / 5 * 6;
    group.set(LIMIT, &limit.to_string());
}

fn assert_refused_and_alive(group: &ControlGroup, daemon: &Daemon) {
    let told = daemon.logged("the source was refused").to_string();
    assert!(told.contains("may take") && told.contains("the control group leaves"), "{told}");
    assert!(ana_may(&daemon.client()), "the last good one serves");
    assert_eq!(daemon.get("/readyz").0, 200);
    assert_eq!(group.number(KILLS, "oom_kill "), 0);
}

#[test]
fn a_source_of_twice_the_size_is_refused_until_there_is_room() {
    let group = ControlGroup::new("memory", "yaml");
    let daemon = group.launch().daemon(&policy(20_000)).ready();
    limit_to_six_fifths(&group);
    let twice = policy(40_000).replace("user/ana: {}", "user/ana: {disabled: true}");
    daemon.write(&twice);
    assert_refused_and_alive(&group, &daemon);
    group.set(LIMIT, group.no_limit());
    let client = daemon.client();
    until("it is served as soon as there is room", || !ana_may(&client));
    assert_eq!(group.number(KILLS, "oom_kill "), 0);
}

/// A compiled file is built from in place, so that reading it is what takes the memory.
#[test]
fn a_compiled_file_that_does_not_fit_is_not_even_read() {
    let group = ControlGroup::new("memory", "compiled");
    let made = tempfile::tempdir().unwrap();
    let compiled = |users: usize| {
        let (from, to) = (made.path().join("policy.yaml"), made.path().join("policy.sgate"));
        fs::write(&from, policy(users)).unwrap();
        let arguments = ["compile", from.to_str().unwrap(), "--output", to.to_str().unwrap()];
        let ended = crate::support::run(&arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        fs::read(to).unwrap()
    };
    let (small, large) = (compiled(1_000), compiled(60_000));
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.sgate");
    fs::write(&source, small).unwrap();
    let daemon = group.launch().daemon_of(source.to_str().unwrap()).ready();
    limit_to_six_fifths(&group);
    let left = used(&group) / 5;
    assert!(large.len() as u64 > 2 * left, "{} bytes into {left}", large.len());
    let next = directory.path().join("next");
    fs::write(&next, large).unwrap();
    fs::rename(next, &source).unwrap();
    assert_refused_and_alive(&group, &daemon);
}

#[test]
fn a_small_source_fits_under_a_tight_limit() {
    let group = ControlGroup::new("memory", "small");
    let daemon = group.launch().daemon(&good()).ready();
    limit_to_six_fifths(&group);
    let client = daemon.client();
    for (text, may) in [(POLICY.to_owned(), false), (good(), true)] {
        daemon.write(&text);
        until("the change is served", || ana_may(&client) == may);
    }
    assert_eq!(group.number(KILLS, "oom_kill "), 0);
}
