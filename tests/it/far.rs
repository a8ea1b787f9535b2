//! A snapshot that does not stay in a core's own cache: decisions read ahead there, and are the same; it is
//! opened in steps.

use std::fmt::Write;

use sidegate::decide::{self, Ahead};
use sidegate::document::{Source, build};
use sidegate::index::Index;
use sidegate::index::file::{self, Publication};
use sidegate::model::{Entity, Reason, Request, Timestamp};

/// More bytes than an index has whose decisions do not read ahead.
const FAR: usize = 1 << 20;
const USERS: usize = 3_000;

const POLICY: &str = r#"{"sidegate": 1, "subject_types": {"user": {}},
    "types": {"space": {"root": true, "actions": ["enter"]}, "note": {"parent": "space", "actions": ["view"]}},
    "roles": {"reader": {"at": "space", "allow": [{"on": "note", "actions": ["view"]}]}}}"#;

/// Long, so that a few thousand are much.
fn id(number: usize) -> String {
    format!("{number:0>160}")
}

/// Users who each read the notes of a space of their own.
fn large() -> Index {
    let mut facts = String::new();
    for number in 0..USERS {
        let id = id(number);
        writeln!(facts, r#"{{"kind":"subject","id":"user/{id}"}}"#).unwrap();
        writeln!(facts, r#"{{"kind":"resource","id":"space/{id}"}}"#).unwrap();
        writeln!(facts, r#"{{"kind":"resource","id":"note/{id}","parent":"space/{id}"}}"#).unwrap();
        writeln!(facts, r#"{{"kind":"binding","subject":"user/{id}","role":"reader","at":"space/{id}"}}"#).unwrap();
    }
    let source = |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    build(vec![source("policy.json", POLICY), source("facts.jsonl", &facts)]).unwrap().index
}

#[test]
fn a_large_snapshot_is_opened_in_steps() {
    let index = large();
    let bytes = [&file::header(&Publication::default(), &index), index.bytes()].concat();
    let mut pauses = 0;
    file::open_in_steps(bytes, &mut || pauses += 1).unwrap();
    // A user, a space, a note and a binding of each, and a slot for each of the three by name.
    let (hashed, looked_at) = (index.bytes().len() / (64 * 1024), 7 * USERS / 256);
    assert!(pauses >= hashed + looked_at, "{pauses} pauses for {hashed} and {looked_at} steps");
}

#[test]
fn a_large_snapshot_decides_as_a_small_one() {
    let index = large();
    assert!(index.bytes().len() > FAR, "{} bytes are read without haste", index.bytes().len());

    for number in (0..USERS).step_by(23) {
        let (own, other, unknown) = (id(number), id((number + 1) % USERS), id(USERS + number));
        let wanted = [
            (&own, &own, Reason::Granted),
            (&own, &other, Reason::NoGrant),
            (&unknown, &own, Reason::UnknownSubject),
            (&own, &unknown, Reason::UnknownResource),
        ];
        for (user, note, reason) in wanted {
            let request = Request {
                subject: Entity { kind: "user", id: user },
                subject_properties: &[],
                action: "view",
                action_properties: &[],
                resource: Entity { kind: "note", id: note },
                parent: None,
                resource_properties: &[],
                context: &[],
            };
            let verdict = decide::authorize(&index, &request, Timestamp::EPOCH).unwrap();
            assert_eq!(verdict.reason, reason, "{user} {note}");
            let mut ahead = [Ahead::new(&index, request)];
            Ahead::read(&mut ahead);
            assert_eq!(ahead[0].authorize(Timestamp::EPOCH).unwrap(), verdict);
        }
    }
}
