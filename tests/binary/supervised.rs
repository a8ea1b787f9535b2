//! Under a supervisor that waits for word, as systemd does with `Type=notify`.

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::support::{Daemon, LIMIT, Process, ana_may, command, good};

/// A daemon of a source that is told where its supervisor listens.
fn supervised(text: &str, at: &str) -> Daemon {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, text).unwrap();
    let mut command = command(&[
        "serve",
        "--snapshot",
        source.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
    ]);
    let process = Process::spawn(command.args(["--log-format", "json"]).env("NOTIFY_SOCKET", at));
    Daemon::of(directory, process)
}

fn next(supervisor: &UnixDatagram) -> String {
    let mut word = [0; 100];
    let length = supervisor.recv(&mut word).unwrap();
    String::from_utf8(word[..length].to_vec()).unwrap()
}

#[test]
fn a_supervisor_hears_of_the_first_live_policy_and_of_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let name = format!("sidegate-test-{}", std::process::id());
    let listening = [
        (path.display().to_string(), UnixDatagram::bind(&path)),
        (format!("@{name}"), UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap())),
    ];
    for (at, supervisor) in listening {
        let supervisor = supervisor.unwrap();
        let daemon = supervised("sidegate: 1\nnonsense: 1\n", &at);
        daemon.logged("the source was refused");
        supervisor.set_nonblocking(true).unwrap();
        assert_eq!(supervisor.recv(&mut [0; 100]).unwrap_err().kind(), ErrorKind::WouldBlock, "nothing is live");
        supervisor.set_nonblocking(false).unwrap();
        supervisor.set_read_timeout(Some(LIMIT)).unwrap();
        daemon.write(&good());
        assert_eq!(next(&supervisor), "READY=1\n");
        assert!(ana_may(&daemon.client()));
        assert_eq!(daemon.terminate().code, Some(0));
        assert_eq!(next(&supervisor), "STOPPING=1\n");
    }
}

#[test]
fn a_supervisor_that_is_not_there_changes_nothing() {
    for at in ["/nonexistent/notify", "@sidegate-nobody", "relative", "@", ""] {
        let daemon = supervised(&good(), at).ready();
        assert!(ana_may(&daemon.client()), "{at}");
        daemon.logged("the supervisor that NOTIFY_SOCKET names cannot be told");
        assert_eq!(daemon.terminate().code, Some(0), "{at}");
    }
}
