//! Credentials as their rules are written, one case a rule: in whose name one asks, what limits it, and why not.

use sidegate::decide::{self, Listing, PageBounds};
use sidegate::document::{Source, build};
use sidegate::index::Index;
use sidegate::model::{Entity, Reason, Request, Timestamp, Value};

const POLICY: &str = r#"
sidegate: 1
context:
  api_scope: {type: enum, values: [ac, sp, other], from: request}
  channel: {type: string, from: request, default: web}
subject_types:
  user:
    attributes:
      kind: {type: enum, values: [account, provider]}
      mood: {type: string, from: request}
credential_types:
  key:
    owners: [user]
    attributes:
      color: {type: string, optional: true}
      strength: {type: int, from: [snapshot, request]}
      ip: {type: string, from: request}
    scopes:
      ac: {context: {api_scope: [ac]}, owners: [{type: user, where: {kind: account}}]}
      wide: {context: {api_scope: [sp, ac]}}
      reader: {allow: [{on: doc, operations: [read]}]}
      any:
  bare: {owners: [user]}
  asking: {owners: [user], demands: [channel]}
operations: {read: [view], write: [edit, create, keyed, colored, strong, moody, cleared, linked]}
types:
  site: {root: true, actions: {look: {}}}
  doc:
    parent: site
    actions:
      view: {}
      edit: {}
      create: {creates: true}
      keyed: {}
      colored: {}
      strong: {}
      moody: {}
      cleared: {}
      linked: {parameters: {other: ref(doc)}, also: {action: edit, on: other}}
roles:
  owner:
    at: site
    allow:
      - {on: doc, actions: [view, edit, create, linked]}
      - {on: doc, actions: [keyed], when: "request.by_credential"}
      - {on: doc, actions: [colored], when: 'credential.color == "red"'}
      - {on: doc, actions: [strong], when: "credential.strength > 3"}
      - {on: doc, actions: [moody], when: 'subject.mood == "calm"'}
      - {on: doc, actions: [cleared], when: '!has(credential.color)'}
forbids:
  no_key: {on: doc, actions: [edit], subjects: [bare/forbidden]}
  no_dora: {on: doc, actions: [edit], subjects: [user/dora]}
subjects:
  user/ann: {attributes: {kind: account}}
  user/off: {disabled: true}
  user/dora:
credentials:
  key/ac: {owner: user/ann, scopes: [ac], attributes: {color: red, strength: 2}}
  key/wide: {owner: user/ann, scopes: [ac, wide]}
  key/reader: {owner: user/ann, scopes: reader}
  key/mixed: {owner: user/ann, scopes: [ac, reader]}
  key/two: {owner: user/ann, scopes: any, within: [doc/one, site/b]}
  key/list: {owner: user/ann, scopes: [ac], permissions: [doc.view, doc.create]}
  key/none: {owner: user/ann, scopes: any, permissions: []}
  bare/plain: {owner: user/ann}
  bare/forbidden: {owner: user/ann}
  bare/disabled: {owner: user/ann, disabled: true}
  bare/timed: {owner: user/ann, not_before: 2026-01-02T00:00:00Z, expires: 2026-01-03T00:00:00Z}
  bare/off: {owner: user/off}
  bare/dora: {owner: user/dora}
  asking/plain: {owner: user/ann}
resources:
  site/a:
  site/b:
  doc/one: {parent: site/a}
  doc/two: {parent: site/a}
  doc/far: {parent: site/b}
bindings:
  - {subject: user/ann, role: owner, at: site/a}
  - {subject: user/ann, role: owner, at: site/b}
  - {subject: user/off, role: owner, at: site/a}
  - {subject: user/dora, role: owner, at: site/a}
blocks:
  no_plain: {subject: bare/plain, at: site/b, actions: [view]}
"#;

const AC: (&str, Value<'_>) = ("api_scope", Value::String("ac"));
const OTHER: (&str, Value<'_>) = ("api_scope", Value::String("other"));

fn index() -> Index {
    built(POLICY)
}

fn built(text: &str) -> Index {
    let source = Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    build(vec![source]).unwrap_or_else(|report| panic!("{report}")).index
}

fn request<'a>(subject: &'a str, action: &'a str, resource: &'a str) -> Request<'a> {
    Request {
        subject: Entity::parse(subject).unwrap(),
        subject_properties: &[],
        action,
        action_properties: &[],
        resource: Entity::parse(resource).unwrap(),
        parent: None,
        resource_properties: &[],
        context: &[],
    }
}

