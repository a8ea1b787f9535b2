//! Where values come from, and what is said about wrong ones.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Config, Loaded, Overrides};

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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/sidegate.toml");
    if option_env!("SIDEGATE_BLESS").is_some() {
        fs::write(&path, Config::default().to_toml()).unwrap();
    }
    let shipped = &fs::read_to_string(path).unwrap();
    assert_eq!(shipped, &Config::default().to_toml());
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
    // The admin listener knows no callers, whatever certificates they have.
    let tls = "[listen]\nadmin = \"0.0.0.0:0\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n";
    let mistakes = with_file(tls, &[], &minimal()).unwrap_err().join("\n");
    assert!(mistakes.contains("`listen.admin` is `0.0.0.0:0`"), "{mistakes}");
    assert!(with_file("[oops", &[], &minimal()).unwrap_err()[0].starts_with("sidegate.toml:1: "));
}

#[test]
fn the_shipped_example_of_callers_is_read_when_uncommented() {
    let shipped = Config::default().to_toml();
    let (_, example) = shipped.split_once("Remove the marks to begin:\n").unwrap();
    let uncommented: String =
        example.lines().map(|line| line.strip_prefix("# ").unwrap_or_default().to_owned() + "\n").collect();
    let config = with_file(&uncommented, &[], &minimal()).unwrap();
    assert_eq!(
        config.callers.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(),
        ["gateway", "console", "others"]
    );
    assert_eq!(with_file(&config.to_toml(), &[], &minimal()), Ok(config), "what is printed means the same");
}

#[test]
fn every_mistake_in_callers_is_named_with_its_place() {
    let text = "[[callers]]\nname = \"a b\"\nuid = -1\ntls = \"x*\"\n[[callers]]\nname = \"a\"\nanyone = true\nlst = true\n\
                list = 1\nreasons = \"some\"\nburst = 5\ntenants = [\"prod\"]\nassert = [\"mfa\"]\n[[callers]]\nname = \"a\"\n\
                uid = 1\nexplain = true\nreasons = \"code\"\nin_flight = 0\n[[callers]]\nuid = 1\n[[callers]]\nname = \"c\"\n";
    let mistakes = with_file(text, &[], &minimal()).unwrap_err().join("\n");
    for part in [
        "sidegate.toml:3: `callers.uid` must be a number",
        "sidegate.toml:4: `callers.tls` must be a whole DNS name, without `*`, not `x*`",
        "sidegate.toml:1: a `[[callers]]` must say whom it covers, in one way",
        "sidegate.toml:8: unknown key `callers.lst`",
        "sidegate.toml:9: `callers.list` must be `true` or `false`",
        "sidegate.toml:10: `callers.reasons` must be `none`, `code` or `full`",
        "sidegate.toml:11: `callers.burst` needs a `rate`",
        "sidegate.toml:12: `callers.tenants` must be `type/id`, not `prod`",
        "sidegate.toml:13: `callers.assert` must be a name such as",
        "sidegate.toml:15: `callers.name` `a` is given twice",
        "sidegate.toml:17: `callers.explain` shows every reason",
        "sidegate.toml:19: `callers.in_flight` must be a number from 1",
        "sidegate.toml:20: a `[[callers]]` has no `name`",
        "sidegate.toml:22: a `[[callers]]` must say whom it covers",
    ] {
        assert!(mistakes.contains(part), "{part} is missing from\n{mistakes}");
    }
    let elsewhere = with_file("[callers]\nname = \"a\"\n", &[], &minimal()).unwrap_err().join("\n");
    assert!(elsewhere.contains("sidegate.toml:1: `callers` must be written `[[callers]]`"), "{elsewhere}");
}

#[test]
fn what_is_printed_says_where_each_value_came_from() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, "[limits]\nstreams = 7\n[[callers]]\nname = \"a\"\nuid = 1\n").unwrap();
    let environment = [("SIDEGATE_DRAIN".to_owned(), "3s".to_owned())];
    let text = Loaded::from_parts(Some(&file), environment, &minimal()).unwrap().print();
    let at = file.display();
    for line in [
        "path = \"p.yaml\" # --snapshot".to_owned(),
        format!("streams = 7 # {at}:2"),
        "drain = \"3s\" # SIDEGATE_DRAIN".to_owned(),
        "poll = \"2s\" # default".to_owned(),
        format!("# {at}:3"),
        "uid = [1]".to_owned(),
    ] {
        assert!(text.lines().any(|is| is == line), "{line} is missing from\n{text}");
    }
    let again = with_file(&text, &[], &Overrides::default()).unwrap();
    assert_eq!((again.streams, again.callers.len()), (7, 1));
}
