//! As it is run in pods: nobody's user, no privileges, nothing that it may write, and number 1 of its own processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::{Pid, Signal, kill_process};

use crate::launch::{Launch, NOBODY, public_directory, public_program};
use crate::namespace::Namespace;
use crate::privileges::{kernel, nsenter, shell, unshare};
use crate::support::{Daemon, POLICY, Process, ana_may, good, until};
use crate::tracer::{calls, traced};

/// All that there is is read-only, but for one directory for sockets.
const READ_ONLY: &str = "mkdir -p /mnt && mount -t tmpfs -o size=512m tmpfs /mnt\n\
    mkdir /mnt/policy /mnt/bin && mkdir /mnt/run && mount -t tmpfs -o size=1m,mode=755,uid=65534,gid=65534 tmpfs /mnt/run";
const LOCKED: &str = "mount -o remount,bind,ro / && mount -o remount,ro /mnt\n! touch /mnt/x 2>/dev/null && touch /mnt/run/x && rm /mnt/run/x";

#[test]
fn nobody_on_a_read_only_root_serves_and_writes_nothing_but_its_sockets() {
    let space = Namespace::of_mounts(READ_ONLY);
    public_program(&space.path("/mnt/bin"));
    fs::write(space.path("/mnt/policy/policy.yaml"), good()).unwrap();
    space.run(LOCKED);
    let sockets = ["--uds", "/mnt/run/data.sock", "--admin-uds", "/mnt/run/admin.sock"];
    let directory = public_directory();
    let log = directory.path().join("log");
    let daemon = traced(&log, &["-e", "trace=%file"])
        .by(space.entry())
        .of_user(NOBODY)
        .program("/mnt/bin/sidegate".as_ref())
        .with(&sockets)
        .daemon_of("/mnt/policy/policy.yaml")
        .ready();
    let status = kernel(&format!("/proc/{}/status", daemon.process.pid().as_raw_nonzero()));
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534\n"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000\n") && status.contains("NoNewPrivs:\t1\n"), "{status}");
    assert!(ana_may(&daemon.client()));
    assert!(space.path("/mnt/run/data.sock").exists() && space.path("/mnt/run/admin.sock").exists());
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(fs::read_dir(space.path("/mnt/run")).unwrap().count(), 0, "the sockets go with it");
    let all = calls(&log);
    let begun = all.iter().position(|call| call.contains("execve(\"/mnt/bin/sidegate\"")).unwrap();
    let wrote: Vec<_> = all.iter().skip(begun).filter(|call| writes(call) && !call.contains("\"/mnt/run")).collect();
    assert!(wrote.is_empty(), "{wrote:?}");
}

/// Whether a call changes files or asks to.
fn writes(call: &str) -> bool {
    const CHANGES: [&str; 9] = ["unlink", "rename", "mkdir", "rmdir", "chmod", "fchmod", "link", "symlink", "truncate"];
    let name = call.split_whitespace().nth(2).unwrap_or_default();
    let opens = ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| call.contains(flag)) && !call.contains("/dev/null");
    opens || CHANGES.iter().any(|change| name.starts_with(change))
}

#[test]
fn a_socket_where_it_may_not_write_ends_the_start() {
    let directory = public_directory();
    let program = public_program(directory.path());
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let owned = directory.path().join("root");
    fs::create_dir(&owned).unwrap();
    for mode in [0o700, 0o755] {
        fs::set_permissions(&owned, fs::Permissions::from_mode(mode)).unwrap();
        let socket = owned.join("data.sock");
        let launch = Launch::new().of_user(NOBODY).program(&program).with(&["--uds", socket.to_str().unwrap()]);
        let ended = launch.serve(source.to_str().unwrap()).end();
        assert_eq!(ended.code, Some(70), "{mode:o}: {}", ended.err);
        let says = ended.err.contains("listen.uds") && ended.err.contains("Permission denied");
        assert!(says && ended.err.contains(socket.to_str().unwrap()), "{mode:o}: {}", ended.err);
    }
}

/// The daemon as number 1 of a process namespace, by way of a parent that ends with it.
fn first_of_its_own() -> (Daemon, Pid) {
    let namespace = [&unshare(), "--pid", "--fork", "--mount-proc", "--kill-child", "--"];
    let daemon = Launch::new().by(namespace).daemon(&good()).ready();
    let parent = daemon.process.pid().as_raw_nonzero();
    let children = kernel(&format!("/proc/{parent}/task/{parent}/children"));
    let child = Pid::from_raw(children.trim().parse().unwrap()).unwrap();
    (daemon, child)
}

#[test]
fn as_number_one_it_drains_when_told_to_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let (daemon, first) = first_of_its_own();
        assert!(ana_may(&daemon.client()));
        kill_process(first, signal).unwrap();
        let ended = daemon.process.end();
        assert_eq!(ended.code, Some(0), "{signal:?}: {}", ended.err);
        assert!(ended.err.contains("\"draining\"") && ended.err.contains("\"reason\":\"stopped\""), "{}", ended.err);
    }
    let (daemon, first) = first_of_its_own();
    kill_process(first, Signal::HUP).unwrap();
    until("a hangup is a reload", || daemon.metric("sidegate_reloads_total{result=\"unchanged\"}") == 1);
    daemon.write(POLICY);
    until("a change is served", || !ana_may(&daemon.client()));
}

/// Whoever loses its parent in there becomes a child of number 1, which has to take note of its end.
#[test]
fn as_number_one_it_leaves_no_dead_children() {
    let (daemon, first) = first_of_its_own();
    let first = first.as_raw_nonzero();
    for _ in 0..5 {
        let orphan = "true & exec true";
        let mut command = std::process::Command::new(nsenter());
        command.args(["--pid", &format!("--target={first}"), &shell(), "-c", orphan]);
        command.env_clear().stdin(std::process::Stdio::null());
        assert_eq!(Process::spawn(&mut command).end().code, Some(0));
    }
    until("no child is left", || kernel(&format!("/proc/{first}/task/{first}/children")).trim().is_empty());
    assert!(ana_may(&daemon.client()));
}
