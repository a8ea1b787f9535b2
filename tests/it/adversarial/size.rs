//! T33: one subject with very many roles, one role with very many members, very many blocks of one subject.
//!
//! `SIDEGATE_MEMBERS=1000000` makes it a million of each; then use `--release`.

use std::fmt::Write as _;

use sidegate::document::{Source, build};
use sidegate::index::Index;
use sidegate::model::Reason;

use super::{ask, paths};

const POLICY: &str = "sidegate: 1\nsubject_types: {user: {}}\ntypes:\n  org: {root: true, actions: [x]}\n  \
room: {parent: org, actions: [x]}\n\
roles: {r: {at: [org, room], allow: [{on: [org, room], actions: [x]}]}}\n";

fn members() -> usize {
    std::env::var("SIDEGATE_MEMBERS").map_or(20_000, |text| text.parse().expect("SIDEGATE_MEMBERS is a number"))
}

fn load(lines: String) -> Index {
    let source = |name: &str, text: String| Source { name: name.to_owned(), bytes: text.into_bytes() };
    let built = build(vec![source("p.yaml", POLICY.to_owned()), source("f.jsonl", lines)]);
    built.unwrap_or_else(|report| panic!("{report}")).index
}

fn room(number: usize) -> String {
    format!("{{\"kind\":\"resource\",\"id\":\"room/{number}\",\"parent\":\"org/o\"}}\n")
}

fn binding(subject: &str, at: &str) -> String {
    format!("{{\"kind\":\"binding\",\"subject\":\"{subject}\",\"role\":\"r\",\"at\":\"{at}\"}}\n")
}

const START: &str = "{\"kind\":\"subject\",\"id\":\"user/ana\"}\n{\"kind\":\"subject\",\"id\":\"user/ben\"}\n\
{\"kind\":\"resource\",\"id\":\"org/o\"}\n";

#[test]
fn one_subject_with_very_many_roles() {
    let held = |count: usize| {
        let mut lines = START.to_owned();
        for number in 0..=count {
            lines += &room(number);
            if number < count {
                lines += &binding("user/ana", &format!("room/{number}"));
            }
        }
        load(lines)
    };
    let (few, many) = (held(3), held(members()));
    let last = members() - 1;
    for index in [&few, &many] {
        assert_eq!(ask(index, "user/ana", "x", "room/0"), Reason::Granted);
        assert_eq!(paths(index, "user/ana", "x", "room/0"), 1, "only what is held there is looked at");
    }
    assert_eq!(ask(&many, "user/ana", "x", &format!("room/{last}")), Reason::Granted);
    assert_eq!(ask(&many, "user/ana", "x", &format!("room/{}", last + 1)), Reason::NoGrant);
    assert_eq!(ask(&many, "user/ana", "x", "org/o"), Reason::NoGrant);
    assert_eq!(paths(&many, "user/ana", "x", "org/o"), 0);
    assert_eq!(ask(&many, "user/ben", "x", "room/0"), Reason::NoGrant);
}

#[test]
fn one_role_with_very_many_members() {
    let mut lines = START.to_owned() + &room(0);
    for number in 0..members() {
        writeln!(lines, "{{\"kind\":\"subject\",\"id\":\"user/{number}\"}}").unwrap();
        lines += &binding(&format!("user/{number}"), "org/o");
    }
    let index = load(lines);
    for member in [0, members() / 2, members() - 1] {
        assert_eq!(ask(&index, &format!("user/{member}"), "x", "room/0"), Reason::Granted);
        assert_eq!(paths(&index, &format!("user/{member}"), "x", "room/0"), 1, "the others are not looked at");
    }
    assert_eq!(ask(&index, "user/ana", "x", "room/0"), Reason::NoGrant);
    assert_eq!(paths(&index, "user/ana", "x", "room/0"), 0);
}

#[test]
fn very_many_blocks_of_one_subject_leave_the_others_alone() {
    let mut lines = START.to_owned() + &room(0) + &binding("user/ana", "org/o") + &binding("user/ben", "org/o");
    for number in 0..members() {
        let id = format!("{{\"kind\":\"block\",\"id\":\"b{number}\",\"subject\":\"user/ana\",\"at\":\"room/0\"");
        writeln!(lines, "{id},\"not_before\":\"2027-01-01T00:00:00Z\"}}").unwrap();
    }
    let before = load(lines.clone());
    assert_eq!(ask(&before, "user/ana", "x", "room/0"), Reason::Granted, "none of them has begun");
    lines += "{\"kind\":\"block\",\"id\":\"now\",\"subject\":\"user/ana\",\"at\":\"room/0\"}\n";
    let after = load(lines);
    assert_eq!(ask(&after, "user/ana", "x", "room/0"), Reason::Forbidden);
    assert_eq!(ask(&after, "user/ana", "x", "org/o"), Reason::Granted);
    assert_eq!(ask(&after, "user/ben", "x", "room/0"), Reason::Granted);
}
