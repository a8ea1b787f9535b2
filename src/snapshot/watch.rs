//! Tells the build thread that something may have changed. It never says what: the reader looks at everything again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind};

use super::chain::Chain;
use super::writing::Writing;

/// Calls out at most once until [`Alarm::reset`]: a storm of events is one wake-up.
#[derive(Clone)]
pub(super) struct Alarm {
    raised: Arc<AtomicBool>,
    ring: Arc<dyn Fn() + Send + Sync>,
}

impl Alarm {
    pub(super) fn new(ring: impl Fn() + Send + Sync + 'static) -> Self {
        Self { raised: Arc::default(), ring: Arc::new(ring) }
    }

    fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            (self.ring)();
        }
    }

    /// To be called before the source is looked at, so that what changes meanwhile rings again.
    pub(super) fn reset(&self) {
        self.raised.store(false, Ordering::Release);
    }
}

/// What the watcher's own thread looks at.
#[derive(Default)]
struct Shared {
    chain: Mutex<Chain>,
    /// Watched directories that were removed or moved: their watches are void, also if one with the same inode takes
    /// their place.
    lost: Mutex<BTreeSet<PathBuf>>,
    /// Something may have been missed.
    missed: AtomicBool,
    /// Who is in the middle of writing.
    writing: Mutex<Writing>,
}

/// Watches the directories of a chain, as long as the kernel lets it.
pub(super) struct Watcher {
    alarm: Alarm,
    shared: Arc<Shared>,
    /// The first, for the first arming. It is made where no other thread is being started, which could take the place of
    /// the one that is tried for it.
    made: Option<notify::Result<Guarded>>,
    inner: Option<Guarded>,
    /// What is watched, with the device and inode it had: a directory that was made anew needs a new watch.
    armed: BTreeMap<PathBuf, (u64, u64)>,
    /// Directories that were lost and may come again; what is written to them before they are watched is not seen.
    gone: BTreeSet<PathBuf>,
    /// Whether somebody may have begun to write before it could be seen.
    unsure: bool,
    enabled: bool,
    complained: bool,
}

impl Watcher {
    /// With `enabled` false it never watches, and says so: polling alone.
    pub(super) fn new(alarm: Alarm, enabled: bool) -> Self {
        let shared = Arc::default();
        let made = enabled.then(|| new_watcher(alarm.clone(), Arc::clone(&shared)));
        Self {
            alarm,
            shared,
            made,
            inner: None,
            armed: BTreeMap::new(),
            gone: BTreeSet::new(),
            unsure: true,
            enabled,
            complained: false,
        }
    }

    /// How long to wait for somebody who is in the middle of writing to what would be read.
    pub(super) fn is_written_for(&self) -> Option<Duration> {
        locked(&self.shared.writing).rest(Instant::now())
    }

    /// Whether somebody may have begun to write unseen since this was asked last: before the watch began, or in a
    /// directory that was made anew, or while events were lost.
    pub(super) fn take_doubt(&mut self) -> bool {
        self.shared.missed.swap(false, Ordering::AcqRel) | std::mem::take(&mut self.unsure)
    }

    /// Whether changes have to be found by polling alone.
    pub(super) fn is_blind(&self) -> bool {
        self.inner.is_none()
    }

    /// Watches what this chain needs and nothing else.
    pub(super) fn arm(&mut self, chain: &Chain) {
        if !self.enabled {
            return;
        }
        chain.clone_into(&mut locked(&self.shared.chain));
        let lost = std::mem::take(&mut *locked(&self.shared.lost));
        if !lost.is_empty() {
            self.inner = None;
            self.armed.clear();
            self.gone.extend(lost);
        }
        // What is not on the way any more need not be remembered: each swap of a volume leaves a directory behind.
        self.gone.retain(|directory| chain.concerns(directory));
        if let Err(error) = self.try_arm(chain) {
            self.inner = None;
            self.armed.clear();
            if !self.complained {
                tracing::warn!(%error, "cannot watch the source's directories; changes are found by polling alone");
            }
            self.complained = true;
        } else if self.complained {
            tracing::info!("watching the source's directories again");
            self.complained = false;
        }
    }

    fn try_arm(&mut self, chain: &Chain) -> notify::Result<()> {
        let wanted: BTreeMap<PathBuf, (u64, u64)> = chain
            .watched
            .iter()
            .filter_map(|directory| {
                let metadata = fs::metadata(directory).ok()?;
                Some((directory.clone(), (metadata.dev(), metadata.ino())))
            })
            .collect();
        if self.inner.is_some() && wanted == self.armed {
            return Ok(());
        }
        let watcher = match &mut self.inner {
            Some(watcher) => watcher,
            none => {
                let made = self.made.take();
                none.insert(made.unwrap_or_else(|| new_watcher(self.alarm.clone(), Arc::clone(&self.shared)))?)
            }
        };
        for (directory, identity) in &self.armed {
            if wanted.get(directory) != Some(identity) && watcher.call(|inner| inner.unwatch(directory)).is_err() {
                // The kernel has dropped it already, together with the directory.
                tracing::debug!(directory = %directory.display(), "was not watched any more");
            }
        }
        for (directory, identity) in &wanted {
            if self.armed.get(directory) != Some(identity) {
                self.unsure |= self.gone.remove(directory);
                match watcher.call(|inner| inner.watch(directory, RecursiveMode::NonRecursive)) {
                    Ok(()) => {}
                    // Gone between the look and the watch: the poll finds it.
                    Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.armed = wanted;
        Ok(())
    }
}

/// A watcher of notify, which takes for granted that its own thread runs: where none could start, or it has ended,
/// each call panics, and so does the end of it.
struct Guarded(Option<RecommendedWatcher>);

impl Guarded {
    fn call(&mut self, call: impl FnOnce(&mut RecommendedWatcher) -> notify::Result<()>) -> notify::Result<()> {
        let called = self.0.as_mut().and_then(|inner| catch_unwind(AssertUnwindSafe(|| call(inner))).ok());
        called.unwrap_or_else(|| Err(notify::Error::generic("the watcher's thread has ended")))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let inner = self.0.take();
        if catch_unwind(AssertUnwindSafe(|| drop(inner))).is_err() {
            tracing::debug!("the watcher's thread had ended before it");
        }
    }
}

fn new_watcher(alarm: Alarm, shared: Arc<Shared>) -> notify::Result<Guarded> {
    // Not told when its thread cannot start, we try one first.
    drop(thread::Builder::new().spawn(|| {}).map_err(notify::Error::io)?.join());
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.map_or(true, |event| matters(&event, &shared)) {
            alarm.raise();
        }
    });
    watcher.map(|inner| Guarded(Some(inner)))
}

/// Reading the source makes access events: heeding them would reload for ever. Of them only the end of a writing counts.
/// An event without a path, a rescan and an error all mean that something was missed.
fn matters(event: &Event, shared: &Shared) -> bool {
    let chain = locked(&shared.chain);
    let mut has_ended = false;
    for path in event.paths.iter().filter(|path| chain.is_read(path)) {
        has_ended |= locked(&shared.writing).note(path, event.kind, Instant::now());
    }
    if matches!(event.kind, EventKind::Access(_)) {
        return has_ended;
    }
    if event.need_rescan() || event.paths.is_empty() {
        shared.missed.store(true, Ordering::Release);
        return true;
    }
    if matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))) {
        let directories = event.paths.iter().filter(|path| chain.watched.contains(*path)).cloned();
        locked(&shared.lost).extend(directories);
    }
    event.paths.iter().any(|path| chain.concerns(path))
}

/// What was guarded is whole, whatever became of the thread that held it: every change is one step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
