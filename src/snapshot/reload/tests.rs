//! What becomes live and what does not, one reload at a time.

use std::{fs, sync::Arc};

use super::{super::testing, ControlGroup, Duration, LastGood, Outcome, Reloader, Store, SystemTime};
use crate::model::Timestamp;

struct Bench {
    directory: tempfile::TempDir,
    store: Arc<Store>,
    reloader: Reloader,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::default());
        let path = directory.path().join("policy.yaml");
        let reloader = Reloader::new(path, 1 << 20, testing::builder(), Arc::clone(&store), LastGood::default());
        Self { directory, store, reloader }
    }

    fn write(&mut self, text: &str) -> Option<Outcome> {
        fs::write(self.directory.path().join("policy.yaml"), text).unwrap();
        self.reloader.reload(false)
    }

    fn live(&self) -> (u64, u64) {
        self.store.read(|live| live.map_or((0, 0), |live| (live.generation, live.sequence)))
    }
}

#[test]
fn a_bad_source_leaves_the_last_good_one() {
    let mut bench = Bench::new();
    assert!(matches!(bench.reloader.reload(false), Some(Outcome::Rejected(_))), "nothing there yet");
    assert!(bench.reloader.reload(false).is_none(), "said once");
    assert!(matches!(bench.write("a"), Some(Outcome::Applied(_))));
    assert!(bench.store.status().failure.is_none());
    for bad in ["", "bad", "panic"] {
        assert!(matches!(bench.write(bad), Some(Outcome::Rejected(_))), "{bad}");
        assert_eq!(bench.live(), (1, 0));
        assert!(bench.store.status().failure.is_some());
        assert!(bench.reloader.reload(false).is_none(), "equal bytes are not built twice");
    }
    assert!(matches!(bench.write("a"), Some(Outcome::Unchanged)), "mended");
    assert!(bench.store.status().failure.is_none());
}

#[test]
fn a_restart_serves_the_last_good_copy_until_the_source_is_good() {
    let mut first = Bench::new();
    let (source, state) = (first.directory.path().join("policy.yaml"), tempfile::tempdir().unwrap());
    first.reloader.last_good = LastGood::new(Some(state.path()), &source);
    assert!(matches!(first.write("a 5"), Some(Outcome::Applied(_))));
    assert!(matches!(first.write("bad"), Some(Outcome::Rejected(_))));
    let again = |last_good| {
        let store = Arc::new(Store::default());
        (Reloader::new(source.clone(), 1 << 20, testing::builder(), Arc::clone(&store), last_good), store)
    };
    let (mut second, store) = again(LastGood::new(Some(state.path()), &source));
    assert!(matches!(second.reload(false), Some(Outcome::Restored(..))));
    assert!(store.status().failure.is_some() && store.read(|live| live.is_some_and(|live| live.sequence == 5)));
    fs::write(&source, "b 4").unwrap();
    assert!(matches!(second.reload(false), Some(Outcome::Rejected(_))), "the copy's sequence counts");
    fs::write(&source, "b 6").unwrap();
    assert!(matches!(second.reload(false), Some(Outcome::Applied(_))));
    fs::write(&source, "bad").unwrap();
    let (mut other, _store) = again(LastGood::new(Some(state.path()), &source.join("other")));
    assert!(matches!(other.reload(false), Some(Outcome::Rejected(_))), "another source's copy is not ours");
    for entry in fs::read_dir(state.path()).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    let (mut third, store) = again(LastGood::new(Some(state.path()), &source));
    assert!(matches!(third.reload(false), Some(Outcome::Rejected(_))));
    assert!(store.read(|live| live.is_none()));
}

#[test]
fn a_build_that_may_not_fit_is_refused_until_it_may() {
    let mut bench = Bench::new();
    assert!(matches!(bench.write("a"), Some(Outcome::Applied(_))));
    fs::write(bench.directory.path().join("memory.max"), "110").unwrap();
    fs::write(bench.directory.path().join("memory.current"), "100").unwrap();
    fs::write(bench.directory.path().join("membership"), "0::/").unwrap();
    let mount = bench.directory.path().to_owned();
    bench.reloader.memory = ControlGroup { membership: mount.join("membership"), mount };
    let Some(Outcome::Rejected(failure)) = bench.write("b") else { panic!("must be refused") };
    assert!(failure.summary.contains("20 bytes") && failure.summary.contains("leaves 10"), "{}", failure.summary);
    assert_eq!(bench.live(), (1, 0));
    assert!(!bench.reloader.is_settled(), "to be tried again");
    assert!(bench.reloader.reload(false).is_none(), "said once");
    let Some(Outcome::Rejected(failure)) = bench.write("b\n# and a long remark") else { panic!("must be refused") };
    assert!(failure.summary.contains("may take 21 bytes"), "not even read: {}", failure.summary);
    fs::write(bench.directory.path().join("memory.max"), "max").unwrap();
    assert!(matches!(bench.reloader.reload(false), Some(Outcome::Applied(_))), "without a change of the source");
    assert!(bench.reloader.is_settled());
}

