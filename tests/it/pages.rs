//! Lists of a running daemon: whole over pages of every size, and closed to tokens that are not its own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sidegate::app::{self, Running};
use sidegate::client::{Blocking, ClientError};
use sidegate::config::Config;
use sidegate::service::proto::v1;
use tonic::Code;

/// Longer than any honest wait.
const LIMIT: Duration = Duration::from_secs(20);

const PAGE_SIZES: [u32; 7] = [1, 5, 16, 53, 100, 0, u32::MAX];

const POLICY: &str = "\
sidegate: 1
subject_types: {user: {}, robot: {}}
context: {mfa: bool}
types:
  workspace: {root: true, actions: [access]}
  bot: {parent: workspace, attributes: {locked: {type: bool, from: [snapshot, request]}}, actions: [view, update]}
roles:
  editor:
    at: workspace
    allow:
      - {on: bot, actions: [view], when: context.mfa}
      - {on: bot, actions: [update], when: resource.locked == false}
forbids:
  last: {subjects: [user/u009], on: bot, actions: [update]}
";

/// 150 bots in three workspaces, 130 subjects, most with a role in one of them: whatever a page skips or repeats between
/// two that it lists shows.
fn source() -> String {
    let mut text = POLICY.to_owned() + "resources:\n";
    for workspace in 0..3 {
        writeln!(text, "  workspace/w{workspace}: {{}}").unwrap();
    }
    for bot in 0..150 {
        let locked = ["", ", attributes: {locked: true}", ", attributes: {locked: false}"][bot % 7 % 3];
        writeln!(text, "  bot/b{bot:03}: {{parent: workspace/w{}{locked}}}", bot / 50).unwrap();
    }
    text += "subjects:\n";
    for subject in 0..130 {
        writeln!(text, "  {}: {{}}", subject_name(subject)).unwrap();
    }
    text += "bindings:\n";
    for subject in (0..130).filter(|number| number % 3 != 1) {
        let (name, at) = (subject_name(subject), subject / 6 % 3);
        writeln!(text, "  - {{subject: {name}, role: editor, at: workspace/w{at}}}").unwrap();
    }
    text
}

fn subject_name(number: usize) -> String {
    format!("{}/u{number:03}", if number.is_multiple_of(5) { "robot" } else { "user" })
}

