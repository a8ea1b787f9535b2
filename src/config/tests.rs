//! Where values come from, and what is said about wrong ones.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use super::{Config, Overrides};

fn with_file(text: &str, environment: &[(&str, &str)], overrides: &Overrides) -> Result<Config, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_parts(Some(&file), environment, overrides).map_err(|error| {
        let prefix = directory.path().display().to_string() + "/";
        error.mistakes.iter().map(|mistake| mistake.replace(&prefix, "")).collect()
    })
}

fn minimal() -> Overrides {
    Overrides { snapshot: Some("p.yaml".into()), ..Overrides::default() }
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let shipped = include_str!("../../config/sidegate.toml");
    assert_eq!(shipped, Config::default().to_toml());
    let expected = Config { snapshot: Some("p.yaml".into()), ..Config::default() };
    assert_eq!(with_file(shipped, &[], &minimal()), Ok(expected));
}

#[test]
fn flags_go_before_variables_before_the_file() {
    let text = "[snapshot]\npath = \"file.yaml\"\npoll = \"1s\"\n[listen]\nops = \"\"\ndata = \"127.0.0.1:1\"\n";
    let environment =
        [("SIDEGATE_LISTEN", "127.0.0.1:2"), ("SIDEGATE_SNAPSHOT", "env.yaml"), ("SIDEGATE_PORT", "tcp://x")];
    let overrides = Overrides { snapshot: Some("flag.yaml".into()), ..Overrides::default() };
    let config = with_file(text, &environment, &overrides).unwrap();
    assert_eq!(config.snapshot, Some(PathBuf::from("flag.yaml")));
    assert_eq!(config.listen, Some(SocketAddr::from(([127, 0, 0, 1], 2))));
    assert_eq!(config.ops_listen, None);
    assert_eq!(config.poll, Duration::from_secs(1));
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let text = "[snapshot]\npth = \"x\"\nfail_fast = \"yes\"\npoll = \"soon\"\n[limits]\nconnections = 0\n[lissten]\nuds = \"x\"\n";
    let environment = [("SIDEGATE_LISTEN", "0.0.0.0:8650"), ("SIDEGATE_DRAIN", "-1s")];
    let mistakes = with_file(text, &environment, &Overrides::default()).unwrap_err().join("\n");
    for part in [
        "sidegate.toml:2: unknown key `snapshot.pth`",
        "sidegate.toml:3: `snapshot.fail_fast` must be a TOML boolean, not string",
        "sidegate.toml:4: `snapshot.poll` must be a time such as `30ms` or `25s`, not `soon`",
        "sidegate.toml:6: `limits.connections` must be a number from 1 to",
        "sidegate.toml:8: unknown key `lissten.uds`; did you mean `listen.uds`?",
        "SIDEGATE_DRAIN: `shutdown.drain` must be a time",
        "`snapshot.path` is not set",
        "`listen.data` is `0.0.0.0:8650`, which other machines can reach",
    ] {
        assert!(mistakes.contains(part), "{part} is missing from\n{mistakes}");
    }
}

#[test]
fn a_bind_beyond_loopback_needs_a_word() {
    let open = |insecure_listen| {
        let overrides = Overrides { listen: Some("0.0.0.0:0".into()), insecure_listen, ..minimal() };
        with_file("", &[], &overrides)
    };
    assert!(open(false).is_err());
    assert!(open(true).unwrap().insecure_listen);
    assert!(with_file("[oops", &[], &minimal()).unwrap_err()[0].starts_with("sidegate.toml:1: "));
}
