//! One reload: read, compare, build, check the sequence, swap. Whole or nothing; the last good snapshot stays.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    last_good::LastGood,
    load::{Builder, Failure, LoadError, Snapshot, build},
    memory::{ControlGroup, TooLittle},
    read::read,
    retire::Retired,
    store::Store,
};
use crate::{document::Source, index::Counts};

/// How long a build waits for retired snapshots to be let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of a reload.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A new snapshot is live.
    Applied(Arc<Applied>),
    /// The source holds what is live already.
    Unchanged,
    /// The source was refused.
    Rejected(Arc<Failure>),
    /// The first source was refused, and the copy of the last good snapshot is live instead.
    Restored(Arc<Applied>, Arc<Failure>),
}

/// A snapshot that went live, as the log and the metrics tell of it. Not the snapshot itself: news that somebody keeps
/// must not keep a replaced snapshot alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The declared sequence; 0 for none.
    pub sequence: u64,
    /// The swap's number.
    pub generation: u64,
    /// BLAKE3 of the compiled index.
    pub digest: String,
    /// When it was built.
    pub loaded_at: SystemTime,
    /// How much it holds.
    pub counts: Counts,
    /// Findings that did not stop it.
    pub warnings: Vec<String>,
}

/// Reloads one source into one store; lives on the build thread.
pub(super) struct Reloader {
    source: PathBuf,
    max_bytes: u64,
    builder: Builder,
    store: Arc<Store>,
    retired: Retired,
    memory: ControlGroup,
    last_good: LastGood,
    /// The bytes that were tried last and what came of them: equal bytes are not built twice.
    tried: Option<blake3::Hash>,
    /// The highest sequence that was live, with its content.
    mark: Option<(u64, String)>,
    /// The last attempt failed for something else than the bytes.
    unsettled: bool,
}

impl Reloader {
    pub(super) fn new(
        source: PathBuf,
        max_bytes: u64,
        builder: Builder,
        store: Arc<Store>,
        last_good: LastGood,
    ) -> Self {
        Self {
            last_good,
            source,
            max_bytes,
            builder,
            store,
            retired: Retired::default(),
            memory: ControlGroup::default(),
            tried: None,
            mark: None,
            unsettled: false,
        }
    }

    /// Whether another attempt at the same source may end otherwise: descriptors or a disk that were missing come back
    /// without a change that would show.
    pub(super) fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// Frees what can be freed; whether anything still waits.
    pub(super) fn sweep(&mut self) -> bool {
        self.retired.sweep();
        !self.retired.is_empty()
    }

    /// Reads the source and applies it if it is new and right. `None` when the same bytes were tried before and
    /// nothing is to be said; `force` builds them again.
    pub(super) fn reload(&mut self, force: bool) -> Option<Outcome> {
        let attempt = self.attempt(force);
        self.unsettled = matches!(attempt, Err(LoadError::Read(_) | LoadError::Crowded));
        match attempt {
            Ok(outcome) => {
                if matches!(outcome, Some(Outcome::Unchanged)) {
                    self.store.confirm();
                }
                outcome
            }
            Err(error) => {
                let failure = Arc::new(Failure::new(&error, SystemTime::now()));
                // A source that stays unreadable is tried again often, and said once.
                let again = matches!(error, LoadError::Read(_) | LoadError::NoMemory { .. } | LoadError::Crowded)
                    && self.store.status().failure.is_some_and(|earlier| earlier.rendered == failure.rendered);
                let restored = self.restore();
                self.store.refuse(Arc::clone(&failure));
                if let Some(applied) = restored {
                    return Some(Outcome::Restored(applied, failure));
                }
                (force || !again).then_some(Outcome::Rejected(failure))
            }
        }
    }

    /// Serves the copy of the last good snapshot, where nothing is live.
    fn restore(&mut self) -> Option<Arc<Applied>> {
        if self.store.status().generation > 0 {
            return None;
        }
        let snapshot = self.last_good.open()?;
        Some(self.publish(snapshot))
    }

    fn attempt(&mut self, force: bool) -> Result<Option<Outcome>, LoadError> {
        let sources = match read(&self.source, self.max_bytes) {
            Ok(sources) => sources,
            Err(error) => {
                // What comes back afterwards is looked at anew, even if it is what was there before.
                self.tried = None;
                return Err(error.into());
            }
        };
        let hash = hash_sources(&sources);
        if !force && self.tried == Some(hash) {
            return Ok(None);
        }
        if !self.retired.make_room(PATIENCE) {
            self.tried = None;
            return Err(LoadError::Crowded);
        }
        // Tried again when there is more: the limit, or what others take of it, may change.
        if let Err(TooLittle { needed, left }) = self.memory.check(&sources) {
            self.tried = None;
            return Err(LoadError::NoMemory { needed, left });
        }
        self.tried = Some(hash);
        let snapshot = build(sources, &self.source, &self.builder)?;
        self.check_sequence(&snapshot)?;
        let same = self
            .store
            .read(|live| live.is_some_and(|live| live.digest == snapshot.digest && live.sequence == snapshot.sequence));
        Ok(Some(if same { Outcome::Unchanged } else { Outcome::Applied(self.apply(snapshot)) }))
    }

    /// A source that declares a sequence must raise it. One that declares none is not ordered.
    fn check_sequence(&self, snapshot: &Snapshot) -> Result<(), LoadError> {
        let declared = snapshot.sequence;
        match &self.mark {
            Some((live, _)) if declared != 0 && declared < *live => {
                Err(LoadError::OldSequence { declared, live: *live })
            }
            Some((live, digest)) if declared == *live && snapshot.digest != *digest => {
                Err(LoadError::SameSequence { declared })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn apply(&mut self, snapshot: Snapshot) -> Arc<Applied> {
        self.last_good.keep(&snapshot);
        self.publish(snapshot)
    }

    fn publish(&mut self, mut snapshot: Snapshot) -> Arc<Applied> {
        snapshot.generation = self.store.status().generation.saturating_add(1);
        if snapshot.sequence != 0 {
            self.mark = Some((snapshot.sequence, snapshot.digest.clone()));
        }
        let applied = Applied {
            sequence: snapshot.sequence,
            generation: snapshot.generation,
            digest: snapshot.digest.clone(),
            loaded_at: snapshot.loaded_at,
            counts: snapshot.counts,
            warnings: snapshot.warnings.clone(),
        };
        if let Some(old) = self.store.publish(Arc::new(snapshot)) {
            self.retired.push(old);
        }
        Arc::new(applied)
    }
}

/// Names count too: a rule's place is part of what its author is told.
fn hash_sources(sources: &[Source]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for Source { name, bytes } in sources {
        for part in [name.as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::{super::testing, ControlGroup, LastGood, Outcome, Reloader, Store};

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
        assert!(bench.reloader.reload(false).is_none(), "said once");
        fs::write(bench.directory.path().join("memory.max"), "max").unwrap();
        assert!(matches!(bench.reloader.reload(false), Some(Outcome::Applied(_))), "without a change of the source");
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
}
