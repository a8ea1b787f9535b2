//! What is refused at the start, with which code and in which words.

use std::fs;
use std::net::TcpListener;

use crate::support::{Daemon, ana_may, good, run};

#[test]
fn a_reachable_address_is_refused_unless_meant() {
    let ended = run(&["serve", "--snapshot", "policy.yaml", "--listen", "0.0.0.0:0"]);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    for word in ["listen.data", "0.0.0.0:0", "listen.insecure"] {
        assert!(ended.err.contains(word), "{word}: {}", ended.err);
    }
    let daemon = Daemon::start_with(&good(), &["--listen", "0.0.0.0:0", "--insecure-listen"]).ready();
    assert!(ana_may(&daemon.client()));
    assert_eq!(daemon.metric("sidegate_insecure_listen"), 1);
    daemon.logged("other machines can ask without TLS or authentication");
}

#[test]
fn a_taken_address_is_named_with_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, other, key) in [("--listen", "--ops-listen", "listen.data"), ("--ops-listen", "--listen", "listen.ops")]
    {
        let ended = run(&["serve", "--snapshot", "policy.yaml", flag, &address, other, "127.0.0.1:0"]);
        assert_eq!(ended.code, Some(70), "{}", ended.err);
        assert!(ended.err.contains(key) && ended.err.contains(&address), "{}", ended.err);
    }
}

#[test]
fn a_taken_socket_is_named_with_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data.sock");
    let _taken = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let path = path.to_str().unwrap();
    let ended = run(&["serve", "--snapshot", "policy.yaml", "--listen", "", "--ops-listen", "", "--uds", path]);
    assert_eq!(ended.code, Some(70), "{}", ended.err);
    assert!(ended.err.contains("listen.uds") && ended.err.contains(path), "{}", ended.err);
    let plain = directory.path().join("file");
    fs::write(&plain, "kept").unwrap();
    let plain_path = plain.to_str().unwrap();
    let ended = run(&["serve", "--snapshot", "policy.yaml", "--listen", "", "--ops-listen", "", "--uds", plain_path]);
    assert_eq!(ended.code, Some(70), "{}", ended.err);
    assert_eq!(fs::read_to_string(&plain).unwrap(), "kept", "what is no socket is left alone");
}

#[test]
fn a_unix_socket_alone_serves_and_goes_with_the_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data.sock");
    let daemon = Daemon::start_with(&good(), &["--listen", "", "--uds", path.to_str().unwrap()]).ready();
    let address = format!("unix:{}", path.display());
    assert!(ana_may(&sidegate::client::Blocking::connect(&address, crate::support::LIMIT).unwrap()));
    assert_eq!(daemon.terminate().code, Some(0));
    assert!(!path.exists());
}

#[test]
fn every_mistake_of_the_configuration_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(
        &file,
        "[listen]\ndate = \"x\"\n[limits]\nstreams = \"many\"\n[snapshot]\npoll = \"soon\"\n[colours]\nred = 1\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let ended = run(&["serve", "--config", file, "--listen", "0.0.0.0:1", "--log-format", "loud"]);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    for word in [
        "sidegate.toml:2: unknown key `listen.date`",
        "sidegate.toml:4: `limits.streams`",
        "sidegate.toml:6: `snapshot.poll`",
        "sidegate.toml:8: unknown key `colours.red`",
        "`log.format`",
        "`snapshot.path` is not set",
        "`0.0.0.0:1`",
    ] {
        assert!(ended.err.contains(word), "{word} is missing from\n{}", ended.err);
    }
    assert_eq!(run(&["serve", "--config", "/nowhere/sidegate.toml"]).code, Some(78));
}

#[test]
fn the_effective_configuration_is_printed_with_where_it_came_from() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, "[limits]\nstreams = 7\n[[callers]]\nname = \"tests\"\nuid = 1\n").unwrap();
    let file = file.to_str().unwrap();
    let ended = run(&["serve", "--print-config", "--snapshot", "policy.yaml", "--config", file]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for line in [
        "path = \"policy.yaml\" # --snapshot",
        &format!("streams = 7 # {file}:2"),
        "drain = \"25s\" # default",
        "uid = [1]",
    ] {
        assert!(ended.out.lines().any(|is| is == line), "{line} is missing from\n{}", ended.out);
    }
    let ended = run(&["serve", "--print-config", "--listen", "0.0.0.0:1", "--config", file]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(78), ""));
    assert!(ended.err.contains("`snapshot.path`") && ended.err.contains("`listen.data`"), "{}", ended.err);
}
