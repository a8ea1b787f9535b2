//! T38, T39: ids are their bytes. None is another one in disguise, and none of their characters is syntax.
//!
//! `SIDEGATE_PAIRS=N` asks about so many pairs of generated ids.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::json;
use sidegate::decide;
use sidegate::document::{Source, build};
use sidegate::model::{Entity, Reason, Request};

use super::{HEAD, assert_refused, index, load, noon};

const ONE_TYPE: &str = "types: {a: {root: true, actions: [x]}}\nroles: {r: {at: a, allow: [{on: a, actions: [x]}]}}\n";

/// A source in which the first of two users holds a role on a resource of the same id.
fn two(first: &str, second: &str) -> String {
    let users: Vec<_> = [first, second].iter().map(|id| format!("{}: {{}}", json!(format!("user/{id}")))).collect();
    let things: Vec<_> = [first, second].iter().map(|id| format!("{}: {{}}", json!(format!("a/{id}")))).collect();
    let (subject, at) = (json!(format!("user/{first}")), json!(format!("a/{first}")));
    format!(
        "{HEAD}{ONE_TYPE}subjects: {{{}}}\nresources: {{{}}}\nbindings: [{{subject: {subject}, role: r, at: {at}}}]\n",
        users.join(", "),
        things.join(", ")
    )
}

/// Pairs that a reader, a normaliser or a case-blind comparison takes for one.
const ALIKE: [(&str, &str); 9] = [
    ("caf\u{e9}", "cafe\u{301}"),
    ("\u{430}na", "ana"),
    ("ana", "\u{ff41}na"),
    ("an\u{200b}a", "ana"),
    ("an\u{ad}a", "an\u{2060}a"),
    ("p\u{430}y\u{440}al", "paypal"),
    ("\u{212b}", "\u{c5}"),
    ("\u{3b1}x", "ax"),
    ("ro\u{feff}ot", "root"),
];

/// Pairs that nobody takes for one, or of which there are too many.
const DIFFERENT: [(&str, &str); 7] = [
    ("ana", "Ana"),
    ("l1", "ll"),
    ("0", "O"),
    ("i\u{307}x", "ix"),
    ("caf\u{e9}", "cafe"),
    ("stra\u{df}e", "strasse"),
    ("\u{4e00}", "\u{4e8c}"),
];

#[test]
fn ids_that_look_alike_are_two_and_warned_of() {
    for (first, second) in ALIKE.iter().chain(&DIFFERENT).flat_map(|(a, b)| [(a, b), (b, a)]) {
        let built = load(&two(first, second)).unwrap_or_else(|report| panic!("{report}"));
        for (user, thing, wanted) in [
            (first, first, Reason::Granted),
            (first, second, Reason::NoGrant),
            (second, first, Reason::NoGrant),
            (second, second, Reason::NoGrant),
        ] {
            let request = request(user, thing);
            let verdict = decide::authorize(&built.index, &request, noon()).unwrap();
            assert_eq!(verdict.reason, wanted, "{user:?} on {thing:?}");
        }
        let alike = ALIKE.iter().any(|(a, b)| [(a, b), (b, a)].contains(&(first, second)));
        let warned = built.warnings.lines();
        assert_eq!(
            warned.iter().filter(|line| line.contains(" looks like ")).count(),
            if alike { 2 } else { 0 },
            "{warned:?}"
        );
        assert!(warned.iter().all(|line| line.is_ascii()), "a warning that shows what does not show: {warned:?}");
    }
}

fn request<'a>(user: &'a str, thing: &'a str) -> Request<'a> {
    Request {
        subject: Entity { kind: "user", id: user },
        subject_properties: &[],
        action: "x",
        action_properties: &[],
        resource: Entity { kind: "a", id: thing },
        parent: None,
        resource_properties: &[],
        context: &[],
    }
}

