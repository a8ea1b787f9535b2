//! Levels, seats and grants of a running daemon: what the engine says, whole over pages, and clear refusals.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sidegate::app::{self, Running};
use sidegate::client::{Blocking, ClientError};
use sidegate::config::Config;
use sidegate::decide;
use sidegate::document::{Source, build};
use sidegate::model::{Entity, Timestamp};
use sidegate::service::proto::v1;
use tonic::Code;

/// Longer than any honest wait.
const LIMIT: Duration = Duration::from_secs(20);

const POLICY: &str = "\
sidegate: 1
levels: [none, read, edit]
governors: {a: [x, y, z], b: [], c: [], d: []}
subject_types: {user: {}}
types:
  account:
    root: true
    actions:
      view: {}
      assign: {parameters: {target: ref(user), role: role}, change: grant, result: valid}
      try: {parameters: {target: ref(user), role: role}, change: grant}
  space: {parent: account, actions: {view: {}}}
roles:
  admin: {at: account, allow: [{on: account, actions: [view]}, {on: account, actions: [assign, try], assigns: all}]}
  member: {at: [account, space], levels: per_binding, allow: [{on: space, actions: all}]}
  one: {at: account, allow: [{on: space, actions: all}]}
  two: {at: account, allow: [{on: space, actions: all}]}
exclusive: {either: {roles: [one, two], at: account}}
seats:
  member: {per: space, who: [{roles: [member], held: [self, ancestors]}]}
  special: {per: account, who: [{roles: [one, two], held: [self]}]}
subjects: {user/adm: {}, user/ann: {}, user/bob: {}, user/off: {disabled: true}}
resources:
  account/a: {}
  space/s: {parent: account/a}
  space/t: {parent: account/a}
bindings:
- {subject: user/adm, role: admin, at: account/a}
- {subject: user/ann, role: member, at: space/s, levels: {a: edit, a/y: read, b: read}}
- {subject: user/ann, role: one, at: account/a}
- {subject: user/bob, role: member, at: space/t}
- {subject: user/off, role: member, at: space/s}
";

fn start(directory: &Path) -> (Running, Blocking) {
    fs::write(directory.join("policy.yaml"), POLICY).unwrap();
    let config = Config {
        snapshot: Some(directory.join("policy.yaml")),
        listen: Some(([127, 0, 0, 1], 0).into()),
        ops_listen: None,
        workers: 1,
        ..Config::default()
    };
    let running = app::start(&config).unwrap();
    assert!(running.ready(LIMIT), "{:?}", running.store().status());
    let client = Blocking::connect(&running.addresses().data.unwrap().to_string(), LIMIT).unwrap();
    (running, client)
}

