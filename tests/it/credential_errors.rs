//! What credentials are refused for, and that the message names everything that its reader needs.

use sidegate::document::{Source, build};

/// A policy with one credential of each type; a test replaces or adds a part.
const POLICY: &str = r"
sidegate: 1
context: {api_scope: {type: enum, values: [ac, sp], from: request}, tags: {type: list(string), from: request}}
subject_types:
  user:
    attributes:
      kind: {type: enum, values: [account, provider]}
      tier: {type: string, default: free}
      mood: {type: string, from: [snapshot, request]}
      tags: {type: list(string)}
  robot: {}
credential_types:
  key:
    owners: [{type: user, where: {tier: [free, paid]}}]
    demands: [api_scope]
    scopes:
      ac: {context: {api_scope: [ac]}, owners: [{type: user, where: {kind: account}}]}
      reader: {allow: [{on: doc, actions: [view]}]}
  bare: {owners: [user, robot]}
types:
  site: {root: true, actions: {look: {}}}
  doc: {parent: site, actions: {view: {}, edit: {}}}
roles:
  viewer: {at: site, allow: [{on: doc, actions: [view]}]}
subjects:
  user/ann: {attributes: {kind: account}}
  user/plain:
  user/paid: {attributes: {tier: paid, kind: provider}}
  user/banned: {attributes: {tier: banned, kind: account}}
  robot/r2:
credentials:
  key/k: {owner: user/ann, scopes: [ac], within: [doc/1], permissions: [doc.view]}
  bare/b: {owner: robot/r2}
resources: {site/1: {}, doc/1: {parent: site/1}}
bindings:
- {subject: user/ann, role: viewer, at: site/1}
";

/// Everything that loading a text has to say; nothing when it loads.
fn errors(text: String) -> String {
    let source = Source { name: "policy.yaml".to_owned(), bytes: text.into_bytes() };
    build(vec![source]).err().map_or_else(String::new, |report| report.to_string())
}

/// With the first `old` written as `new`.
fn replaced(old: &str, new: &str) -> String {
    assert!(POLICY.contains(old), "the policy has no `{old}`");
    errors(POLICY.replacen(old, new, 1))
}

/// With this credential in place of `key/k`.
fn key(facts: &str) -> String {
    replaced("{owner: user/ann, scopes: [ac], within: [doc/1], permissions: [doc.view]}", facts)
}

#[track_caller]
fn says(report: &str, all: &[&str]) {
    let missing: Vec<_> = all.iter().filter(|word| !report.contains(**word)).collect();
    assert!(!report.is_empty(), "it was loaded");
    assert!(missing.is_empty(), "{missing:?} is not in\n{report}");
}

#[track_caller]
fn loads(report: &str) {
    assert!(report.is_empty(), "refused:\n{report}");
}

#[test]
fn the_policy_itself_loads() {
    loads(&errors(POLICY.to_owned()));
}

#[test]
fn an_owner_is_a_subject_of_the_snapshot() {
    says(&key("{owner: user/nobody, scopes: [ac]}"), &["`key/k`", "`user/nobody`", "is not in this snapshot"]);
    says(&key("{owner: bare/b, scopes: [ac]}"), &["`key/k`", "`bare/b`", "is itself a credential"]);
    says(&key("{owner: doc/1, scopes: [ac]}"), &["`key/k`", "`doc/1`", "is no subject"]);
    says(&key("{owner: ghost/1, scopes: [ac]}"), &["`key/k`", "`ghost/1`", "is no subject"]);
    says(&replaced("key/k: {owner: user/ann, ", "key/k: {"), &["owner"]);
}

#[test]
fn an_owner_fits_the_type() {
    says(&key("{owner: robot/r2, scopes: [reader]}"), &["`key/k`", "`robot/r2`", "of type `key`"]);
    says(&key("{owner: user/banned, scopes: [ac]}"), &["`key/k`", "`user/banned`", "of type `key`"]);
    loads(&key("{owner: user/paid, scopes: [reader]}"));
    loads(&key("{owner: user/plain, scopes: [reader]}"));
}

#[test]
fn an_owner_fits_every_scope() {
    says(&key("{owner: user/paid, scopes: [reader, ac]}"), &["`key/k`", "`user/paid`", "of scope `ac`"]);
    says(&key("{owner: user/plain, scopes: [ac]}"), &["`key/k`", "`user/plain`", "of scope `ac`"]);
}

#[test]
fn a_type_with_scopes_wants_one() {
    says(&key("{owner: user/ann}"), &["`key/k` names no scope", "ac, reader"]);
    says(&key("{owner: user/ann, scopes: [acc]}"), &["`key/k`", "`acc`", "ac, reader"]);
    says(
        &replaced("{owner: robot/r2}", "{owner: robot/r2, scopes: [ac]}"),
        &["`bare/b`", "`ac`", "declares no scopes"],
    );
}