#[test]
fn a_declared_sequence_only_rises() {
    let mut bench = Bench::new();
    assert!(matches!(bench.write("a 5"), Some(Outcome::Applied(_))));
    assert!(matches!(bench.write("b 4"), Some(Outcome::Rejected(_))));
    assert!(matches!(bench.write("b 5"), Some(Outcome::Rejected(_))));
    assert!(matches!(bench.write("a 5"), Some(Outcome::Unchanged)));
    assert!(matches!(bench.write("a 6"), Some(Outcome::Applied(_))), "a higher sequence is news by itself");
    assert!(matches!(bench.write("b 7"), Some(Outcome::Applied(_))));
    assert_eq!(bench.live(), (3, 7));
    assert!(matches!(bench.write("c"), Some(Outcome::Applied(_))), "without one, order is not checked");
    assert!(matches!(bench.write("d 6"), Some(Outcome::Rejected(_))), "what was live before still counts");
}

#[test]
fn equal_content_is_not_swapped() {
    let mut bench = Bench::new();
    assert!(matches!(bench.write("a"), Some(Outcome::Applied(_))));
    assert!(bench.write("a").is_none());
    assert!(matches!(bench.write("a\n# remark"), Some(Outcome::Unchanged)));
    assert!(matches!(bench.reloader.reload(true), Some(Outcome::Unchanged)), "forced");
    assert_eq!(bench.live(), (1, 0));
}

#[test]
fn what_nobody_issued_is_fresh_as_long_as_the_source_holds_it() {
    let mut bench = Bench::new();
    bench.reloader.max_age = Some(Duration::from_secs(60));
    let until = |bench: &Bench| bench.store.read(|live| live.unwrap().fresh.until());
    assert!(matches!(bench.write("a"), Some(Outcome::Applied(_))));
    let first = until(&bench).unwrap();
    bench.reloader.looked();
    let second = until(&bench).unwrap();
    assert!(second > first && bench.store.confirmed_at() == bench.store.checked_at());
    assert!(matches!(bench.write("bad"), Some(Outcome::Rejected(_))));
    bench.reloader.looked();
    assert!(bench.reloader.reload(false).is_none(), "tried already");
    assert_eq!(until(&bench), Some(second), "the source holds something else");
    assert!(bench.store.confirmed_at() < bench.store.checked_at());
    assert!(matches!(bench.write("a"), Some(Outcome::Unchanged)));
    assert!(until(&bench).unwrap() > second);
}

#[test]
fn a_publishers_word_goes_before_the_configuration() {
    let mut bench = Bench::new();
    bench.reloader.max_age = Some(Duration::from_secs(60));
    let issued = Timestamp::NEW_YEAR_2026;
    let ends = |issued_at, max_age| {
        let mut snapshot = testing::snapshot("a");
        (snapshot.issued_at, snapshot.max_age) = (issued_at, max_age);
        bench.reloader.extend(&snapshot, SystemTime::UNIX_EPOCH);
        snapshot.fresh.until().map(Timestamp::seconds)
    };
    assert_eq!(ends(Some(issued), Some(Duration::from_secs(5))), Some(issued.seconds() + 5));
    assert_eq!(ends(Some(issued), None), Some(issued.seconds() + 60));
    assert_eq!(ends(None, Some(Duration::from_secs(5))), Some(5));
    assert_eq!(ends(None, None), Some(60));
}

#[test]
fn a_failure_that_stays_is_one_piece_of_news() {
    let mut bench = Bench::new();
    let mut news = bench.store.subscribe();
    assert!(matches!(bench.reloader.reload(false), Some(Outcome::Rejected(_))), "there is no source");
    assert!(news.has_changed().unwrap());
    news.mark_unchanged();
    assert!(bench.reloader.reload(false).is_none());
    assert!(!news.has_changed().unwrap());
}
