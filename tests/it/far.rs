//! A snapshot that does not stay in a core's own cache: decisions read ahead there, and are the same; it is
//! opened in steps.

use std::{fmt::Write, ops::Range};

use sidegate::compile::layout::{BindingRecord, EntityRecord, EntitySlot, HeaderRecord, Section};
use sidegate::decide::{self, Ahead};
use sidegate::document::{Source, build};
use sidegate::index::Index;
use sidegate::index::file::{self, Publication};
use sidegate::model::{Entity, Reason, Request, Timestamp};
use zerocopy::FromBytes;

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
    of(&facts)
}

/// One user who may read everywhere, by a binding for each space.
fn heavy() -> Index {
    let mut facts = "{\"kind\":\"subject\",\"id\":\"user/u\"}\n".to_owned();
    for number in 0..20_000 {
        writeln!(facts, r#"{{"kind":"resource","id":"space/{number}"}}"#).unwrap();
        writeln!(facts, r#"{{"kind":"binding","subject":"user/u","role":"reader","at":"space/{number}"}}"#).unwrap();
    }
    of(&facts)
}

fn of(facts: &str) -> Index {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    build(vec![source("policy.json", POLICY), source("facts.jsonl", facts)]).unwrap().index
}

fn pauses(index: &Index) -> usize {
    let bytes = [&file::header(&Publication::default(), index), index.bytes()].concat();
    let mut pauses = 0;
    file::open_in_steps(bytes, &mut || pauses += 1).unwrap();
    pauses
}

/// Where a table stands among the bytes.
fn table(index: &Index, section: Section) -> Range<usize> {
    let (header, _) = HeaderRecord::ref_from_prefix(index.bytes()).unwrap();
    let place = header.sections[section as usize];
    let [start, length] = [place.start, place.length].map(|number| usize::try_from(number.get()).unwrap());
    start..start + length
}

/// How many pauses it takes to hash all of it and to look at every fact once.
fn due(index: &Index) -> usize {
    let count = |section, size: usize| table(index, section).len() / size;
    let (entities, bindings) =
        (count(Section::Entities, size_of::<EntityRecord>()), count(Section::Bindings, size_of::<BindingRecord>()));
    let slots = count(Section::EntitySlots, size_of::<EntitySlot>());
    // What an entity holds is looked at with it, and a step ends behind an entity; what a binding names is looked at later.
    let looked_at = (entities + bindings) / 257 + bindings.div_ceil(256) + slots.div_ceil(256);
    index.bytes().len().div_ceil(64 * 1024) + looked_at
}

#[test]
fn a_large_snapshot_is_opened_in_steps() {
    let index = large();
    // What is not due is the pause of each small table: fewer than any of the parts is due.
    let (taken, due) = (pauses(&index), due(&index));
    assert!((due..due + 10).contains(&taken), "{taken} pauses instead of {due}");
}

#[test]
fn the_many_bindings_of_one_are_looked_through_in_steps_and_in_order() {
    let index = heavy();
    let (taken, due) = (pauses(&index), due(&index));
    assert!((due..due + 10).contains(&taken), "{taken} pauses instead of {due}");

    let (bindings, size) = (table(&index, Section::Bindings), size_of::<BindingRecord>());
    for first in [0, 9_999, 19_998] {
        let mut bytes = index.bytes().to_vec();
        bytes[bindings.start + first * size..][..2 * size].rotate_left(size);
        let refused = Index::open(bytes).unwrap_err().to_string();
        assert_eq!(refused, "the compiled snapshot is damaged: entities");
    }
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