fn entity(name: &str) -> v1::Entity {
    let Entity { kind, id } = Entity::parse(name).unwrap();
    v1::Entity { r#type: kind.to_owned(), id: id.to_owned() }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>, code: Code, word: &str) {
    match answer {
        Err(ClientError::Refused { code: found, message, .. }) if found == code && message.contains(word) => {}
        other => panic!("{other:?} is no {code:?} with `{word}`"),
    }
}

fn levels(subject: &str, scope: &str) -> v1::ListLevelsRequest {
    v1::ListLevelsRequest { subject: Some(entity(subject)), scope: Some(entity(scope)), ..Default::default() }
}

#[test]
fn levels_are_whole_over_pages_of_every_size() {
    let directory = tempfile::tempdir().unwrap();
    let (_running, client) = start(directory.path());
    let source = Source { name: "policy.yaml".to_owned(), bytes: POLICY.as_bytes().to_vec() };
    let index = build(vec![source]).unwrap().index;
    for (subject, scope) in [("user/ann", "space/s"), ("user/ann", "space/t"), ("user/bob", "space/t")] {
        let named = |name: &'static str| Entity::parse(name).unwrap();
        let wanted: Vec<(String, String, bool, String)> =
            decide::list_levels(&index, named(subject), named(scope), Timestamp::EPOCH)
                .unwrap()
                .into_iter()
                .map(|one| (one.governor, one.level, one.narrowed, one.rule_id.unwrap_or_default()))
                .collect();
        assert_eq!(wanted.len(), 7);
        for page_size in [0, 1, 2, 3, 6, 7, 8, u32::MAX] {
            let request = v1::ListLevelsRequest { page_size, ..levels(subject, scope) };
            let listed = client.call(|client| client.every_level(request)).unwrap().levels;
            let listed: Vec<_> =
                listed.into_iter().map(|one| (one.governor, one.level, one.narrowed, one.rule_id)).collect();
            assert_eq!(listed, wanted, "{subject} {scope} {page_size}");
        }
    }
}

#[test]
fn levels_of_nobody_are_not_found_and_tokens_keep_to_their_query() {
    let directory = tempfile::tempdir().unwrap();
    let (_running, client) = start(directory.path());
    let page = |request: v1::ListLevelsRequest| client.call(|client| client.list_levels(request));
    refused(page(levels("user/nobody", "space/s")), Code::NotFound, "subject");
    refused(page(levels("user/ann", "space/none")), Code::NotFound, "scope");
    refused(
        page(v1::ListLevelsRequest { scope: None, ..levels("user/ann", "space/s") }),
        Code::InvalidArgument,
        "scope",
    );
    refused(
        page(v1::ListLevelsRequest { subject: None, ..levels("user/ann", "space/s") }),
        Code::InvalidArgument,
        "subject",
    );
    let empty = v1::Entity { r#type: "user".to_owned(), id: String::new() };
    let unnamed = v1::ListLevelsRequest { subject: Some(empty), ..levels("user/ann", "space/s") };
    refused(page(unnamed), Code::InvalidArgument, "subject.id");
    let first = page(v1::ListLevelsRequest { page_size: 2, ..levels("user/ann", "space/s") }).unwrap();
    assert_eq!(first.levels.len(), 2);
    let token = first.next_page_token;
    let next = page(v1::ListLevelsRequest { page_token: token.clone(), ..levels("user/ann", "space/s") }).unwrap();
    assert_eq!((next.levels.len(), next.next_page_token.as_str()), (5, ""));
    assert_eq!(next.evaluated_at, first.evaluated_at, "one moment for all pages");
    let foreign = v1::ListLevelsRequest { page_token: token.clone(), ..levels("user/bob", "space/s") };
    refused(page(foreign), Code::InvalidArgument, "page_token");
    let changed = format!("{POLICY}- {{subject: user/bob, role: two, at: account/a}}\n");
    fs::write(directory.path().join("next"), changed).unwrap();
    fs::rename(directory.path().join("next"), directory.path().join("policy.yaml")).unwrap();
    let begun = std::time::Instant::now();
    let stale = v1::ListLevelsRequest { page_token: token, ..levels("user/ann", "space/s") };
    loop {
        match page(stale.clone()) {
            Ok(_) => assert!(begun.elapsed() < LIMIT, "the new snapshot never came"),
            other => return refused(other, Code::FailedPrecondition, "not live any more"),
        }
    }
}

#[test]
fn seats_are_counted_class_by_class() {
    let directory = tempfile::tempdir().unwrap();
    let (_running, client) = start(directory.path());
    let count = |scope: &str, classes: &[&str]| {
        let request = v1::CountSeatsRequest {
            scope: Some(entity(scope)),
            seat_classes: classes.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        client.call(|client| client.count_seats(request)).map(|response| {
            assert!(response.snapshot.is_some() && response.evaluated_at.is_some());
            response.counts.into_iter().map(|one| (one.seat_class, one.count)).collect::<Vec<_>>()
        })
    };
    let of = |class: &str, count: u64| (class.to_owned(), count);
    assert_eq!(count("space/s", &["member"]).unwrap(), [of("member", 1)], "who is disabled takes none");
    assert_eq!(count("account/a", &[]).unwrap(), [of("member", 2), of("special", 1)]);
    assert_eq!(count("account/a", &["special", "member", "special"]).unwrap(), [of("member", 2), of("special", 1)]);
    refused(count("account/z", &[]), Code::NotFound, "scope");
    refused(count("account/a", &["members"]), Code::NotFound, "class");
    refused(count("account/a", &[""]), Code::InvalidArgument, "seat_classes");
    let nowhere = client.call(|client| client.count_seats(v1::CountSeatsRequest::default()));
    refused(nowhere, Code::InvalidArgument, "scope");
}

/// May this subject do this action of a grant at `account/a`?
fn grant(subject: &str, action: &str, target: &str, role: &str) -> v1::AuthorizeRequest {
    let Entity { kind, id } = Entity::parse(subject).unwrap();
    let value = |kind| v1::Value { kind: Some(kind) };
    let properties = [
        ("target".to_owned(), value(v1::value::Kind::EntityValue(entity(target)))),
        ("role".to_owned(), value(v1::value::Kind::StringValue(role.to_owned()))),
    ];
    let properties = if action == "view" { Vec::new() } else { properties.to_vec() };
    v1::AuthorizeRequest {
        subject: Some(v1::Subject { r#type: kind.to_owned(), id: id.to_owned(), ..Default::default() }),
        action: Some(v1::Action { name: action.to_owned(), properties: properties.into_iter().collect() }),
        resource: Some(v1::Resource { r#type: "account".to_owned(), id: "a".to_owned(), ..Default::default() }),
        request_id: "r7".to_owned(),
        ..Default::default()
    }
}

#[test]
fn a_grant_is_checked_as_it_is_decided_and_says_what_would_be_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let (_running, client) = start(directory.path());
    for (subject, action, target, role, allowed, violations) in [
        ("user/adm", "assign", "user/bob", "two", true, 0),
        ("user/adm", "assign", "user/ann", "two", false, 1),
        ("user/adm", "try", "user/ann", "two", true, 1),
        ("user/bob", "assign", "user/bob", "two", false, 0),
        ("user/nobody", "assign", "user/bob", "two", false, 0),
    ] {
        let request = grant(subject, action, target, role);
        let decided = client.call(|client| client.authorize(request.clone())).unwrap();
        let checked = client.call(|client| client.check_grant(request)).unwrap();
        let mut response = checked.response.unwrap();
        response.evaluated_at = decided.evaluated_at;
        assert_eq!(response, decided, "{subject} {action} {target}");
        assert_eq!(response.decision() == v1::Decision::Allow, allowed, "{subject} {action} {target}");
        assert_eq!(checked.violations.len(), violations, "{subject} {action} {target}: {:?}", checked.violations);
        if violations > 0 {
            let words = checked.violations.concat();
            assert!(["one", "two", "account/a", "either"].iter().all(|word| words.contains(word)), "{words}");
        }
    }
}

#[test]
fn only_a_change_can_be_checked_as_a_grant() {
    let directory = tempfile::tempdir().unwrap();
    let (_running, client) = start(directory.path());
    let view = grant("user/adm", "view", "user/bob", "two");
    refused(client.call(|client| client.check_grant(view)), Code::InvalidArgument, "action.name");
    let nobody = v1::AuthorizeRequest { subject: None, ..grant("user/adm", "assign", "user/bob", "two") };
    refused(client.call(|client| client.check_grant(nobody)), Code::InvalidArgument, "subject");
    let ghost = grant("user/adm", "ghost", "user/bob", "two");
    let checked = client.call(|client| client.check_grant(ghost)).unwrap();
    assert_eq!(checked.response.unwrap().reason(), v1::Reason::UnknownAction);
}