fn asked(request: &Request<'_>) -> (Reason, bool) {
    let verdict = decide::authorize(&index(), request, Timestamp::EPOCH).unwrap();
    (verdict.reason, verdict.undetermined)
}

/// Asks with this context.
fn reason(subject: &str, action: &str, resource: &str, context: &[(&str, Value<'_>)]) -> (Reason, bool) {
    asked(&Request { context, ..request(subject, action, resource) })
}

const GRANTED: (Reason, bool) = (Reason::Granted, false);
const CLOSED: (Reason, bool) = (Reason::CredentialScope, false);
const UNKNOWN: (Reason, bool) = (Reason::CredentialScope, true);

#[test]
fn a_credential_has_its_owners_rights_and_no_others() {
    assert_eq!(reason("bare/plain", "edit", "doc/one", &[]), GRANTED);
    assert_eq!(reason("bare/plain", "look", "site/a", &[]), (Reason::NoGrant, false));
    assert_eq!(reason("bare/dora", "view", "doc/far", &[]), (Reason::NoGrant, false));
    assert_eq!(reason("bare/nobody", "edit", "doc/one", &[]), (Reason::UnknownSubject, false));
}

#[test]
fn it_is_no_resource_and_no_governor_of_one() {
    let mut about = request("user/ann", "view", "doc/one");
    about.resource = Entity { kind: "bare", id: "plain" };
    assert_eq!(asked(&about), (Reason::UnknownType, false));
}

#[test]
fn disabled_unbegun_expired_or_of_a_disabled_owner_is_disabled() {
    assert_eq!(reason("bare/disabled", "view", "doc/one", &[]), (Reason::Disabled, false));
    assert_eq!(reason("bare/off", "view", "doc/one", &[]), (Reason::Disabled, false));
    let at = |moment: &str| {
        let time = Timestamp::parse(moment).unwrap();
        decide::authorize(&index(), &request("bare/timed", "view", "doc/one"), time).unwrap().reason
    };
    assert_eq!(at("2026-01-01T23:59:59.999999999Z"), Reason::Disabled);
    assert_eq!(at("2026-01-02T00:00:00Z"), Reason::Granted);
    assert_eq!(at("2026-01-02T23:59:59.999999999Z"), Reason::Granted);
    assert_eq!(at("2026-01-03T00:00:00Z"), Reason::Disabled);
}

#[test]
fn a_demanded_context_key_must_be_sent_with_its_type() {
    assert_eq!(reason("asking/plain", "view", "doc/one", &[("channel", Value::String("api"))]), GRANTED);
    let missing = (Reason::MissingParameter, false);
    assert_eq!(reason("asking/plain", "view", "doc/one", &[]), missing, "a default does not count");
    assert_eq!(reason("asking/plain", "view", "doc/one", &[("channel", Value::Null)]), missing);
    assert_eq!(reason("asking/plain", "view", "doc/one", &[("channel", Value::Int(1))]), missing);
    assert_eq!(reason("user/ann", "view", "doc/one", &[]), GRANTED, "users are not asked for it");
    let unknown = &[("other", Value::Entity(Entity { kind: "doc", id: "nothing" }))];
    let both = Request { action_properties: unknown, ..request("asking/plain", "linked", "doc/one") };
    assert_eq!(asked(&both), missing, "what is missing comes before what is unknown");
}

#[test]
fn one_of_its_scopes_must_cover() {
    assert_eq!(reason("key/ac", "edit", "doc/one", &[AC]), GRANTED);
    assert_eq!(reason("key/ac", "edit", "doc/one", &[OTHER]), CLOSED);
    assert_eq!(reason("key/wide", "edit", "doc/one", &[("api_scope", Value::String("sp"))]), GRANTED);
    assert_eq!(reason("key/wide", "edit", "doc/one", &[OTHER]), CLOSED);
    assert_eq!(reason("key/reader", "view", "doc/one", &[]), GRANTED);
    assert_eq!(reason("key/reader", "edit", "doc/one", &[]), CLOSED);
}

#[test]
fn a_missing_or_wrong_typed_context_key_leaves_it_unknown() {
    assert_eq!(reason("key/ac", "edit", "doc/one", &[]), UNKNOWN);
    assert_eq!(reason("key/ac", "edit", "doc/one", &[("api_scope", Value::Int(1))]), UNKNOWN);
    assert_eq!(reason("key/ac", "edit", "doc/one", &[("api_scope", Value::String("no such"))]), UNKNOWN);
    assert_eq!(reason("key/mixed", "view", "doc/one", &[]), GRANTED, "unknown or true is true");
    assert_eq!(reason("key/mixed", "edit", "doc/one", &[]), UNKNOWN, "unknown or false is unknown");
    assert_eq!(reason("key/list", "edit", "doc/one", &[]), CLOSED, "unknown and false is false");
    assert_eq!(reason("key/list", "view", "doc/one", &[]), UNKNOWN);
    assert_eq!(reason("key/list", "view", "doc/one", &[AC]), GRANTED);
}

#[test]
fn it_may_be_limited_to_resources_and_what_is_below() {
    assert_eq!(reason("key/two", "edit", "doc/one", &[]), GRANTED);
    assert_eq!(reason("key/two", "edit", "doc/far", &[]), GRANTED);
    assert_eq!(reason("key/two", "edit", "doc/two", &[]), CLOSED);
    let new = |parent| Request { parent: Entity::parse(parent), ..request("key/two", "create", "doc/new") };
    assert_eq!(asked(&new("site/b")), GRANTED);
    assert_eq!(asked(&new("site/a")), CLOSED);
}

#[test]
fn an_empty_list_of_permissions_lets_nothing_through() {
    assert_eq!(reason("key/none", "view", "doc/one", &[]), CLOSED);
}

#[test]
fn conditions_tell_a_credential_from_its_owner() {
    assert_eq!(reason("bare/plain", "keyed", "doc/one", &[]), GRANTED);
    assert_eq!(reason("user/ann", "keyed", "doc/one", &[]), (Reason::ConditionFalse, false));
    assert_eq!(reason("key/ac", "colored", "doc/one", &[AC]), GRANTED);
    let unknown = (Reason::ConditionUnknown, true);
    assert_eq!(reason("user/ann", "colored", "doc/one", &[]), unknown, "nobody's color is unknown");
    assert_eq!(reason("user/ann", "cleared", "doc/one", &[]), unknown, "and so is whether there is one");
    assert_eq!(reason("bare/plain", "cleared", "doc/one", &[]), unknown, "as for a type that has none");
    assert_eq!(reason("key/two", "cleared", "doc/one", &[]), GRANTED, "its absence from a held key is a fact");
    assert_eq!(reason("key/ac", "cleared", "doc/one", &[AC]), (Reason::ConditionFalse, false));
}

#[test]
fn what_the_request_says_of_the_subject_is_about_the_credential() {
    let with = |subject: &str, action: &str, sent: &[(&str, Value<'_>)]| {
        asked(&Request { subject_properties: sent, context: &[AC], ..request(subject, action, "doc/one") })
    };
    assert_eq!(with("key/wide", "strong", &[("strength", Value::Int(4))]), GRANTED, "it fills what is absent");
    assert_eq!(with("key/wide", "strong", &[]), (Reason::ConditionUnknown, true));
    let contradiction = (Reason::ContradictsSnapshot, false);
    assert_eq!(with("key/ac", "strong", &[("strength", Value::Int(4))]), contradiction);
    assert_eq!(with("key/wide", "view", &[("color", Value::String("red"))]), contradiction);
    // `kind` is the owner's and none of the key's: undeclared, ignored.
    assert_eq!(with("key/ac", "view", &[("kind", Value::String("provider"))]), GRANTED);
    let calm = &[("mood", Value::String("calm"))];
    assert_eq!(with("user/ann", "moody", calm), GRANTED);
    assert_eq!(with("key/ac", "moody", calm), (Reason::ConditionUnknown, true), "nobody speaks for the owner");
}

#[test]
fn strict_properties_are_those_of_the_credential() {
    let index = built(&POLICY.replacen("sidegate: 1", "sidegate: 1\nstrict_properties: true", 1));
    let with = |name: &'static str| {
        let sent = &[(name, Value::String("x"))];
        let request = Request { subject_properties: sent, context: &[AC], ..request("key/ac", "view", "doc/one") };
        decide::authorize(&index, &request, Timestamp::EPOCH)
    };
    assert!(with("ip").unwrap().is_allow());
    assert_eq!(with("mood").unwrap_err().field, "subject.properties.mood");
}

#[test]
fn forbids_bind_the_credential_that_they_name_and_those_of_a_named_owner() {
    assert_eq!(reason("bare/forbidden", "edit", "doc/one", &[]), (Reason::Forbidden, false));
    assert_eq!(reason("bare/forbidden", "view", "doc/one", &[]), GRANTED);
    assert_eq!(reason("user/ann", "edit", "doc/one", &[]), GRANTED, "its owner is free");
    assert_eq!(reason("bare/dora", "edit", "doc/one", &[]), (Reason::Forbidden, false));
    assert_eq!(reason("bare/plain", "view", "doc/far", &[]), (Reason::Forbidden, false));
    assert_eq!(reason("bare/plain", "view", "doc/one", &[]), GRANTED);
}

#[test]
fn the_second_object_is_decided_for_the_same_credential() {
    let linked = |other| {
        let named = [("other", Value::Entity(Entity::parse(other).unwrap()))];
        asked(&Request { action_properties: &named, ..request("key/two", "linked", "doc/one") })
    };
    assert_eq!(linked("doc/far"), GRANTED);
    assert_eq!(linked("doc/two"), (Reason::SecondObject, false));
}

#[test]
fn the_scope_is_tested_behind_conditions() {
    assert_eq!(reason("key/reader", "moody", "doc/one", &[]), (Reason::ConditionUnknown, true));
    assert_eq!(reason("key/reader", "look", "site/a", &[]), (Reason::NoGrant, false));
}

#[test]
fn lists_name_credentials_only_where_they_are_asked_for() {
    let index = index();
    let bounds = PageBounds { allowed: 100, looked_at: 100 };
    let subjects = |kind: &str| -> Vec<String> {
        let question = request("user/x", "edit", "doc/one");
        let question = Request { subject: Entity { kind, id: "" }, ..question };
        let listing = Listing::of_subjects(&index, &question, Timestamp::EPOCH).unwrap();
        listing.page(0, bounds).unwrap().allowed.iter().map(ToString::to_string).collect()
    };
    assert_eq!(subjects(""), ["user/ann"]);
    assert_eq!(subjects("bare"), ["bare/plain"]);
    assert_eq!(subjects("key"), ["key/two"]);
    let question = request("key/two", "edit", "doc/one");
    let listing = Listing::of_resources(&index, &question, None, Timestamp::EPOCH).unwrap();
    let resources: Vec<String> = listing.page(0, bounds).unwrap().allowed.iter().map(ToString::to_string).collect();
    assert_eq!(resources, ["doc/far", "doc/one"]);
}

/// What an explanation says of a question.
fn told(subject: &str, action: &str, resource: &str, context: &[(&str, Value<'_>)]) -> String {
    let request = Request { context, ..request(subject, action, resource) };
    decide::explain(&index(), &request, Timestamp::EPOCH).unwrap().summary
}

#[track_caller]
fn says(text: &str, all: &[&str]) {
    let missing: Vec<_> = all.iter().filter(|word| !text.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} is not in\n{text}");
}

#[test]
fn an_explanation_says_what_does_not_cover() {
    says(&told("key/wide", "edit", "doc/one", &[OTHER]), &["`key/wide`", "none of its scopes `ac`, `wide`"]);
    says(&told("key/ac", "edit", "doc/one", &[]), &["scopes `ac`", "unknown", "context key"]);
    says(&told("key/two", "edit", "doc/two", &[]), &["limited to `doc/one`, `site/b`"]);
    says(&told("key/list", "edit", "doc/one", &[AC]), &["its own list of permissions leaves this out"]);
    says(&told("asking/plain", "edit", "doc/one", &[]), &["`asking/plain`", "context key `channel`"]);
    says(&told("bare/timed", "view", "doc/one", &[]), &["`bare/timed`", "`user/ann`", "not in force"]);
    says(&told("bare/dora", "view", "doc/far", &[]), &["`user/dora`, the owner of `bare/dora`, holds no role"]);
}

#[test]
fn a_policy_that_declares_no_scopes_limits_nothing() {
    assert_eq!(reason("bare/plain", "edit", "doc/two", &[OTHER]), GRANTED);
}

#[test]
fn the_compiled_bytes_are_checked_on_opening() {
    let bytes = index().bytes().to_vec();
    assert!(Index::open(bytes.clone()).is_ok());
    // Every byte of the tables, one at a time: refused or opened, and then every answer is bounded and no panic.
    let mut refused = 0;
    for at in (0..bytes.len()).rev().take(600) {
        let mut broken = bytes.clone();
        broken[at] ^= 0xff;
        match Index::open(broken) {
            Err(_) => refused += 1,
            Ok(index) => {
                let request = Request { context: &[AC], ..request("key/list", "edit", "doc/one") };
                assert!(decide::authorize(&index, &request, Timestamp::EPOCH).is_ok());
            }
        }
    }
    assert!(refused > 300, "only {refused} of 600 damages were noticed");
}
