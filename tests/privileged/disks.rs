//! Disks that are full, broken or closed: what cannot be read is refused, what cannot be kept is said, and the last
//! good snapshot stays.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::launch::{Launch, NOBODY, public_directory, public_program};
use crate::namespace::Namespace;
use crate::support::{Daemon, POLICY, ana_may, good, until};
use crate::tracer::Tracer;

const REJECTED: &str = "sidegate_reloads_total{result=\"rejected\"}";
const NOT_KEPT: &str = "the last good snapshot could not be kept";
const STATE: &str = "SIDEGATE_STATE_DIRECTORY";

/// The files of a state directory with their bytes.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

fn small_disk() -> Namespace {
    Namespace::of_mounts("mkdir -p /mnt && mount -t tmpfs -o size=64k tmpfs /mnt && mkdir /mnt/state")
}

#[test]
fn a_full_disk_under_the_state_directory_costs_the_copy_alone() {
    let disk = small_disk();
    let state = disk.path("/mnt/state");
    let daemon = disk.launch().set(STATE, "/mnt/state").daemon(&good()).ready();
    let client = daemon.client();
    until("the first is kept", || files(&state).len() == 1);
    let kept = files(&state);
    fill(&disk.path("/mnt/ballast"));
    daemon.write(POLICY);
    until("the change is served all the same", || !ana_may(&client));
    let told = daemon.logged(NOT_KEPT);
    assert!(told["error"].as_str().unwrap().contains("No space left"), "{told}");
    assert_eq!(files(&state), kept, "the earlier copy is whole, and nothing lies beside it");
    assert_eq!(daemon.get("/readyz").0, 200);
    fs::remove_file(disk.path("/mnt/ballast")).unwrap();
    daemon.write(&(good() + "# with room again\n"));
    until("the next change is served", || ana_may(&client));
    until("and kept", || files(&state).len() == 1 && files(&state) == kept);
    assert_eq!(daemon.log(NOT_KEPT).len(), 1);
}

fn fill(path: &Path) {
    let mut ballast = File::create(path).unwrap();
    let page = [0; 4096];
    while ballast.write_all(&page).is_ok() {}
}

/// A kill at every step of writing the copy: what is there afterwards is the earlier copy or the later one, whole.
#[test]
fn a_kill_while_the_copy_is_written_leaves_a_whole_copy_and_no_litter() {
    let disk = small_disk();
    let state = disk.path("/mnt/state");
    let directory = public_directory();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let launch = disk.launch().set(STATE, "/mnt/state");
    drop(launch.daemon_of(source.to_str().unwrap()).ready());
    until("the first is kept", || files(&state).len() == 1);
    for step in ["fchmod", "fsync", "rename"] {
        let daemon = launch.daemon_of(source.to_str().unwrap()).ready();
        assert!(ana_may(&daemon.client()));
        let inject = format!("inject=/^{step}:signal=KILL");
        let tracer = Tracer::attach(daemon.process.pid(), &["-e", &format!("trace=/^{step}"), "-e", &inject]);
        fs::write(&source, POLICY).unwrap();
        assert_eq!(daemon.process.end().code, None, "{step}: killed");
        let calls = tracer.detach();
        assert!(calls.iter().any(|call| call.contains("SIGKILL")), "{step}: {calls:?}");
        // Half a copy would be refused here, and leave it without a snapshot.
        fs::write(&source, "sidegate: 1\nrolls: {}\n").unwrap();
        let again = launch.daemon_of(source.to_str().unwrap()).ready();
        ana_may(&again.client());
        assert!(again.log("the last good snapshot cannot be used").is_empty(), "{step}");
        fs::write(&source, good()).unwrap();
        until("the mended source is live", || again.metric("sidegate_source_refused") == 0);
        assert!(ana_may(&again.client()), "{step}");
        assert_eq!(again.terminate().code, Some(0));
        let left: Vec<_> = files(&state).into_iter().map(|(path, _)| path).collect();
        assert_eq!(left.len(), 1, "{step}: what a kill left half-written is cleared away: {left:?}");
    }
}

/// Reading fails in this way while a new text lies there, and works again afterwards.
fn assert_survives(call: &str, error: &str, says: &str) {
    let daemon = Launch::new().set("SIDEGATE_SNAPSHOT_POLL", "100ms").daemon(&good()).ready();
    let client = daemon.client();
    let source = daemon.source();
    let inject = format!("inject={call}:error={error}");
    let rules = ["-P", source.to_str().unwrap(), "-e", &format!("trace={call}"), "-e", &inject];
    let tracer = Tracer::attach(daemon.process.pid(), &rules);
    daemon.write(POLICY);
    until("it is refused", || daemon.metric(REJECTED) >= 1);
    let told = daemon.logged("the source was refused").to_string();
    assert!(told.contains("cannot read") && told.contains(says), "{call} {error}: {told}");
    assert!(ana_may(&client), "{call} {error}: the last good one stays");
    assert_eq!(daemon.get("/readyz").0, 200, "{call} {error}");
    let calls = tracer.detach();
    assert!(calls.iter().any(|call| call.contains("INJECTED")), "{calls:?}");
    until("the change is served afterwards", || !ana_may(&client));
    assert_eq!(daemon.log("the source was refused").len(), 1, "{call} {error}: said once");
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn a_source_that_cannot_be_opened_leaves_the_last_good_snapshot() {
    let errors = [
        ("EIO", "Input/output error"),
        ("EACCES", "Permission denied"),
        ("ELOOP", "symbolic links"),
        ("ENOSPC", "No space left"),
        ("EMFILE", "Too many open files"),
        ("ESTALE", "Stale file handle"),
    ];
    for (error, says) in errors {
        assert_survives("openat", error, says);
    }
}

#[test]
fn a_source_that_cannot_be_read_leaves_the_last_good_snapshot() {
    for (error, says) in [("EIO", "Input/output error"), ("ENOMEM", "Cannot allocate memory")] {
        assert_survives("read", error, says);
    }
    assert_survives("statx", "EIO", "Input/output error");
}

#[test]
fn a_source_that_it_may_not_read_is_served_once_it_may() {
    let directory = public_directory();
    let program = public_program(directory.path());
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let permit = |mode| fs::set_permissions(&source, fs::Permissions::from_mode(mode)).unwrap();
    permit(0o600);
    let daemon = Launch::new().of_user(NOBODY).program(&program).daemon_of(source.to_str().unwrap());
    let told = daemon.logged("the source was refused").to_string();
    assert!(told.contains("Permission denied"), "{told}");
    assert_eq!(daemon.get("/readyz").0, 503);
    permit(0o644);
    let daemon: Daemon = daemon.ready();
    assert!(ana_may(&daemon.client()));
    // And the other way round: what is live stays.
    permit(0o600);
    fs::write(&source, POLICY).unwrap();
    until("it is refused", || daemon.metric(REJECTED) >= 2);
    assert!(ana_may(&daemon.client()));
}
