//! What the runner says of tests that pass, fail and cannot be asked.

use crate::document::{Source, Tested};

use super::{Failure, run};

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {}}
context: {since: timestamp, mfa: bool}
types:
  site: {root: true, actions: [open]}
  page:
    parent: site
    attributes:
      author: {type: ref(user), from: [snapshot, request]}
      readers: {type: list(ref(user)), from: request}
      seen: {type: timestamp, from: request}
      text: {type: string, from: request}
    actions:
      view: {}
      move: {parameters: {to: ref(site)}}
roles:
  reader: {at: site, allow: [{on: page, actions: [view, move]}]}
  writer: {at: site, allow: [{on: page, actions: [view], when: resource.author == subject}]}
subjects: {user/ana: {}, user/bob: {}}
resources: {site/a: {}, page/p: {parent: site/a, attributes: {author: user/bob}}, page/q: {parent: site/a}}
bindings: [{subject: user/ana, role: reader, at: site/a}, {subject: user/bob, role: writer, at: site/a}]
tests:
";

/// Runs tests, one flow mapping a line, and gives what failed.
#[track_caller]
fn failures(tests: &str) -> Vec<Failure> {
    let bytes = format!("{POLICY}{tests}").into_bytes();
    let tested = Tested::read(vec![Source { name: "p.yaml".to_owned(), bytes }]);
    let tested = tested.unwrap_or_else(|report| panic!("{report}"));
    run(&tested).into_iter().filter_map(|outcome| outcome.failure).collect()
}

#[track_caller]
fn passes(tests: &str) {
    assert_eq!(failures(tests), []);
}

#[track_caller]
fn fails(test: &str, wanted: &str, got: &str) {
    let found = failures(test);
    assert_eq!(found, [Failure { wanted: wanted.to_owned(), got: got.to_owned() }]);
}

#[test]
fn right_expectations_pass() {
    passes(
        "
- {name: a, ask: {subject: user/ana, action: view, resource: page/p}, expect: allow}
- {name: b, ask: {subject: user/ana, action: open, resource: site/a}, expect: {reason: NO_GRANT, undetermined: false}}
- name: c
  ask: {subject: user/bob, action: view, resource: page/q}
  expect: {decision: deny, reason: CONDITION_UNKNOWN, rule: roles/writer/page.view, undetermined: true}
- {name: d, list_actions: {subject: user/ana, resource: page/p}, expect: [view]}
- {name: e, list_resources: {subject: user/ana, action: view, type: page}, expect: [page/q, page/p]}
- {name: f, who_can: {action: view, resource: page/p}, expect: [user/bob, user/ana]}
- {name: g, list_resources: {subject: user/bob, action: view, type: page, within: page/q}, expect: []}
",
    );
}

#[test]
fn wrong_expectations_say_what_was_wanted_and_what_came() {
    fails(
        "- {name: a, ask: {subject: user/ana, action: view, resource: page/p}, expect: deny}",
        "DENY",
        "ALLOW GRANTED roles/reader/page.view; allowed: `reader` at `site/a` grants view on page",
    );
    fails(
        "- {name: a, ask: {subject: user/bob, action: view, resource: page/p, properties: {colour: red}}, expect: {reason: NO_GRANT}}",
        "DENY NO_GRANT",
        "ALLOW GRANTED roles/writer/page.view; allowed: `writer` at `site/a` grants view on page; \
         `resource.properties.colour` is not declared and was ignored",
    );
    fails("- {name: a, who_can: {action: view, resource: page/q}, expect: []}", "[]", "[user/ana]");
    let both = "- {name: a, ask: {subject: user/bob, action: view, resource: page/q}, expect: {decision: deny, undetermined: false}}";
    assert!(failures(both)[0].got.contains("(a missing value decided)"), "{:?}", failures(both));
}

