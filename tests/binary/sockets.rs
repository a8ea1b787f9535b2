//! Sockets: who can reach them, what may be in their place, and connections that ask nothing.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use sidegate::client::Blocking;
use sidegate::service::proto::v1::{self, authorization_service_client::AuthorizationServiceClient};

use crate::support::{Daemon, LIMIT, Process, ana_may, block_on, command, good, question, run, until};

/// The program with these arguments, run by a shell that first does something else.
fn after(first: &str, arguments: &[&str]) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{first} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_sidegate")]);
    shell.args(arguments).env_clear().stdin(Stdio::null());
    shell
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn serve_arguments<'a>(source: &'a str, uds: &'a str) -> Vec<&'a str> {
    let fixed = ["serve", "--log-format", "json", "--listen", "", "--ops-listen", "127.0.0.1:0"];
    fixed.into_iter().chain(["--snapshot", source, "--uds", uds]).collect()
}

#[test]
fn a_socket_has_its_mode_whatever_the_umask() {
    for (umask, wanted) in [("0", None), ("077", None), ("0", Some("0600"))] {
        let directory = tempfile::tempdir().unwrap();
        let (source, path) = (directory.path().join("policy.yaml"), directory.path().join("run/data.sock"));
        fs::write(&source, good()).unwrap();
        let arguments = serve_arguments(source.to_str().unwrap(), path.to_str().unwrap());
        let mut child = after(&format!("umask {umask}"), &arguments);
        if let Some(wanted) = wanted {
            child.env("SIDEGATE_UDS_MODE", wanted);
        }
        let process = Process::spawn(&mut child);
        // From the moment that the socket is there, nobody ever sees another mode.
        until("the socket is there", || path.symlink_metadata().is_ok());
        let expected = wanted.map_or(0o660, |text| u32::from_str_radix(text, 8).unwrap());
        assert_eq!(mode(&path), expected, "umask {umask}");
        assert_eq!(mode(path.parent().unwrap()), 0o755);
        let daemon = Daemon::of(directory, process).ready();
        assert_eq!(mode(&path), expected);
        assert!(ana_may(&Blocking::connect(&format!("unix:{}", path.display()), LIMIT).unwrap()));
        assert_eq!(daemon.terminate().code, Some(0));
    }
}

#[test]
fn an_unsafe_place_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let link = directory.path().join("link.sock");
    symlink(directory.path().join("elsewhere.sock"), &link).unwrap();
    for (path, part) in [(open.join("s.sock"), "everybody may write"), (link, "a symbolic link is there")] {
        for flag in ["--uds", "--admin-uds"] {
            let path = path.to_str().unwrap();
            let ended =
                run(&["serve", "--snapshot", "p.yaml", "--listen", "127.0.0.1:0", "--ops-listen", "", flag, path]);
            assert_eq!(ended.code, Some(70), "{}", ended.err);
            assert!(ended.err.contains(part) && ended.err.contains(path), "{}", ended.err);
        }
    }
    let mut unknown = command(&["serve", "--snapshot", "p.yaml", "--listen", "", "--ops-listen", ""]);
    unknown
        .args(["--uds", directory.path().join("s.sock").to_str().unwrap()])
        .env("SIDEGATE_UDS_GROUP", "no-such-group");
    let ended = Process::spawn(&mut unknown).end();
    assert_eq!(ended.code, Some(70));
    assert!(ended.err.contains("no-such-group"), "{}", ended.err);
}

#[test]
fn what_a_dead_daemon_left_is_replaced_and_a_live_one_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (source, path) = (directory.path().join("policy.yaml"), directory.path().join("data.sock"));
    fs::write(&source, good()).unwrap();
    let arguments = serve_arguments(source.to_str().unwrap(), path.to_str().unwrap());
    let first = Process::spawn(&mut command(&arguments));
    until("it listens", || UnixStream::connect(&path).is_ok());
    let inode = fs::metadata(&path).unwrap().ino();
    let ended = run(&arguments);
    assert_eq!(ended.code, Some(70));
    assert!(ended.err.contains("another process listens there"), "{}", ended.err);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    first.signal(rustix::process::Signal::KILL);
    first.end();
    assert!(path.exists(), "left behind");
    let second = Process::spawn(&mut command(&arguments));
    until("it listens again", || UnixStream::connect(&path).is_ok());
    assert_ne!(fs::metadata(&path).unwrap().ino(), inode);
    // Signals are heeded from then on.
    until("it says so", || second.err().iter().any(|line| line.contains("listening")));
    second.signal(rustix::process::Signal::TERM);
    assert_eq!(second.end().code, Some(0));
}

