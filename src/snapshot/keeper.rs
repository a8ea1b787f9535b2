//! The build thread: waits for a change, reloads, frees what was replaced. One build at a time, the newest wins.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    chain::{Chain, Fingerprint},
    load::Builder,
    reload::{Outcome, Reloader},
    store::Store,
    watch::{Alarm, Watcher},
};

/// A burst of events is waited out at most this many debounce times.
const MOST_DEBOUNCES: u32 = 3;
/// How soon a blind keeper polls: no watch tells it anything.
const BLIND_POLL: Duration = Duration::from_millis(500);
/// How soon retired snapshots are looked at again.
const SWEEP: Duration = Duration::from_millis(50);
const NICENESS: i32 = 10;

/// What a keeper keeps, and how.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// The file or directory.
    pub source: PathBuf,
    /// The largest source in bytes.
    pub max_bytes: u64,
    /// How long to wait for a burst of events to end.
    pub debounce: Duration,
    /// How often to `stat` the source in case an event was missed.
    pub poll: Duration,
    /// How often to read it all again in case even that shows nothing.
    pub reread: Duration,
    /// Whether to ask the kernel for events; without, polling alone.
    pub events: bool,
}

impl KeeperOptions {
    /// The usual times for a source.
    pub fn new(source: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            max_bytes: super::MAX_SOURCE_BYTES,
            debounce: Duration::from_millis(30),
            poll: Duration::from_secs(2),
            reread: Duration::from_secs(60),
            events: true,
        }
    }
}

/// Called on the build thread after every reload that has something to say.
pub type OnOutcome = Box<dyn Fn(&Outcome) + Send>;

/// Starts build threads.
#[derive(Debug)]
pub struct Keeper;

enum Wake {
    Changed,
    Reload(Option<Sender<Outcome>>),
    Stop,
}

/// Talks to a build thread; dropping it stops the thread.
#[derive(Debug)]
pub struct KeeperHandle {
    wake: Sender<Wake>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the build thread. Its first act is to load the source.
    ///
    /// # Errors
    /// No thread, or no current directory to make a relative path absolute.
    pub fn spawn(
        options: KeeperOptions,
        store: Arc<Store>,
        builder: Builder,
        on_outcome: OnOutcome,
    ) -> io::Result<KeeperHandle> {
        let source = std::path::absolute(&options.source)?;
        let (wake, woken) = mpsc::channel();
        let alarm = Alarm::new({
            let wake = wake.clone();
            // A send fails only when the thread has ended: nobody is left to tell.
            move || drop(wake.send(Wake::Changed))
        });
        let watcher = Watcher::new(alarm.clone(), options.events);
        let reloader = Reloader::new(options.source.clone(), options.max_bytes, builder, store);
        let worker = Worker { source, options, woken, alarm, watcher, reloader, on_outcome };
        let thread = thread::Builder::new().name("sidegate-build".to_owned()).spawn(move || worker.run())?;
        Ok(KeeperHandle { wake, thread })
    }
}

impl KeeperHandle {
    /// Asks for a reload of whatever the source holds, without waiting for it.
    pub fn reload(&self) {
        drop(self.wake.send(Wake::Reload(None)));
    }

    /// Asks for a reload; the outcome arrives on the receiver.
    pub fn reload_and_tell(&self) -> Receiver<Outcome> {
        let (tell, told) = mpsc::channel();
        drop(self.wake.send(Wake::Reload(Some(tell))));
        told
    }

    /// Whether the thread runs no more though nobody stopped it.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for KeeperHandle {
    fn drop(&mut self) {
        // Not joined: a large build in progress must not hold up the end of the process.
        drop(self.wake.send(Wake::Stop));
    }
}

struct Worker {
    source: PathBuf,
    options: KeeperOptions,
    woken: Receiver<Wake>,
    alarm: Alarm,
    watcher: Watcher,
    reloader: Reloader,
    on_outcome: OnOutcome,
}

