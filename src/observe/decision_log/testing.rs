//! A snapshot and questions to log, for the tests.

use std::{fs, sync::Arc};

use super::{Destination, Door, Entry, Mode, Origin, Settings};
use crate::{
    decide,
    model::{Entity, Request, Timestamp},
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

/// Ana may.
pub(super) const ASKED: Request<'static> = Request {
    subject: Entity { kind: "user", id: "ana" },
    subject_properties: &[],
    action: "view",
    action_properties: &[],
    resource: Entity { kind: "page", id: "home" },
    parent: None,
    resource_properties: &[],
    context: &[],
};

/// The id of a page.
pub(super) fn long() -> String {
    "é".repeat(500)
}

/// What answers.
pub(super) fn snapshot() -> Arc<Snapshot> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, POLICY.replace("LONG", &long())).unwrap();
    Arc::new(load(&path, 1 << 20, &document_builder()).unwrap())
}

/// One in three, no properties, a small queue.
pub(super) fn settings(mode: Mode) -> Settings {
    Settings { mode, destination: Destination::Stdout, one_in: 3, properties: Vec::new(), queue: 64 }
}

/// A decision.
pub(super) fn entry<'a>(snapshot: &'a Arc<Snapshot>, request: &'a Request<'a>, request_id: &'a str) -> Entry<'a> {
    let time = Timestamp::parse("2026-01-31T09:00:00.5Z").unwrap();
    let verdict = decide::authorize(&snapshot.index, request, time).unwrap();
    Entry { snapshot, request, verdict, time, request_id, origin: Origin { door: Door::Authorize, trace: None } }
}
