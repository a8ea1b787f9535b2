//! What the decision log costs the thread that decides: `cargo bench --bench decision_log`.
//!
//! A sample is a burst of 1,000 decisions, as one large batch makes; between bursts the log catches up, so that none is
//! dropped: dropping is cheaper than logging. The medians of bursts are the figures to quote, less those without a log.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark whose universe does not build has nothing to measure"
)]

use std::{fmt::Write, fs, sync::Arc, thread, time::Duration};

use divan::{Bencher, black_box, counter::ItemsCount};
use sidegate::{
    decide::authorize,
    model::{Entity, Request, Timestamp},
    observe::{
        decision_log::{DecisionLog, Destination, Door, Entry, Mode, Origin, Settings},
        metrics::LogCounters,
    },
    snapshot::{Snapshot, document_builder, load},
};

fn main() {
    divan::main();
}

const USERS: usize = 10_000;
const BURST: usize = 1_000;

const POLICY: &str = "
sidegate: 1
subject_types: {user: {}}
types:
  workspace: {root: true, actions: [enter]}
  document: {parent: workspace, actions: [view]}
roles:
  reader: {at: workspace, allow: [{on: document, actions: [view]}]}
";

/// Every user holds a role on the one workspace, and has a document.
fn snapshot() -> Arc<Snapshot> {
    let mut facts = String::from("{\"kind\":\"resource\",\"id\":\"workspace/w\"}\n");
    for user in 0..USERS {
        writeln!(facts, r#"{{"kind":"subject","id":"user/user-{user}@example.com"}}"#).unwrap();
        writeln!(facts, r#"{{"kind":"resource","id":"document/{user}","parent":"workspace/w"}}"#).unwrap();
        writeln!(
            facts,
            r#"{{"kind":"binding","subject":"user/user-{user}@example.com","role":"reader","at":"workspace/w"}}"#
        )
        .unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("policy.yaml"), POLICY).unwrap();
    fs::write(directory.path().join("facts.jsonl"), facts).unwrap();
    Arc::new(load(directory.path(), 1 << 30, &document_builder()).unwrap())
}

fn log(mode: Mode) -> Option<DecisionLog> {
    let destination = Destination::File("/dev/null".into());
    let settings = Settings { mode, destination, one_in: 100, properties: Vec::new(), queue: 4096 };
    DecisionLog::spawn(settings, LogCounters::default(), || ()).unwrap()
}

/// A thousand allowed decisions under a mode.
#[divan::bench(args = ["off", "denials", "sampled", "all"], sample_size = 1, sample_count = 1000)]
fn thousand_decisions(bencher: Bencher<'_, '_>, mode: &str) {
    let snapshot = snapshot();
    let log = log(Mode::ALL.into_iter().find(|known| known.name() == mode).unwrap());
    let names: Vec<(String, String)> =
        (0..USERS).map(|user| (format!("user-{user}@example.com"), (user * 7 % USERS).to_string())).collect();
    let time = Timestamp::EPOCH;
    let mut next = 0;
    bencher
        .counter(ItemsCount::new(BURST))
        .with_inputs(|| {
            thread::sleep(Duration::from_millis(5));
            next = (next + 7919) % (USERS - BURST);
            next
        })
        .bench_local_values(|from| {
            for (user, document) in &names[from..from + BURST] {
                let request = Request {
                    subject: Entity { kind: "user", id: user },
                    subject_properties: &[],
                    action: "view",
                    action_properties: &[],
                    resource: Entity { kind: "document", id: document },
                    parent: None,
                    resource_properties: &[],
                    context: &[],
                };
                let verdict = authorize(&snapshot.index, &request, time).unwrap();
                if let Some(log) = &log
                    && log.wants(&verdict)
                {
                    let origin = Origin { door: Door::Batch, trace: None };
                    let request_id = "0123456789abcdef";
                    log.note(&Entry { snapshot: &snapshot, request: &request, verdict, time, request_id, origin });
                }
                black_box(verdict);
            }
        });
    if let Some(log) = log {
        let unwritten = log.finish(Duration::from_secs(10));
        assert_eq!((unwritten, log.counts().1), (0, 0), "drops would make it look cheap");
    }
}
