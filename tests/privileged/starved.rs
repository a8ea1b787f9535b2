//! A start for want of something: threads, memory, descriptors. It says what is wanting and ends, or it serves; it
//! never hangs in between.

use std::fs;
use std::time::{Duration, Instant};

use crate::launch::{Launch, NOBODY, public_directory, public_program};
use crate::privileges::prlimit;
use crate::support::{Ended, POLICY, Process, ana_may, good, until};
use crate::tracer::{Tracer, calls, traced};

/// A user of this suite's own: how many threads a user has is counted over the whole machine.
const LONELY: u32 = 54_321;
/// More threads than the daemon starts.
const MOST_THREADS: usize = 16;

/// Waits until it has ended, serves, or waits for a source that it can read; tells how it ended.
fn settle(mut process: Process) -> Option<Ended> {
    let says = |process: &Process, what: &str| process.err().iter().any(|line| line.contains(what));
    let serves = |process: &Process| says(process, "\"listening\"") && says(process, "a snapshot is live");
    until("it serves, says why not, or has ended", || {
        process.has_ended() || serves(&process) || says(&process, "the source was refused")
    });
    process.has_ended().then(|| process.end())
}

fn assert_told(ended: &Ended, what: &str) {
    let Ended { code, out, err } = ended;
    assert_eq!(*code, Some(70), "{what}: {out}{err}");
    assert!(
        err.contains("sidegate: cannot start") && err.contains("Resource temporarily unavailable"),
        "{what}: {err}"
    );
    assert!(!err.contains("panicked"), "{what}: {err}");
}

#[test]
fn too_few_threads_for_a_user_end_the_start_with_the_reason() {
    let directory = public_directory();
    let program = public_program(directory.path());
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let mut starved = 0;
    for most in 1..=MOST_THREADS {
        let launch = Launch::new().by([prlimit(), format!("--nproc={most}")]).of_user(LONELY).program(&program);
        match settle(launch.serve(source.to_str().unwrap())) {
            None => {
                assert!(starved > 2, "{starved}");
                return;
            }
            Some(ended) => assert_told(&ended, &format!("{most} threads")),
        }
        starved = most;
    }
    panic!("it did not even start with {MOST_THREADS} threads");
}

#[test]
fn each_thread_that_cannot_start_is_told_of() {
    let directory = public_directory();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let log = directory.path().join("log");
    let mut failed = 0;
    for number in 1..=MOST_THREADS {
        let inject = format!("inject=clone,clone3:error=EAGAIN:when={number}");
        let launch = traced(&log, &["-e", "trace=clone,clone3", "-e", &inject]);
        match settle(launch.serve(source.to_str().unwrap())) {
            // Counted for each thread: beyond those that the main thread starts.
            None => assert!(failed > 0, "{number}: {:?}", calls(&log)),
            Some(ended) => {
                assert_told(&ended, &format!("thread {number}"));
                failed += 1;
            }
        }
    }
    assert!(failed >= 4, "only {failed} threads were seen to fail");
}

/// The daemon is up by then; the thread that would tell of changes is the one that cannot start.
#[test]
fn a_watcher_without_a_thread_leaves_it_polling() {
    let directory = public_directory();
    let daemon = Launch::new().daemon(&good()).ready();
    let client = daemon.client();
    daemon.logged("a snapshot is live");
    let inject = "inject=clone,clone3:error=EAGAIN";
    let tracer = Tracer::attach(daemon.process.pid(), &["-e", "trace=clone,clone3", "-e", inject]);
    // Made anew, the directory needs a new watcher.
    let (path, gone) = (daemon.directory.path().to_owned(), directory.path().join("gone"));
    fs::rename(&path, &gone).unwrap();
    fs::create_dir(&path).unwrap();
    daemon.write(POLICY);
    daemon.logged("cannot watch the source's directories");
    until("the change is served", || !ana_may(&client));
    tracer.detach();
    daemon.logged("watching the source's directories again");
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn no_memory_at_any_moment_of_the_start_ends_it() {
    let directory = public_directory();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let log = directory.path().join("log");
    let mut ends = 0;
    for from in (1..=46).step_by(3) {
        let inject = format!("inject=mmap,brk:error=ENOMEM:when={from}+");
        let launch = traced(&log, &["-e", "trace=mmap,brk", "-e", &inject]);
        let begun = Instant::now();
        if let Some(ended) = settle(launch.serve(source.to_str().unwrap())) {
            assert_ne!(ended.code, Some(0), "{from}: {}", ended.err);
            assert!(!ended.err.is_empty() || ended.code.is_none(), "{from}: {:?} without a word", ended.code);
            ends += 1;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{from}");
    }
    assert!(ends >= 3, "only {ends} starts failed");
}

#[test]
fn too_few_descriptors_end_the_start_or_cost_connections() {
    let directory = public_directory();
    let program = public_program(directory.path());
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    for most in [4, 8, 12, 16, 20, 24, 32, 48] {
        let launch = Launch::new().by([prlimit(), format!("--nofile={most}:{most}")]).of_user(NOBODY).program(&program);
        if let Some(ended) = settle(launch.serve(source.to_str().unwrap())) {
            assert_eq!(ended.code, Some(70), "{most}: {}", ended.err);
            assert!(ended.err.contains("Too many open files"), "{most}: {}", ended.err);
        }
    }
    let launch = Launch::new().by([prlimit(), "--nofile=64:64".to_owned()]);
    let daemon = launch.daemon_of(source.to_str().unwrap()).ready();
    assert!(ana_may(&daemon.client()));
    daemon.logged("fewer connections than configured");
}