fn start(directory: &Path) -> (Running, Blocking) {
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

fn write(directory: &Path, text: &str) {
    fs::write(directory.join("next"), text).unwrap();
    fs::rename(directory.join("next"), directory.join("policy.yaml")).unwrap();
}

fn entity(kind: &str, id: &str) -> v1::Entity {
    v1::Entity { r#type: kind.to_owned(), id: id.to_owned() }
}

fn action(name: &str) -> v1::Action {
    v1::Action { name: name.to_owned(), ..v1::Action::default() }
}

fn bots_of(subject: &v1::Entity, name: &str) -> v1::ListResourcesRequest {
    v1::ListResourcesRequest {
        subject: Some(v1::Subject { r#type: subject.r#type.clone(), id: subject.id.clone(), ..v1::Subject::default() }),
        action: Some(action(name)),
        resource_type: "bot".into(),
        ..v1::ListResourcesRequest::default()
    }
}

fn subjects_of(bot: &v1::Entity, name: &str) -> v1::ListSubjectsRequest {
    v1::ListSubjectsRequest { action: Some(action(name)), resource: Some(resource(bot)), ..Default::default() }
}

fn resource(of: &v1::Entity) -> v1::Resource {
    v1::Resource { r#type: of.r#type.clone(), id: of.id.clone(), ..v1::Resource::default() }
}

/// Those of many pairs that a batch allows, and how many are undetermined.
fn checked(client: &Blocking, name: &str, pairs: &[(v1::Entity, v1::Entity)]) -> (Vec<usize>, u64) {
    let request = |(subject, bot): &(v1::Entity, v1::Entity)| v1::AuthorizeRequest {
        subject: Some(v1::Subject { r#type: subject.r#type.clone(), id: subject.id.clone(), ..Default::default() }),
        action: Some(action(name)),
        resource: Some(resource(bot)),
        ..v1::AuthorizeRequest::default()
    };
    let batch = v1::BatchAuthorizeRequest { requests: pairs.iter().map(request).collect(), ..Default::default() };
    let results = client.call(|client| client.batch(batch)).unwrap().results;
    let verdicts = results.into_iter().map(|result| match result.outcome.unwrap() {
        v1::batch_authorize_result::Outcome::Verdict(verdict) => verdict,
        v1::batch_authorize_result::Outcome::Error(error) => panic!("{error:?}"),
    });
    let (mut allowed, mut undetermined) = (Vec::new(), 0);
    for (number, verdict) in verdicts.enumerate() {
        if verdict.decision() == v1::Decision::Allow {
            allowed.push(number);
        } else {
            undetermined += u64::from(verdict.undetermined);
        }
    }
    (allowed, undetermined)
}

fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (Code, String) {
    match answer.unwrap_err() {
        ClientError::Refused { code, field, message } => (code, field.unwrap_or(message)),
        other => panic!("{other}"),
    }
}

#[test]
fn pages_of_every_size_make_what_a_batch_allows() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &source());
    let (_running, client) = start(directory.path());
    let bots: Vec<_> = (0..150).map(|bot| entity("bot", &format!("b{bot:03}"))).collect();
    let mut subjects: Vec<_> = (0..130).map(subject_name).map(|name| parse(&name)).collect();
    subjects.sort_by(|a, b| (&a.r#type, &a.id).cmp(&(&b.r#type, &b.id)));
    for name in ["update", "view"] {
        for subject in [parse("user/u003"), parse("robot/u000"), parse("user/u009"), parse("user/u001")] {
            let pairs: Vec<_> = bots.iter().map(|bot| (subject.clone(), bot.clone())).collect();
            let (numbers, undetermined) = checked(&client, name, &pairs);
            let wanted: Vec<_> = numbers.iter().map(|number| bots[*number].clone()).collect();
            for page_size in PAGE_SIZES {
                let request = v1::ListResourcesRequest { page_size, ..bots_of(&subject, name) };
                let listed = client.call(|client| client.every_resource(request)).unwrap();
                assert_eq!((listed.entities, listed.undetermined), (wanted.clone(), undetermined), "{page_size}");
            }
        }
        for bot in ["b002", "b003", "b051", "none"].map(|id| entity("bot", id)) {
            let pairs: Vec<_> = subjects.iter().map(|subject| (subject.clone(), bot.clone())).collect();
            let (numbers, undetermined) = checked(&client, name, &pairs);
            let mut wanted: Vec<_> = numbers.iter().map(|number| subjects[*number].clone()).collect();
            for page_size in PAGE_SIZES {
                let request = v1::ListSubjectsRequest { page_size, ..subjects_of(&bot, name) };
                let mut listed = client.call(|client| client.every_subject(request)).unwrap();
                listed.entities.sort_by(|a, b| (&a.r#type, &a.id).cmp(&(&b.r#type, &b.id)));
                assert_eq!((&listed.entities, listed.undetermined), (&wanted, undetermined), "{page_size}");
            }
            wanted.retain(|subject| subject.r#type == "robot");
            let request = v1::ListSubjectsRequest { subject_type: "robot".into(), ..subjects_of(&bot, name) };
            assert_eq!(client.call(|client| client.every_subject(request)).unwrap().entities, wanted);
        }
    }
}

fn parse(name: &str) -> v1::Entity {
    let (kind, id) = name.split_once('/').unwrap();
    entity(kind, id)
}

#[test]
fn unknown_names_list_nothing_and_malformed_ones_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &source());
    let (_running, client) = start(directory.path());
    let plain = bots_of(&parse("user/u003"), "update");
    let some = client.call(|client| client.list_resources(plain.clone())).unwrap();
    assert!(!some.resources.is_empty() && some.undetermined_count > 0);
    let nothing = [
        v1::ListResourcesRequest { resource_type: "robot".into(), ..plain.clone() },
        v1::ListResourcesRequest { resource_type: "ghost".into(), ..plain.clone() },
        v1::ListResourcesRequest { action: Some(action("fly")), ..plain.clone() },
        v1::ListResourcesRequest { within: Some(entity("workspace", "none")), ..plain.clone() },
        v1::ListResourcesRequest { within: Some(entity("workspace", "w2")), ..plain.clone() },
        bots_of(&parse("user/nobody"), "update"),
        bots_of(&parse("bot/b000"), "update"),
    ];
    for request in nothing {
        let listed = client.call(|client| client.every_resource(request)).unwrap();
        assert_eq!((listed.entities, listed.undetermined), (Vec::new(), 0));
    }
    let within = v1::ListResourcesRequest { within: Some(entity("workspace", "w0")), ..plain.clone() };
    assert_eq!(client.call(|client| client.list_resources(within)).unwrap().resources, some.resources);
    let malformed = [
        (v1::ListResourcesRequest { resource_type: String::new(), ..plain.clone() }, "resource_type"),
        (v1::ListResourcesRequest { subject: None, ..plain.clone() }, "subject"),
        (v1::ListResourcesRequest { action: None, ..plain.clone() }, "action"),
        (v1::ListResourcesRequest { action: Some(action("a\n")), ..plain.clone() }, "action.name"),
        (v1::ListResourcesRequest { within: Some(entity("", "x")), ..plain.clone() }, "within.type"),
        (v1::ListResourcesRequest { request_id: "x".repeat(1_025), ..plain }, "request_id"),
    ];
    for (request, field) in malformed {
        let answer = refused(client.call(|client| client.list_resources(request)));
        assert_eq!(answer, (Code::InvalidArgument, field.to_owned()));
    }
    let plain = subjects_of(&entity("bot", "b003"), "update");
    for (request, field) in [
        (v1::ListSubjectsRequest { subject_type: "\u{7f}".into(), ..plain.clone() }, "subject_type"),
        (v1::ListSubjectsRequest { resource: None, ..plain.clone() }, "resource"),
        (subjects_of(&entity("bot", ""), "update"), "resource.id"),
    ] {
        let answer = refused(client.call(|client| client.list_subjects(request)));
        assert_eq!(answer, (Code::InvalidArgument, field.to_owned()));
    }
    let ghosts = v1::ListSubjectsRequest { subject_type: "ghost".into(), ..plain };
    assert!(client.call(|client| client.list_subjects(ghosts)).unwrap().subjects.is_empty());
}

#[test]
fn a_token_is_good_for_its_query_snapshot_and_process_alone() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &source());
    let (running, client) = start(directory.path());
    let ask = |request: &v1::ListResourcesRequest, token: &str| {
        let request = v1::ListResourcesRequest { page_token: token.to_owned(), ..request.clone() };
        client.call(|client| client.list_resources(request))
    };
    let bad_token = (Code::InvalidArgument, "page_token".to_owned());
    let query = v1::ListResourcesRequest { page_size: 2, ..bots_of(&parse("user/u003"), "update") };
    let first = ask(&query, "").unwrap();
    let token = first.next_page_token.clone();
    let second = ask(&query, &token).unwrap();
    assert!(!second.resources.is_empty() && second.resources != first.resources);
    assert_eq!(second.evaluated_at, first.evaluated_at);
    let larger = v1::ListResourcesRequest { page_size: 3, request_id: "again".into(), ..query.clone() };
    assert_eq!(ask(&larger, &token).unwrap().resources[..2], second.resources, "a page size may change");

    for at in (0..token.len()).step_by(3) {
        let mut tampered = token.clone();
        let other = if tampered.as_bytes()[at] == b'5' { "6" } else { "5" };
        tampered.replace_range(at..=at, other);
        assert_eq!(refused(ask(&query, &tampered)), bad_token, "{at}");
        if at > 0 {
            assert_eq!(refused(ask(&query, token.split_at(at).0)), bad_token, "{at}");
        }
    }
    let mut other = query.clone();
    other.context.insert("mfa".into(), v1::Value { kind: Some(v1::value::Kind::BoolValue(true)) });
    let others = [
        other,
        v1::ListResourcesRequest { action: Some(action("view")), ..query.clone() },
        v1::ListResourcesRequest { resource_type: "workspace".into(), ..query.clone() },
        v1::ListResourcesRequest { within: Some(entity("workspace", "w1")), ..query.clone() },
        bots_of(&parse("user/u012"), "update"),
    ];
    for other in others {
        assert_eq!(refused(ask(&other, &token)), bad_token);
    }
    let subjects =
        v1::ListSubjectsRequest { page_token: token.clone(), ..subjects_of(&entity("bot", "b003"), "update") };
    assert_eq!(refused(client.call(|client| client.list_subjects(subjects))), bad_token);
    let (_stranger, stranger) = start(directory.path());
    let foreign = v1::ListResourcesRequest { page_token: token.clone(), ..query.clone() };
    assert_eq!(refused(stranger.call(|client| client.list_resources(foreign))), bad_token);

    write(directory.path(), &source().replace("last: {subjects", "final: {subjects"));
    let begun = Instant::now();
    while running.store().status().generation < 2 {
        assert!(begun.elapsed() < LIMIT, "the second snapshot never went live");
        std::thread::sleep(Duration::from_millis(1));
    }
    let (code, message) = refused(ask(&query, &token));
    assert_eq!(code, Code::FailedPrecondition);
    assert!(message.contains("page token"), "{message}");
    assert_ne!(ask(&query, "").unwrap().snapshot, first.snapshot);
}