#[test]
fn what_a_credential_names_exists() {
    says(&key("{owner: user/ann, scopes: [ac], within: [doc/9]}"), &["`key/k`", "`doc/9`", "not in this snapshot"]);
    says(&key("{owner: user/ann, scopes: [ac], within: [user/ann]}"), &["`key/k`", "`user/ann`", "no resource"]);
    let unknown = key("{owner: user/ann, scopes: [ac], permissions: [doc.fly, view, ghost.view]}");
    says(&unknown, &["`key/k`", "`doc.fly` is no permission", "`view` is no permission", "`ghost.view` is no"]);
    says(&key("{owner: user/ann, scopes: [ac], attributes: {x: 1}}"), &["`key/k`", "`x`"]);
    says(&replaced("  key/k:", "  nokey/k:"), &["`nokey/k`", "no credential type"]);
}

#[test]
fn a_credential_holds_nothing_and_is_no_scope() {
    let binding = |text: &str| errors(format!("{POLICY}- {text}\n"));
    let held = binding("{subject: key/k, role: viewer, at: site/1}");
    says(&held, &["`key/k` is a credential", "`viewer`", "`site/1`", "bind the owner"]);
    says(&binding("{subject: user/ann, role: viewer, at: key/k}"), &["`user/ann`", "`key/k`", "held at `site`"]);
    says(&replaced("doc/1: {parent: site/1}", "doc/1: {parent: key/k}"), &["`doc/1`", "`key/k`"]);
}

#[test]
fn types_are_told_apart() {
    says(
        &replaced("allow: [{on: doc, actions: [view]}]}\n  bare", "allow: [{on: key, actions: [view]}]}\n  bare"),
        &["`key` is a credential type"],
    );
    says(&replaced("  doc: {parent: site,", "  doc: {parent: key,"), &["`key`", "`doc`", "no resource type"]);
    says(
        &replaced("  doc: {parent: site,", "  key: {root: true}\n  doc: {parent: site,"),
        &["`key`", "declared twice"],
    );
    says(
        &replaced("bare: {owners: [user, robot]}", "bare: {owners: [user, doc]}"),
        &["`bare`", "`doc`", "subject type"],
    );
    says(&replaced("bare: {owners: [user, robot]}", "bare: {owners: [key]}"), &["`bare`", "`key`", "subject type"]);
    says(&replaced("roles:\n", "classes: {c: [doc, key]}\nroles:\n"), &["`key`", "`c`"]);
}

#[test]
fn demands_and_scopes_name_context_keys_and_their_values() {
    says(&replaced("demands: [api_scope]", "demands: [apiscope]"), &["`key`", "`apiscope`", "no context key"]);
    says(
        &replaced("{context: {api_scope: [ac]}", "{context: {apiscope: [ac]}"),
        &["scope `ac`", "`key`", "`apiscope`"],
    );
    says(
        &replaced("{context: {api_scope: [ac]}", "{context: {api_scope: [xy]}"),
        &["scope `ac`", "`api_scope`", "`xy`"],
    );
    says(&replaced("{context: {api_scope: [ac]}", "{context: {api_scope: 3}"), &["scope `ac`", "`api_scope`"]);
    says(&replaced("{context: {api_scope: [ac]}", "{context: {tags: [ac]}"), &["scope `ac`", "`tags` is a list"]);
    says(
        &replaced("allow: [{on: doc, actions: [view]}]}\n  bare", "allow: [{on: doc, actions: [fly]}]}\n  bare"),
        &["scope `reader`", "`fly`"],
    );
}

#[test]
fn where_compares_what_the_snapshot_alone_says() {
    let owners = |values: &str| replaced("{kind: account}}]}\n", &format!("{values}}}]}}\n"));
    says(&owners("{mood: good}"), &["scope `ac`", "`mood`", "cannot look at", "snapshot alone"]);
    says(&owners("{kinds: account}"), &["scope `ac`", "`user`", "no attribute `kinds`"]);
    says(&owners("{kind: other}"), &["scope `ac`", "`kind`", "`other`"]);
    says(&owners("{tags: a}"), &["scope `ac`", "`tags`", "cannot look at"]);
}

#[test]
fn a_condition_reads_only_what_credentials_have() {
    let when = |text: &str| {
        replaced(
            "allow: [{on: doc, actions: [view]}]}\nsubjects",
            &format!("allow: [{{on: doc, actions: [view], when: '{text}'}}]}}\nsubjects"),
        )
    };
    says(&when("credential.color == \"red\""), &["credential.color", "no credential type has an attribute `color`"]);
    says(&when("credential == subject"), &["`credential` is not something a condition can read", "credential.x"]);
}
