//! The log as a whole: what is written, what is dropped, and that each is counted.

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
use serde_json::Value as Json;

use super::{
    DecisionLog, Destination, Mode, Settings, Shared,
    output::Output,
    record::Record,
    testing::{ASKED, entry, settings, snapshot},
    writer::Writer,
};
use crate::{
    model::{Decision, Reason, Verdict},
    observe::metrics::LogCounters,
};

const LIMIT: Duration = Duration::from_secs(30);

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
fn each_mode_wants_its_decisions() {
    let allow = Verdict { decision: Decision::Allow, ..Verdict::deny(Reason::Granted) };
    let deny = Verdict::deny(Reason::NoGrant);
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

#[test]
fn under_a_crowd_each_decision_is_written_or_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let settings = Settings { destination: Destination::File(path.clone()), ..settings(Mode::All) };
    let log = DecisionLog::spawn(settings, LogCounters::default(), || ()).unwrap().unwrap();
    let snapshot = snapshot();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5_000).for_each(|_| log.note(&entry(&snapshot, &ASKED, "x"))));
        }
    });
    assert_eq!(log.finish(LIMIT), 0);
    let (written, dropped) = log.counts();
    let lines = read(&path);
    assert_eq!((written + dropped, lines.len() as u64), (20_000, written));
    assert!(lines.iter().filter_map(|line| line["dropped"].as_u64()).sum::<u64>() <= dropped);
}