impl Worker {
    fn run(mut self) {
        // Who answers requests goes before who builds. In Linux niceness is a thread's own.
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "the build thread runs at normal priority");
        }
        let mut seen = self.look_and_reload(false, None);
        let mut polled = Instant::now();
        let mut read = Instant::now();
        let mut waiting = self.reloader.sweep();
        loop {
            let poll = if self.watcher.is_blind() { self.options.poll.min(BLIND_POLL) } else { self.options.poll };
            let rest = poll.saturating_sub(polled.elapsed());
            let force = match self.woken.recv_timeout(if waiting { rest.min(SWEEP) } else { rest }) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Wake::Reload(tell)) => Some(tell),
                Ok(Wake::Changed) => {
                    let (stop, tell) = self.settle();
                    if stop {
                        return;
                    }
                    tell
                }
                Err(RecvTimeoutError::Timeout) => {
                    waiting = self.reloader.sweep();
                    if polled.elapsed() < poll {
                        continue;
                    }
                    None
                }
            };
            let due = read.elapsed() >= self.options.reread;
            if force.is_some() || due || self.fingerprint() != seen {
                seen = self.look_and_reload(force.is_some(), force.flatten());
                read = Instant::now();
            }
            polled = Instant::now();
            waiting = self.reloader.sweep();
        }
    }

    /// Waits out a burst. Whether to stop, and the forced reload that came meanwhile.
    fn settle(&self) -> (bool, Option<Option<Sender<Outcome>>>) {
        let end = Instant::now() + self.options.debounce * MOST_DEBOUNCES;
        loop {
            self.alarm.reset();
            let rest = self.options.debounce.min(end.saturating_duration_since(Instant::now()));
            match self.woken.recv_timeout(rest) {
                Ok(Wake::Changed) if !rest.is_zero() => {}
                Ok(Wake::Changed) | Err(RecvTimeoutError::Timeout) => return (false, None),
                Ok(Wake::Reload(tell)) => return (false, Some(tell)),
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return (true, None),
            }
        }
    }

    fn fingerprint(&mut self) -> Fingerprint {
        self.alarm.reset();
        let chain = Chain::resolve(&self.source);
        self.watcher.arm(&chain);
        chain.fingerprint()
    }

    /// The fingerprint is taken before the bytes are read: what changes in between shows at the next look.
    fn look_and_reload(&mut self, force: bool, tell: Option<Sender<Outcome>>) -> Fingerprint {
        let fingerprint = self.fingerprint();
        if let Some(outcome) = self.reloader.reload(force) {
            (self.on_outcome)(&outcome);
            if let Some(tell) = tell {
                drop(tell.send(outcome));
            }
        }
        fingerprint
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::Path,
        sync::{
            Arc, Mutex,
            mpsc::{self, Receiver},
        },
        thread,
        time::{Duration, Instant},
    };

    use super::{
        super::{Outcome, Store, testing},
        Keeper, KeeperHandle, KeeperOptions,
    };

    /// Longer than any honest wait; the usual one is a few milliseconds.
    const LIMIT: Duration = Duration::from_secs(20);

    struct Kept {
        store: Arc<Store>,
        keeper: KeeperHandle,
        outcomes: Mutex<Receiver<Outcome>>,
    }

    /// Keeps a source by events alone: the floors are too far off to help.
    fn by_events(source: &Path) -> Kept {
        let far = Duration::from_secs(600);
        keep(KeeperOptions { poll: far, reread: far, ..KeeperOptions::new(source) })
    }

    fn keep(options: KeeperOptions) -> Kept {
        let store = Arc::new(Store::default());
        let (tell, outcomes) = mpsc::channel();
        let on_outcome = Box::new(move |outcome: &Outcome| drop(tell.send(outcome.clone())));
        let keeper = Keeper::spawn(options, Arc::clone(&store), testing::builder(), on_outcome).unwrap();
        Kept { store, keeper, outcomes: Mutex::new(outcomes) }
    }

    impl Kept {
        fn wait_for(&self, marker: &str) {
            let wanted = blake3::Hash::from_bytes(testing::index(marker).digest()).to_hex().to_string();
            let begun = Instant::now();
            while self.store.read(|live| live.is_none_or(|live| live.digest != wanted)) {
                assert!(begun.elapsed() < LIMIT, "`{marker}` never went live");
                thread::sleep(Duration::from_millis(1));
            }
        }

        fn generation(&self) -> u64 {
            self.store.status().generation
        }

        fn next_outcome(&self) -> Outcome {
            self.outcomes.lock().unwrap().recv_timeout(LIMIT).unwrap()
        }
    }

    /// What a kubelet does: a new directory, then one rename of the link to it.
    fn swap(volume: &Path, version: &str, text: &str) {
        let old = fs::read_link(volume.join("..data")).ok();
        fs::create_dir(volume.join(version)).unwrap();
        fs::write(volume.join(version).join("policy.yaml"), text).unwrap();
        symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
        if let Some(old) = old {
            fs::remove_dir_all(volume.join(old)).unwrap();
        }
    }

    fn volume() -> tempfile::TempDir {
        let volume = tempfile::tempdir().unwrap();
        swap(volume.path(), "..v0", "v0");
        symlink("..data/policy.yaml", volume.path().join("policy.yaml")).unwrap();
        volume
    }

    #[test]
    fn sees_every_swap_of_a_volume_by_directory_and_by_file() {
        for file in [false, true] {
            let volume = volume();
            let source = if file { volume.path().join("policy.yaml") } else { volume.path().to_owned() };
            let kept = by_events(&source);
            kept.wait_for("v0");
            for number in 1..=5 {
                swap(volume.path(), &format!("..v{number}"), &format!("v{number}"));
                kept.wait_for(&format!("v{number}"));
            }
        }
    }

    #[test]
    fn sees_every_way_of_writing_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.yaml");
        fs::write(&path, "first").unwrap();
        let kept = by_events(&path);
        kept.wait_for("first");
        for round in 0..3 {
            fs::write(&path, format!("inplace{round}")).unwrap();
            kept.wait_for(&format!("inplace{round}"));
            fs::write(directory.path().join("new"), format!("renamed{round}")).unwrap();
            fs::rename(directory.path().join("new"), &path).unwrap();
            kept.wait_for(&format!("renamed{round}"));
            fs::remove_file(&path).unwrap();
            fs::write(&path, format!("created{round}")).unwrap();
            kept.wait_for(&format!("created{round}"));
        }
    }

    #[test]
    fn sees_a_link_retargeted_across_directories_and_a_directory_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["a", "b"] {
            fs::create_dir(root.join(name)).unwrap();
            fs::write(root.join(name).join("policy.yaml"), name).unwrap();
        }
        symlink("a", root.join("current")).unwrap();
        let kept = by_events(&root.join("current/policy.yaml"));
        kept.wait_for("a");
        symlink("b", root.join("next")).unwrap();
        fs::rename(root.join("next"), root.join("current")).unwrap();
        kept.wait_for("b");
        fs::write(root.join("b/policy.yaml"), "b2").unwrap();
        kept.wait_for("b2");
        fs::remove_dir_all(root.join("b")).unwrap();
        fs::create_dir(root.join("b")).unwrap();
        fs::write(root.join("b/policy.yaml"), "b3").unwrap();
        kept.wait_for("b3");
    }

    #[test]
    fn finds_changes_by_polling_alone() {
        let volume = volume();
        let poll = Duration::from_millis(20);
        let kept = keep(KeeperOptions { events: false, poll, ..KeeperOptions::new(volume.path()) });
        kept.wait_for("v0");
        swap(volume.path(), "..v1", "v1");
        kept.wait_for("v1");
        fs::write(volume.path().join("..v1/policy.yaml"), "v2").unwrap();
        kept.wait_for("v2");
    }

    #[test]
    fn waits_for_a_source_that_is_not_there_and_outlives_a_bad_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("later/policy.yaml");
        let kept = by_events(&path);
        assert!(matches!(kept.next_outcome(), Outcome::Rejected(_)));
        assert!(kept.store.load_full().is_none());
        fs::create_dir(directory.path().join("later")).unwrap();
        fs::write(&path, "good").unwrap();
        kept.wait_for("good");
        fs::write(&path, "bad").unwrap();
        while !matches!(kept.next_outcome(), Outcome::Rejected(_)) {}
        kept.wait_for("good");
        fs::write(&path, "better").unwrap();
        kept.wait_for("better");
        assert!(kept.store.status().failure.is_none() && !kept.keeper.is_finished());
    }

    #[test]
    fn reading_does_not_make_it_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.yaml");
        fs::write(&path, "same").unwrap();
        let kept = by_events(&path);
        kept.wait_for("same");
        let forced = kept.keeper.reload_and_tell().recv_timeout(LIMIT).unwrap();
        assert!(matches!(forced, Outcome::Unchanged));
        assert_eq!(kept.generation(), 1);
        fs::write(&path, "other").unwrap();
        kept.wait_for("other");
        kept.keeper.reload();
        let outcomes: Vec<_> = (0..4).map(|_| kept.next_outcome()).collect();
        assert!(
            matches!(
                outcomes.as_slice(),
                [Outcome::Applied(_), Outcome::Unchanged, Outcome::Applied(_), Outcome::Unchanged]
            ),
            "{outcomes:?}"
        );
    }
}
