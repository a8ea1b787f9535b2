//! One reload: read, compare, build, check the sequence, swap. Whole or nothing; the last good snapshot stays.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    freshness::{Freshness, moment},
    last_good::LastGood,
    load::{Builder, Failure, LoadError, Snapshot, build},
    memory::{ControlGroup, TooLittle},
    pace::Pace,
    read::{ReadError, read_in_steps},
    retire::Retired,
    store::Store,
};
use crate::{
    document::Source,
    index::{Counts, STEP_BYTES},
};

/// How long a build waits for retired snapshots to be let go.
const PATIENCE: Duration = Duration::from_secs(5);
/// From so many bytes of source on, a build is large: it never stands beside a retired snapshot if that can be helped.
/// A smaller one need not wait out the grace of the one before it.
const LARGE: usize = 4 * 1024 * 1024;

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
    /// How long that took.
    pub took: Duration,
    /// The bytes of its index.
    pub bytes: usize,
    /// Until when it may be relied on.
    pub fresh: Arc<Freshness>,
    /// Sequence and digest of the one that it replaced.
    pub replaced: Option<(u64, String)>,
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
    /// How long a snapshot is fresh whose publisher does not say.
    max_age: Option<Duration>,
    /// The bytes that were tried last and what came of them: equal bytes are not built twice.
    tried: Option<blake3::Hash>,
    /// Whether the source changed between the look at it and the end of reading it.
    disturbed: bool,
    /// The highest sequence that was live, with its content.
    mark: Option<(u64, String)>,
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
            max_age: None,
            source,
            max_bytes,
            builder,
            store,
            retired: Retired::default(),
            memory: ControlGroup::default(),
            tried: None,
            disturbed: false,
            mark: None,
        }
    }

    /// The same with an age for snapshots whose publisher gives none.
    pub(super) fn with_max_age(self, max_age: Option<Duration>) -> Self {
        Self { max_age, ..self }
    }

    /// Whether anything is live.
    pub(super) fn has_live(&self) -> bool {
        self.store.status().generation > 0
    }

    /// Notes that the source was looked at and is as it was.
    pub(super) fn looked(&self) {
        let now = SystemTime::now();
        let status = self.store.status();
        let holds_live = status.generation > 0 && status.failure.is_none();
        self.store.checked(now, holds_live);
        if holds_live {
            self.store.read(|live| live.map(|live| self.extend(live, now)));
        }
    }

    /// Moves the end of what nobody issued: as long as the source holds it, it is as good as new.
    fn extend(&self, snapshot: &Snapshot, confirmed: SystemTime) {
        if let Some(age) = snapshot.max_age.or(self.max_age) {
            snapshot.fresh.end_at(snapshot.issued_at.unwrap_or_else(|| moment(confirmed)), age);
        }
    }

    /// Frees what can be freed; whether anything still waits.
    pub(super) fn sweep(&mut self) -> bool {
        self.retired.sweep();
        !self.retired.is_empty()
    }

    /// Whether the source's bytes were tried, whatever came of them; if not, the same bytes may fare better later.
    pub(super) fn is_settled(&self) -> bool {
        self.tried.is_some()
    }

    /// Whether the last attempt read what was being changed, and so tried nothing.
    pub(super) fn was_disturbed(&self) -> bool {
        self.disturbed
    }

    /// The same as [`Self::reload_if`] where nobody else changes the source.
    #[cfg(test)]
    pub(super) fn reload(&mut self, force: bool) -> Option<Outcome> {
        self.reload_if(force, &|| true)
    }

    /// Reads the source and applies it if it is new and right, and `still` what it was when it was found whole. `None`
    /// when the same bytes were tried before and nothing is to be said; `force` builds them again.
    pub(super) fn reload_if(&mut self, force: bool, still: &dyn Fn() -> bool) -> Option<Outcome> {
        let begun = Instant::now();
        self.disturbed = false;
        match self.attempt(force, still) {
            Ok(None) if self.disturbed => None,
            Ok(outcome) => {
                if matches!(outcome, Some(Outcome::Unchanged)) {
                    self.store.confirm();
                }
                self.looked();
                outcome
            }
            Err(error) => {
                let now = SystemTime::now();
                self.store.checked(now, false);
                let failure = Arc::new(Failure::new(&error, now, begun.elapsed()));
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
        let (snapshot, kept_at) = self.last_good.open()?;
        self.extend(&snapshot, kept_at);
        Some(self.publish(snapshot))
    }

    fn attempt(&mut self, force: bool, still: &dyn Fn() -> bool) -> Result<Option<Outcome>, LoadError> {
        let mut pace = Pace::new(self.has_live());
        let pause = &mut || pace.step();
        let sources = match self.read(pause) {
            Ok(sources) => sources,
            Err(error) => {
                // What comes back afterwards is looked at anew, even if it is what was there before.
                self.tried = None;
                return Err(error);
            }
        };
        // Whoever began to write after the look may have written the first half of it by now.
        if !still() {
            self.disturbed = true;
            return Ok(None);
        }
        let hash = hash_sources(&sources, pause);
        if !force && self.tried == Some(hash) {
            return Ok(None);
        }
        let is_large = sources.iter().map(|source| source.bytes.len()).sum::<usize>() >= LARGE;
        if !self.retired.make_room(is_large, PATIENCE) {
            self.tried = None;
            return Err(LoadError::Crowded);
        }
        // Tried again when there is more: the limit, or what others take of it, may change.
        if let Err(TooLittle { needed, left }) = self.memory.check(&sources) {
            self.tried = None;
            return Err(LoadError::NoMemory { needed, left });
        }
        self.tried = Some(hash);
        let snapshot = build(sources, &self.source, &self.builder, pause)?;
        self.check_sequence(&snapshot)?;
        let same = self
            .store
            .read(|live| live.is_some_and(|live| live.digest == snapshot.digest && live.sequence == snapshot.sequence));
        Ok(Some(if same { Outcome::Unchanged } else { Outcome::Applied(self.apply(snapshot, pause)) }))
    }

    /// What does not fit into memory as it is is not read: that alone could end the process.
    fn read(&self, pause: &mut dyn FnMut()) -> Result<Vec<Source>, LoadError> {
        let left = self.memory.left().unwrap_or(u64::MAX);
        match read_in_steps(&self.source, self.max_bytes.min(left), pause) {
            Err(ReadError::TooLarge { bytes, .. }) if bytes <= self.max_bytes => {
                Err(LoadError::NoMemory { needed: bytes, left })
            }
            read => Ok(read?),
        }
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

    fn apply(&mut self, snapshot: Snapshot, pause: &mut dyn FnMut()) -> Arc<Applied> {
        self.last_good.keep(&snapshot, pause);
        let now = SystemTime::now();
        self.extend(&snapshot, now);
        // Before it is live: whoever is told that it is may ask at once when that was seen.
        self.store.checked(now, true);
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
            took: snapshot.took,
            bytes: snapshot.index.bytes().len(),
            fresh: Arc::clone(&snapshot.fresh),
            replaced: self.store.read(|live| live.map(|live| (live.sequence, live.digest.clone()))),
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
fn hash_sources(sources: &[Source], pause: &mut dyn FnMut()) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for Source { name, bytes } in sources {
        for part in [name.as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            for step in part.chunks(STEP_BYTES) {
                hasher.update(step);
                pause();
            }
        }
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests;