#[test]
fn facts_of_a_test_are_its_own() {
    passes(
        "
- name: added
  given: {subjects: {user/eve: }, bindings: [{subject: user/eve, role: reader, at: site/a}]}
  ask: {subject: user/eve, action: view, resource: page/p}
  expect: allow
- {name: gone again, ask: {subject: user/eve, action: view, resource: page/p}, expect: {reason: UNKNOWN_SUBJECT}}
- name: replaced
  given: {resources: {page/p: {parent: site/a, attributes: {author: user/ana}}}}
  ask: {subject: user/bob, action: view, resource: page/p}
  expect: {reason: CONDITION_FALSE}
- name: a binding of the same subject, role and scope is replaced
  given: {bindings: [{subject: user/ana, role: reader, at: site/a, disabled: true}]}
  ask: {subject: user/ana, action: view, resource: page/p}
  expect: {reason: EXPIRED}
",
    );
}

#[test]
fn the_time_is_the_tests_own() {
    passes(
        "
- name: a
  given: {bindings: [{subject: user/ana, role: reader, at: site/a, expires: 2026-01-01T00:00:00.000000001Z}]}
  ask: {subject: user/ana, action: view, resource: page/p}
  expect: allow
- name: b
  given: {bindings: [{subject: user/ana, role: reader, at: site/a, expires: 2026-01-01T00:00:00.000000001Z}]}
  at: 2026-01-01T00:00:00.000000001Z
  ask: {subject: user/ana, action: view, resource: page/p}
  expect: {reason: EXPIRED}
",
    );
}

#[test]
fn a_value_takes_its_declared_type() {
    passes(
        "
- {name: a, ask: {subject: user/bob, action: view, resource: page/q, properties: {author: user/bob}}, expect: allow}
- {name: b, ask: {subject: user/bob, action: view, resource: page/q, properties: {author: 7}}, expect: {reason: CONDITION_UNKNOWN}}
- {name: c, ask: {subject: user/bob, action: view, resource: page/q, properties: {author: }}, expect: {reason: CONDITION_UNKNOWN}}
- {name: d, ask: {subject: user/ana, action: move, resource: page/q, parameters: {to: site/a}}, expect: allow}
- {name: e, ask: {subject: user/ana, action: move, resource: page/q, parameters: {to: page/q}}, expect: {reason: UNKNOWN_PARAMETER}}
- {name: f, ask: {subject: user/ana, action: move, resource: page/q}, expect: {reason: MISSING_PARAMETER}}
",
    );
}

#[test]
fn a_refused_snapshot_can_be_wanted() {
    let given = "given: {bindings: [{subject: user/nobody, role: reader, at: site/b}]}";
    passes(&format!("- {{name: a, {given}, expect: {{invalid: [user/nobody, site/b]}}}}"));
    let found = failures(&format!("- {{name: a, {given}, expect: {{invalid: user/somebody}}}}"));
    assert!(
        found[0].got.contains("does not name [\"user/somebody\"]") && found[0].got.contains("p.yaml:24:"),
        "{found:?}"
    );
    let found = failures(&format!(
        "- {{name: a, {given}, ask: {{subject: user/ana, action: view, resource: page/p}}, expect: allow}}"
    ));
    assert!(found[0].got.starts_with("a snapshot that is refused: p.yaml:"), "{found:?}");
    fails(
        "- {name: a, expect: {invalid: user/ana}}",
        "a snapshot that is refused, naming [\"user/ana\"]",
        "a snapshot that is applied",
    );
}

#[test]
fn a_malformed_question_can_be_wanted() {
    let strict = POLICY.replace("sidegate: 1", "sidegate: 1\nstrict_properties: true");
    let tests = "- {name: a, ask: {subject: user/ana, action: view, resource: page/p, context: {x: 1}}, expect: {malformed: context.x}}";
    let source = Source { name: "p.yaml".to_owned(), bytes: format!("{strict}{tests}").into_bytes() };
    let tested = Tested::read(vec![source]).unwrap();
    assert!(run(&tested)[0].failure.is_none());
    fails(
        tests,
        "a malformed question, because of `context.x`",
        "ALLOW GRANTED roles/reader/page.view; allowed: `reader` at `site/a` grants view on page; `context.x` is not declared and was ignored",
    );
}
