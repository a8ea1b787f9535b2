//! The log as a whole, with a real snapshot.

use std::{
    fs,
    os::unix::net::UnixListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_queue::ArrayQueue;
use serde_json::{Value as Json, json};

use super::{
    DecisionLog, Destination, Door, Entry, Mode, Origin, PropertyName, Settings, Shared, TraceContext, output::Output,
    record::Record, render, writer::Writer,
};
use crate::{
    decide,
    model::{Entity, Request, Timestamp, Value, Verdict},
    observe::metrics::LogCounters,
    snapshot::{Snapshot, document_builder, load},
};

const POLICY: &str = r"
sidegate: 1
sequence: 7
subject_types: {user: {attributes: {team: {type: string, from: request}, pin: {type: string, from: request, sensitive: true}}}}
context: {mfa: bool, secret: {type: string, sensitive: true}}
types:
  account: {root: true, actions: [open]}
  page:
    parent: account
    attributes: {state: {type: string, from: request}, key: {type: string, from: request, sensitive: true}}
    actions:
      view: {}
      move: {parameters: {to: {type: ref(account), optional: true}}}
roles:
  reader: {at: account, allow: [{on: page, actions: [view]}]}
subjects: {user/ana: {}}
resources: {account/orbit: {}, page/home: {parent: account/orbit}, page/LONG: {parent: account/orbit}}
bindings: [{subject: user/ana, role: reader, at: account/orbit}]
";

const LIMIT: Duration = Duration::from_secs(30);

const ASKED: Request<'static> = Request {
    subject: Entity { kind: "user", id: "ana" },
    subject_properties: &[],
    action: "view",
    action_properties: &[],
    resource: Entity { kind: "page", id: "home" },
    parent: None,
    resource_properties: &[],
    context: &[],
};

fn long() -> String {
    "é".repeat(500)
}

fn snapshot() -> Arc<Snapshot> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, POLICY.replace("LONG", &long())).unwrap();
    Arc::new(load(&path, 1 << 20, &document_builder()).unwrap())
}

fn settings(mode: Mode) -> Settings {
    Settings { mode, destination: Destination::Stdout, one_in: 3, properties: Vec::new(), queue: 64 }
}

fn entry<'a>(snapshot: &'a Arc<Snapshot>, request: &'a Request<'a>, request_id: &'a str) -> Entry<'a> {
    let time = Timestamp::parse("2026-01-31T09:00:00.5Z").unwrap();
    let verdict = decide::authorize(&snapshot.index, request, time).unwrap();
    Entry { snapshot, request, verdict, time, request_id, origin: Origin { door: Door::Authorize, trace: None } }
}

fn rendered(entry: &Entry<'_>, settings: &Settings, missing: u64) -> Json {
    let mut line = String::new();
    render::line(&mut line, &Record::new(entry, &settings.properties), settings, missing).unwrap();
    assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
    serde_json::from_str(&line).unwrap()
}

