//! T9, T10: what is no policy at all: pipes, devices, loops, holes of 10 GB. Refused without reading or hanging, before
//! and after a good source, and served as soon as it is mended.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tonic::Code;

use crate::support::{Daemon, ana_may, good, question, refusal, run, until};
use crate::writers::FILE;

const REJECTED: &str = "sidegate_reloads_total{result=\"rejected\"}";

/// Puts something odd at a path where there is nothing, and says what the refusal must say.
type Oddity = (&'static str, fn(&Path), &'static str);

const ODDITIES: [Oddity; 9] = [
    ("a pipe", pipe, "is not a regular file"),
    ("a directory without a source", |path| fs::create_dir(path).unwrap(), "holds no `.yaml`"),
    ("an endless device", |path| symlink("/dev/zero", path).unwrap(), "is not a regular file"),
    ("an empty device", |path| symlink("/dev/null", path).unwrap(), "is not a regular file"),
    ("a hole of 10 GB", |path| File::create(path).unwrap().set_len(10 << 30).unwrap(), "more than the"),
    ("a loop of links", |path| symlink(FILE, path).unwrap(), "cannot read"),
    ("a link to nothing", |path| symlink("nowhere", path).unwrap(), "cannot read"),
    ("a way through a file", |path| symlink("/proc/self/status/policy.yaml", path).unwrap(), "cannot read"),
    ("a socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()), "cannot read"),
];

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Makes it beside the place and renames it there; a directory takes the place of nothing only.
fn put(source: &Path, make: impl FnOnce(&Path)) {
    if source.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        fs::remove_dir(source).unwrap();
    }
    let fresh = tempfile::tempdir_in(source.parent().unwrap()).unwrap();
    make(&fresh.path().join(FILE));
    if fresh.path().join(FILE).symlink_metadata().unwrap().is_dir() {
        fs::remove_file(source).unwrap();
    }
    fs::rename(fresh.path().join(FILE), source).unwrap();
}

/// The most memory that it ever had, in KiB.
fn peak(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn odd_sources_later_leave_the_last_good_snapshot() {
    let daemon = Daemon::start(&good()).ready();
    let (client, before) = (daemon.client(), peak(&daemon));
    for (what, make, says) in ODDITIES {
        let earlier = daemon.log("the source was refused").len();
        put(&daemon.source(), make);
        until(what, || {
            let told = daemon.log("the source was refused");
            told.iter().skip(earlier).any(|fields| fields["message"].as_str().unwrap().contains(says))
        });
        assert!(ana_may(&client), "{what}");
        // A refusal that is told once is told again after something else.
        put(&daemon.source(), |path| fs::write(path, good()).unwrap());
        until("the mended source is read", || daemon.metric("sidegate_source_refused") == 0);
    }
    assert!(daemon.metric(REJECTED) >= ODDITIES.len() as u64);
    let grown = peak(&daemon).saturating_sub(before);
    assert!(grown < 64 << 10, "it took {grown} KiB more");
}

#[test]
fn odd_sources_at_the_start_leave_it_up_until_they_are_mended() {
    for (what, make, says) in ODDITIES {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join(FILE);
        make(&source);
        let daemon = Daemon::serve(directory, &source, &[]);
        let told = daemon.logged("the source was refused").to_string();
        assert!(told.contains(says), "{what}: {told}");
        let client = daemon.client();
        let (code, ..) = refusal(client.call(|client| client.authorize(question("ana", "access"))));
        assert_eq!((code, daemon.get("/readyz").0), (Code::Unavailable, 503), "{what}");
        put(&source, |path| fs::write(path, good()).unwrap());
        let daemon = daemon.ready();
        assert!(ana_may(&daemon.client()), "{what}");
    }
}

#[test]
fn with_fail_fast_odd_sources_end_it() {
    for (what, make, says) in ODDITIES {
        let directory = tempfile::tempdir().unwrap();
        let source: PathBuf = directory.path().join(FILE);
        make(&source);
        let source = source.to_str().unwrap();
        let listen = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
        let ended = run(&[&["serve", "--fail-fast", "--snapshot", source][..], &listen].concat());
        assert_eq!(ended.code, Some(65), "{what}: {}", ended.err);
        assert!(ended.err.contains(says), "{what}: {}", ended.err);
    }
}
