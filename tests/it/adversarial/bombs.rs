//! T32, T41: sources that say more than they should, or grow when they are read.

use std::fmt::Write as _;

use sidegate::document::{Source, build};

use super::{HEAD, assert_refused, load, refused};

const SMALL: &str = "types: {a: {root: true, actions: [x]}}\n";

#[test]
fn aliases_never_grow() {
    let nine = "abcdefghi".chars().zip("bcdefghij".chars());
    let mut laughs = format!("{HEAD}a: &a [lol]\n");
    for (inner, outer) in nine {
        let inner = format!("*{inner}");
        writeln!(laughs, "{outer}: &{outer} [{}]", vec![inner; 9].join(", ")).unwrap();
    }
    assert_refused(&laughs, "YAML anchors are not allowed");
    let many = format!("{HEAD}types: &a {{}}\nroles: [{}]\n", vec!["*a"; 100_000].join(", "));
    let found = refused(&many);
    assert!(found.len() <= 1_001, "{} findings", found.len());
    for merge in ["<<: {a: 1}", "types: {<<: *a}", "types: {a: {<<: [{root: true}]}}"] {
        assert!(load(&format!("{HEAD}{merge}\n")).is_err(), "{merge}");
    }
}

#[test]
fn nesting_never_recurses() {
    for depth in [65, 10_000, 100_000] {
        for (open, close) in [("[", "]"), ("{a: ", "}"), ("[{a: ", "}]")] {
            let text = format!("{HEAD}types: {}1{}\n", open.repeat(depth), close.repeat(depth));
            assert_refused(&text, "nested deeper than 64 levels");
            let line = format!("{{\"kind\":{}1{}}}\n", open.replace("a:", "\"a\":").repeat(depth), close.repeat(depth));
            assert!(build(vec![Source { name: "f.jsonl".to_owned(), bytes: line.into_bytes() }]).is_err());
        }
    }
}

#[test]
fn whatever_is_said_twice_is_refused() {
    let facts = "subjects: {user/ana: {}}\nresources: {a/one: {}}\n";
    for (text, why) in [
        ("subjects: {user/ana: {}, user/ana: {disabled: true}}", "twice"),
        ("subjects: {\"user/ana\": {}, 'user/ana': {}}", "twice"),
        ("subjects: {user/ana: {disabled: true, disabled: false}}", "twice"),
        ("types: {a: {root: true}, a: {root: true, open: true}}", "twice"),
        ("roles: {r: {at: a}, r: {at: a, allow: []}}", "twice"),
        ("types: {a: {root: true}}\ntypes: {a: {root: true}}", "twice"),
    ] {
        assert_refused(&format!("{HEAD}{text}\n"), why);
    }
    let source = |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let policy = format!("{HEAD}{SMALL}{facts}");
    for again in [
        "{\"kind\":\"subject\",\"id\":\"user/ana\"}",
        "{\"kind\":\"subject\",\"id\":\"user/ana\",\"disabled\":true}",
        "{\"kind\":\"resource\",\"id\":\"a/one\"}",
        "{\"kind\":\"subject\",\"id\":\"user/x\",\"id\":\"user/y\"}",
        "{\"kind\":\"subject\",\"id\":\"user/x\"} trailing",
        "{\"kind\":\"subject\",\"id\":\"user/x\"}{\"kind\":\"subject\",\"id\":\"user/y\"}",
        "{\"kind\":\"subject\",\"id\":\"user/x\"},",
    ] {
        assert!(build(vec![source("p.yaml", &policy), source("f.jsonl", again)]).is_err(), "{again}");
    }
    for trailing in ["...\nroles: {}\n", "--- {}\n", "}\n", "]\n", "\u{0}\n", "roles\n", "- a\n"] {
        assert!(load(&format!("{policy}{trailing}")).is_err(), "{trailing:?}");
    }
}

/// A million mistakes are as many findings as anybody reads.
#[test]
fn mistakes_without_end_are_bounded() {
    let mut text = format!("{HEAD}{SMALL}bindings:\n");
    for number in 0..30_000 {
        writeln!(text, "  - {{subject: user/{number}, role: none, at: a/none}}").unwrap();
    }
    let report = load(&text).unwrap_err();
    assert!(report.lines().len() <= 10_000, "{}", report.lines().len());
    assert!(report.to_string().len() < 200_000, "{}", report.to_string().len());
}