#[test]
fn characters_that_reorder_or_control_are_refused() {
    let controls = (0..0x20).chain(0x7f..0xa0).filter_map(char::from_u32);
    let reordering = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    for character in controls.chain(reordering.chars()) {
        // Escaped, so that it is not YAML that refuses it.
        let text = two("a%b", "other").replace('%', &format!("\\u{:04x}", u32::from(character)));
        assert_refused(&text, "control characters");
        let asked = format!("a{character}b");
        let good = index(&two("one", "other"));
        let answer = decide::authorize(&good, &request(&asked, "one"), noon());
        assert!(answer.is_err() || answer.is_ok_and(|verdict| !verdict.is_allow()), "{character:?}");
    }
    assert_refused(&two(&"x".repeat(1_025), "other"), "1024 bytes");
    assert_refused(&two("", "other"), "not a `type/id`");
    index(&two(&"x".repeat(1_024), "other"));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for bad in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"] {
        let (before, after) = (two("one", "other"), "# end\n");
        let bytes = [before.as_bytes(), b"# ", bad, b"\n", after.as_bytes()].concat();
        let report = build(vec![Source { name: "p.yaml".to_owned(), bytes }]).unwrap_err();
        assert!(report.to_string().contains("UTF-8"), "{report}");
        let line = [&b"{\"kind\":\"subject\",\"id\":\"user/"[..], bad, b"\"}\n"].concat();
        assert!(build(vec![Source { name: "f.jsonl".to_owned(), bytes: line }]).is_err());
    }
}

/// Ids made of what a careless join would use between its parts.
fn id() -> impl Strategy<Value = String> {
    let part = select(
        &[
            "a", "b", "user", "org", "r", "x", "/", ":", "#", "|", ".", "*", "@", ",", " ", "::", "//", "\\", "'",
            "\"", "~", "{", "%2F",
        ][..],
    );
    vec(part, 1..6).prop_map(|parts| parts.concat())
}

/// Two users, two scopes with a thing in each, one binding: nobody but its holder has anything, and only there.
#[test]
fn no_id_is_read_as_syntax() {
    let pairs: u32 =
        std::env::var("SIDEGATE_PAIRS").map_or(10_000, |text| text.parse().expect("SIDEGATE_PAIRS is a number"));
    // Four users by four things of two types, and four names that are joined wrongly.
    let config =
        Config { cases: pairs / 36 + 1, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..Config::default() };
    let ids = (vec(id(), 4), vec(id(), 4)).prop_filter("different ones", |(users, things)| {
        let differ = |ids: &[String]| ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id));
        differ(users) && differ(things)
    });
    let result = TestRunner::new(config).run(&ids, |(users, things)| {
        check(&users, &things);
        Ok(())
    });
    result.unwrap();
}

fn check(users: &[String], things: &[String]) {
    let name = |kind: &str, id: &str| format!("{kind}/{id}");
    let subjects: serde_json::Map<_, _> = users.iter().map(|id| (name("user", id), json!({}))).collect();
    let orgs = things.iter().map(|id| (name("org", id), json!({})));
    let own = things.iter().map(|id| (name("a", id), json!({"parent": name("org", id)})));
    let resources: serde_json::Map<_, _> = orgs.chain(own).collect();
    let source = json!({
        "sidegate": 1, "subject_types": {"user": {}},
        "types": {"org": {"root": true, "actions": ["x"]}, "a": {"parent": "org", "actions": ["x"]}},
        "roles": {"r": {"at": ["org", "a"], "allow": [{"on": ["org", "a"], "actions": ["x"]}]}},
        "subjects": subjects, "resources": resources,
        "bindings": [{"subject": name("user", &users[0]), "role": "r", "at": name("org", &things[0])}],
        "blocks": {"b": {"subject": name("user", &users[1]), "at": name("org", &things[1])}},
    });
    let index = index(&source.to_string());
    for user in users {
        for thing in things {
            for kind in ["a", "org"] {
                let request = Request { resource: Entity { kind, id: thing }, ..request(user, thing) };
                let verdict = decide::authorize(&index, &request, noon()).unwrap();
                let wanted = user == &users[0] && thing == &things[0];
                assert_eq!(verdict.is_allow(), wanted, "{user:?} on {kind}/{thing:?}: {verdict:?}");
            }
        }
        // A part of one field moved into the next names nobody.
        let joined = name(user, &things[0]);
        let request = Request { subject: Entity { kind: "user", id: &joined }, ..request(user, &things[0]) };
        let verdict = decide::authorize(&index, &request, noon()).unwrap();
        assert!(!verdict.is_allow() || users[0] == joined, "{joined:?}: {verdict:?}");
    }
}