/// What clients say that never ask anything: nothing, half a preface, settings alone, the beginning of a call's headers,
/// and half of an HTTP/1 request.
const HALF_OPEN: [&[u8]; 5] = [
    b"",
    b"PRI * HTTP/2.0\r\n\r\nS",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    // A HEADERS frame that says that more will come.
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x83",
    b"GET / HTTP/1.1\r\nhost: ",
];

#[test]
fn half_open_connections_are_gone_after_the_time() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, "[limits]\nhandshake = \"300ms\"\n").unwrap();
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    let client = daemon.client();
    assert!(ana_may(&client));
    let open: Vec<TcpStream> = (0..50)
        .map(|number| {
            let mut stream = TcpStream::connect(&daemon.data).unwrap();
            stream.write_all(HALF_OPEN[number % HALF_OPEN.len()]).unwrap();
            stream
        })
        .collect();
    for mut stream in open {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        // Whatever it is told first, then it ends, or is reset with what it had not read.
        let mut told = Vec::new();
        let end = stream.read_to_end(&mut told);
        assert!(!matches!(&end, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "it is still open");
    }
    until("they are counted", || {
        daemon.metric("sidegate_connections_closed_total{listener=\"data\",why=\"no_request\"}") == 50
    });
    assert!(ana_may(&client), "who has asked once may wait before the next question");
    assert_eq!(daemon.metric("sidegate_connections{listener=\"data\"}"), 1);
}

#[test]
fn an_idle_client_is_told_to_go_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, "[limits]\nidle = \"200ms\"\n").unwrap();
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    let client = daemon.client();
    assert!(ana_may(&client));
    let idle = "sidegate_connections_closed_total{listener=\"data\",why=\"idle\"}";
    // Its own connection is driven by the calls alone, so it does not hear the farewell before the next one.
    until("it is closed", || daemon.metric(idle) == 1);
    until("it is back", || {
        let answer = client.call(|client| client.authorize(question("ana", "access")));
        answer.is_ok_and(|answer| sidegate::client::allows(&answer))
    });
}

#[test]
fn an_old_connection_ends_its_stream_in_good_order() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, "[limits]\nmax_age = \"300ms\"\n").unwrap();
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    block_on(async {
        let mut client = AuthorizationServiceClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        let (ask, asked) = tokio::sync::mpsc::channel(1);
        ask.send(v1::AuthorizeStreamRequest { request: Some(question("ana", "access")) }).await.unwrap();
        let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
        let mut answers = client.authorize_stream(asked).await.unwrap().into_inner();
        assert!(answers.message().await.unwrap().is_some());
        let status = answers.message().await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert!(status.message().contains("old"), "{status}");
        // The client opens another connection by itself.
        client.authorize(question("ana", "access")).await.unwrap();
    });
    until("it is counted", || daemon.metric("sidegate_connections_closed_total{listener=\"data\",why=\"age\"}") > 0);
}

#[test]
fn with_few_descriptors_health_answers_and_room_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let arguments = ["serve", "--log-format", "json", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let arguments: Vec<_> = arguments.into_iter().chain(["--snapshot", source.to_str().unwrap()]).collect();
    let process = Process::spawn(&mut after("ulimit -n 64", &arguments));
    let daemon = Daemon::of(directory, process).ready();
    let open: Vec<_> = (0..200).filter_map(|_| TcpStream::connect(&daemon.data).ok()).collect();
    until("some are turned away", || daemon.metric("sidegate_shed_total{what=\"connection\"}") > 0);
    assert!(daemon.metric("sidegate_connections{listener=\"data\"}") >= 5, "and some are not");
    assert_eq!(daemon.metric("sidegate_accept_errors_total"), 0, "descriptors were never used up");
    assert_eq!(daemon.get("/livez").0, 200);
    assert_eq!(daemon.get("/readyz").0, 200);
    daemon.write(&(good() + "sequence: 7\n"));
    until("it still reloads", || daemon.metric("sidegate_snapshot_sequence") == 7);
    drop(open);
    until("there is room again", || {
        let client = Blocking::connect(&daemon.data, LIMIT);
        client.is_ok_and(|client| client.call(|client| client.authorize(question("ana", "access"))).is_ok())
    });
    assert_eq!(daemon.terminate().code, Some(0));
}