/// A log whose threads do not run.
fn still(settings: Settings) -> (DecisionLog, Arc<Shared>) {
    let shared = Arc::new(Shared {
        queue: ArrayQueue::new(settings.queue),
        settings,
        counters: LogCounters::default(),
        output: Output::default(),
        asleep: AtomicBool::new(false),
        closed: AtomicBool::new(false),
    });
    (DecisionLog { shared: Arc::clone(&shared), writer: thread::current(), seen: AtomicUsize::new(0) }, shared)
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LIMIT, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_line_says_who_what_why_and_by_which_snapshot() {
    let snapshot = snapshot();
    let trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let origin = Origin { door: Door::Batch, trace };
    let line = rendered(&Entry { origin, ..entry(&snapshot, &ASKED, "r-1") }, &settings(Mode::All), 0);
    let expected = json!({
        "evaluated_at": "2026-01-31T09:00:00.5Z",
        "decision": "ALLOW",
        "reason": "GRANTED",
        "rule_id": "roles/reader/page.view",
        "undetermined": false,
        "subject": {"type": "user", "id": "ana"},
        "action": "view",
        "resource": {"type": "page", "id": "home"},
        "snapshot": {"sequence": 7, "digest": snapshot.digest, "generation": 0},
        "door": "batch",
        "request_id": "r-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
    });
    assert_eq!(line, expected);
    let sampled = rendered(&entry(&snapshot, &ASKED, ""), &settings(Mode::Sampled), 4);
    assert_eq!((&sampled["one_in"], &sampled["dropped"]), (&json!(3), &json!(4)));
    assert_eq!(sampled.get("request_id"), None);
}

#[test]
fn what_the_snapshot_does_not_hold_is_told_in_its_own_words() {
    let snapshot = snapshot();
    let request = Request {
        subject: Entity { kind: "user", id: "bob\u{202e}\"" },
        action: "burn",
        resource: Entity { kind: "ghost", id: "x" },
        ..ASKED
    };
    let line = rendered(&entry(&snapshot, &request, "a\n{\"decision\":\"ALLOW\"}"), &settings(Mode::All), 0);
    assert_eq!(line["reason"], "UNKNOWN_TYPE");
    assert_eq!(line["subject"], json!({"type": "user", "id": "bob\u{202e}\""}));
    assert_eq!((&line["action"], &line["resource"]), (&json!("burn"), &json!({"type": "ghost", "id": "x"})));
    assert_eq!(line["request_id"], "a\n{\"decision\":\"ALLOW\"}");
    assert_eq!(line.get("truncated"), None);
}

#[test]
fn long_names_are_whole_where_they_are_held_and_else_cut_and_marked() {
    let snapshot = snapshot();
    let long = long();
    let held = Request { resource: Entity { kind: "page", id: &long }, ..ASKED };
    let line = rendered(&entry(&snapshot, &held, ""), &settings(Mode::All), 0);
    assert_eq!((&line["decision"], &line["resource"]["id"]), (&json!("ALLOW"), &json!(long)));
    assert_eq!(line.get("truncated"), None);
    let other = "ü".repeat(500);
    let request = Request {
        subject: Entity { kind: &other, id: &other },
        action: &other,
        resource: Entity { kind: &other, id: &other },
        ..ASKED
    };
    let line = rendered(&entry(&snapshot, &request, &other), &settings(Mode::All), 0);
    let all = ["subject.type", "subject.id", "action", "resource.type", "resource.id", "request_id"];
    let told: Vec<&str> = line["truncated"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
    assert!(
        all.iter().all(|field| told.contains(field) || (*field == "request_id" && line.get(field).is_none())),
        "{line}"
    );
    assert_eq!(line["subject"]["type"].as_str().unwrap(), "ü".repeat(127), "255 bytes, cut between letters");
}

#[test]
fn only_properties_that_configuration_and_policy_let_through_are_written() {
    let snapshot = snapshot();
    let list = [Value::String("a"), Value::Int(1)];
    let request = Request {
        subject_properties: &[("team", Value::String("red")), ("pin", Value::String("0000")), ("x", Value::Null)],
        action: "move",
        action_properties: &[("to", Value::Entity(Entity { kind: "account", id: "orbit" }))],
        resource_properties: &[("state", Value::List(&list)), ("key", Value::String("k3y"))],
        context: &[("mfa", Value::Bool(true)), ("secret", Value::String("s3cret")), ("other", Value::String("0ther"))],
        ..ASKED
    };
    let line = rendered(&entry(&snapshot, &request, ""), &settings(Mode::All), 0);
    assert_eq!((line.get("properties"), &line["properties_withheld"]), (None, &json!(9)));
    let names = ["subject.team", "subject.pin", "subject.x", "action.to", "resource.state", "resource.key"];
    let names = names.into_iter().chain(["context.mfa", "context.secret", "context.other", "context.state"]);
    let properties = names.map(|name| PropertyName::parse(name).unwrap()).collect();
    let settings = Settings { properties, ..settings(Mode::All) };
    let line = rendered(&entry(&snapshot, &request, ""), &settings, 0);
    let written = json!({
        "subject.team": "red",
        "action.to": {"type": "account", "id": "orbit"},
        "resource.state": ["a", 1],
        "context.mfa": true,
    });
    // Sensitive ones, and those that the policy does not declare, stay back although they are on the list.
    assert_eq!((&line["properties"], &line["properties_withheld"]), (&written, &json!(5)));
    let stranger = Request { subject: Entity { kind: "ghost", id: "x" }, ..request };
    let line = rendered(&entry(&snapshot, &stranger, ""), &settings, 0);
    assert_eq!(line["properties"].get("subject.team"), None, "whether it is sensitive cannot be known");
    let huge = "v".repeat(2000);
    let request = Request { resource_properties: &[("state", Value::String(&huge))], ..ASKED };
    let line = rendered(&entry(&snapshot, &request, ""), &settings, 0);
    assert_eq!(
        (line.get("properties"), &line["properties_withheld"]),
        (None, &json!(1)),
        "a value is whole or not there"
    );
}

#[test]
fn each_mode_wants_its_decisions() {
    let allow = Verdict { decision: crate::model::Decision::Allow, ..Verdict::deny(crate::model::Reason::Granted) };
    let deny = Verdict::deny(crate::model::Reason::NoGrant);
    let wanted = |mode| {
        let (log, _) = still(settings(mode));
        [allow, deny, allow, deny, allow, deny].map(|verdict| log.wants(&verdict))
    };
    assert_eq!(wanted(Mode::Off), [false; 6]);
    assert_eq!(wanted(Mode::All), [true; 6]);
    assert_eq!(wanted(Mode::Denials), [false, true, false, true, false, true]);
    assert_eq!(wanted(Mode::Sampled), [true, false, false, true, false, false], "one in three, whatever they are");
    assert!(DecisionLog::spawn(settings(Mode::Off), LogCounters::default(), || ()).unwrap().is_none());
}

#[test]
fn a_full_queue_drops_and_counts_each() {
    let snapshot = snapshot();
    let (log, shared) = still(settings(Mode::All));
    for _ in 0..100 {
        log.note(&entry(&snapshot, &ASKED, ""));
    }
    assert_eq!((shared.queue.len(), log.counts()), (64, (0, 36)));
    assert_eq!(Arc::strong_count(&snapshot), 65, "a dropped record holds on to nothing");
    assert_eq!(log.finish(Duration::ZERO), 64);
    assert_eq!(log.counts(), (0, 100));
    assert!(size_of::<Record>() <= 1024, "{}", size_of::<Record>());
}

#[test]
fn what_nobody_writes_holds_no_snapshot_and_every_gap_is_told() {
    let snapshot = snapshot();
    let (log, shared) = still(settings(Mode::All));
    let mut writer = Writer::new(Arc::clone(&shared));
    let mut noted = 0;
    let mut lines = Vec::new();
    for _ in 0..3 {
        let dropped_before = shared.counters.dropped.get();
        while shared.counters.dropped.get() < dropped_before + 50 {
            for _ in 0..40 {
                log.note(&entry(&snapshot, &ASKED, "x"));
                noted += 1;
            }
            writer.round();
            assert_eq!(Arc::strong_count(&snapshot), 1, "rendered, or dropped, at once");
        }
        // Now somebody takes what there is.
        let text = shared.output.take();
        assert!(text.len() <= 1024 * 1024);
        let text = String::from_utf8(text).unwrap();
        lines.extend(text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()));
    }
    let gaps: Vec<u64> = lines.iter().filter_map(|line| line["dropped"].as_u64()).collect();
    assert_eq!(gaps.len(), 2, "the third has no line behind it yet");
    let behind_the_last = shared.counters.dropped.get() - gaps.iter().sum::<u64>();
    assert!(behind_the_last >= 50);
    assert_eq!(lines.len() as u64 + shared.counters.dropped.get(), noted);
}

fn read(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_file_is_appended_to_and_opened_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
    fs::write(&path, "{\"before\":true}\n").unwrap();
    let settings = Settings { destination: Destination::File(path.clone()), ..settings(Mode::All) };
    let log = DecisionLog::spawn(settings, LogCounters::default(), || ()).unwrap().unwrap();
    let snapshot = snapshot();
    log.note(&entry(&snapshot, &ASKED, "1"));
    until("it is written", || log.counts().0 == 1);
    fs::rename(&path, &moved).unwrap();
    log.note(&entry(&snapshot, &ASKED, "2"));
    until("it is written", || log.counts().0 == 2);
    log.reopen();
    for number in 3..=50 {
        log.note(&entry(&snapshot, &ASKED, &number.to_string()));
    }
    assert_eq!(log.finish(LIMIT), 0);
    assert_eq!(log.counts(), (50, 0));
    let ids = |lines: &[Json]| -> Vec<String> {
        lines.iter().filter_map(|line| Some(line["request_id"].as_str()?.to_owned())).collect()
    };
    assert_eq!((read(&moved).len(), ids(&read(&moved))), (3, vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(ids(&read(&path)), (3..=50).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(Arc::strong_count(&snapshot), 1);
}

#[test]
fn trouble_is_counted_and_lasts_no_longer_than_it_must() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let settings = Settings { destination: Destination::Unix(path.clone()), ..settings(Mode::All) };
    let counters = LogCounters::default();
    let log = DecisionLog::spawn(settings, counters.clone(), || ()).unwrap().unwrap();
    let snapshot = snapshot();
    log.note(&entry(&snapshot, &ASKED, "1"));
    until("it has failed twice", || counters.errors.get() >= 2);
    assert_eq!(log.counts(), (0, 0), "it waits");
    let listener = UnixListener::bind(&path).unwrap();
    let (first, _) = listener.accept().unwrap();
    until("it is written", || log.counts().0 == 1);
    drop(first);
    log.note(&entry(&snapshot, &ASKED, "2"));
    let (second, _) = listener.accept().unwrap();
    assert_eq!(log.finish(LIMIT), 0);
    drop(log);
    let text = std::io::read_to_string(second).unwrap();
    assert_eq!(serde_json::from_str::<Json>(&text).unwrap()["request_id"], "2");
}

#[test]
fn a_full_disk_and_a_deaf_socket_end_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let snapshot = snapshot();
    for destination in [Destination::File("/dev/full".into()), Destination::Unix(path)] {
        let settings = Settings { destination, queue: 100_000, ..settings(Mode::All) };
        let log = DecisionLog::spawn(settings, LogCounters::default(), || ()).unwrap().unwrap();
        let mut noted = 0;
        while log.counts().1 == 0 {
            log.note(&entry(&snapshot, &ASKED, ""));
            noted += 1;
        }
        let begun = Instant::now();
        let lost = log.finish(Duration::from_millis(100));
        assert!(lost > 0 && begun.elapsed() < LIMIT);
        until("each is counted", || {
            let (written, dropped) = log.counts();
            assert!(written + dropped <= noted, "{written} and {dropped} of {noted}");
            written + dropped == noted
        });
    }
    drop(listener);
}
