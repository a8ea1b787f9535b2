//! T42: very many ids that share what a weak hash looks at. That ids chosen to collide under one seed are tried under the
//! next is tested beside the table (`src/compile/slots.rs`).

use std::fmt::Write as _;

use sidegate::model::Reason;

use super::{HEAD, ask, index};

#[test]
fn ids_alike_at_both_ends_and_in_length() {
    let (before, after) = ("x".repeat(40), "y".repeat(40));
    let mut text = format!(
        "{HEAD}types: {{a: {{root: true, actions: [x]}}}}\nroles: {{r: {{at: a, allow: [{{on: a, actions: [x]}}]}}}}\n\
         resources: {{a/one: {{}}}}\nsubjects:\n"
    );
    let id = |number: usize| format!("user/{before}{number:08}{after}");
    for number in 0..20_000 {
        writeln!(text, "  {}: {{}}", id(number)).unwrap();
    }
    writeln!(text, "bindings: [{{subject: {}, role: r, at: a/one}}]", id(7_777)).unwrap();
    let index = index(&text);
    for number in (0..20_000).step_by(10) {
        assert_eq!(ask(&index, &id(number), "x", "a/one"), Reason::NoGrant);
    }
    assert_eq!(ask(&index, &id(7_777), "x", "a/one"), Reason::Granted);
    assert_eq!(ask(&index, &id(20_000), "x", "a/one"), Reason::UnknownSubject);
}
