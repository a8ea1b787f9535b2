//! Every way in which a source changes, found by events alone and by polling alone.

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
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
        let wanted = digest(marker);
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

fn digest(marker: &str) -> String {
    blake3::Hash::from_bytes(testing::index(marker).digest()).to_hex().to_string()
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
fn waits_for_a_slow_writer_also_without_events() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, "before").unwrap();
    let poll = Duration::from_millis(20);
    let kept = keep(KeeperOptions { events: false, poll, ..KeeperOptions::new(&path) });
    kept.wait_for("before");
    // Without events a writer that pauses for long has ended, and on a busy machine it may: then it is another one's turn.
    let is_told = (0..30).any(|turn| {
        let (before, mut longest, mut last) = (kept.generation(), Duration::ZERO, Instant::now());
        let mut file = fs::File::create(&path).unwrap();
        // Every prefix is a source by itself.
        for piece in ["w", "h", "o", "l", "e", &turn.to_string()] {
            file.write_all(piece.as_bytes()).unwrap();
            longest = longest.max(last.elapsed());
            last = Instant::now();
            thread::sleep(Duration::from_millis(60));
        }
        kept.wait_for(&format!("whole{turn}"));
        let is_quick = longest < super::worker::QUIET / 2;
        assert!(!is_quick || kept.generation() == before + 1, "a prefix was live");
        is_quick
    });
    assert!(is_told, "no writer was quick enough");
}

#[test]
fn what_is_replaced_is_freed_on_the_build_thread_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, "freed0").unwrap();
    let kept = by_events(&path);
    kept.wait_for("freed0");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            // Readers that hold what they were lent, so that theirs is often the last reference but one.
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let held = kept.store.load_full().unwrap();
                    thread::yield_now();
                    assert!(!held.digest.is_empty());
                }
            });
        }
        for number in 1..=8 {
            fs::write(directory.path().join("new"), format!("freed{number}")).unwrap();
            fs::rename(directory.path().join("new"), &path).unwrap();
            kept.wait_for(&format!("freed{number}"));
        }
        over.store(true, Ordering::Relaxed);
    });
    for number in 0..8 {
        let digest = digest(&format!("freed{number}"));
        let begun = Instant::now();
        while testing::freed(&digest).is_empty() {
            assert!(begun.elapsed() < LIMIT, "`freed{number}` is never freed");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(testing::freed(&digest), ["sidegate-build"], "`freed{number}`");
    }
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

#[test]
fn jitter_delays_what_nobody_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, "v1").unwrap();
    let late = keep(KeeperOptions { jitter: Duration::from_secs(3600), ..KeeperOptions::new(&path) });
    let prompt = keep(KeeperOptions::new(&path));
    late.wait_for("v1");
    prompt.wait_for("v1");
    fs::write(&path, "v2").unwrap();
    prompt.wait_for("v2");
    assert_eq!(late.generation(), 1, "it has an hour");
    let told = late.keeper.reload_and_tell().recv_timeout(LIMIT).unwrap();
    assert!(matches!(told, Outcome::Applied(_)), "{told:?}");
    late.wait_for("v2");
}

#[test]
fn a_random_part_is_not_always_the_same() {
    let most = Duration::from_secs(3600);
    let parts: Vec<Duration> = (0..8).map(|_| super::worker::random_part(most)).collect();
    assert!(parts.iter().all(|part| *part <= most) && parts.iter().any(|part| *part != parts[0]), "{parts:?}");
    assert_eq!(super::worker::random_part(Duration::ZERO), Duration::ZERO);
}

#[test]
fn a_build_thread_that_panics_is_not_unnoticed() {
    struct Guard(mpsc::Sender<()>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, "v1").unwrap();
    let (tell, told) = mpsc::channel();
    let guard = Guard(tell);
    let on_outcome = Box::new(move |_: &Outcome| {
        let _held = &guard;
        panic!("a build thread that panics");
    });
    let store = Arc::new(Store::default());
    let keeper = Keeper::spawn(KeeperOptions::new(&path), Arc::clone(&store), testing::builder(), on_outcome).unwrap();
    told.recv_timeout(LIMIT).unwrap();
    // What it has made live stays so until the process ends.
    assert!(store.read(|live| live.is_some()));
    while !keeper.is_finished() {
        thread::yield_now();
    }
}
