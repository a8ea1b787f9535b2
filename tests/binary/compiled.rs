//! The compiled form: the same snapshot as its source, whole or refused, served and replaced like any other.

use std::fs;
use std::os::unix::{fs::symlink, net::UnixListener};
use std::path::Path;

use crate::support::{Daemon, POLICY, ana_may, good, run, until};

fn compile(source: &Path, output: &Path, more: &[&str]) -> String {
    let words = [&["compile", source.to_str().unwrap(), "-o", output.to_str().unwrap()], more].concat();
    let ended = run(&words);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let digest = ended.out.lines().find_map(|line| line.strip_prefix("digest ")).unwrap().to_owned();
    assert_eq!(digest.len(), 64);
    digest
}

#[test]
fn compiles_inspects_and_decides_like_its_source() {
    let directory = tempfile::tempdir().unwrap();
    let (source, compiled) = (directory.path().join("policy.yaml"), directory.path().join("policy.sgate"));
    fs::write(&source, good()).unwrap();
    let digest = compile(&source, &compiled, &[]);
    let bytes = fs::read(&compiled).unwrap();
    let more = ["--sequence", "7", "--issued-at", "2026-01-31T09:00:00Z", "--max-age", "24h"];
    assert_eq!(compile(&source, &compiled, &more), digest, "what the publisher says is no part of the digest");
    assert_ne!(fs::read(&compiled).unwrap(), bytes);
    // Compiled again from itself, with what it said before.
    assert_eq!(compile(&compiled, &directory.path().join("again.sgate"), &[]), digest);
    assert_eq!(fs::read(directory.path().join("again.sgate")).unwrap(), fs::read(&compiled).unwrap());
    let shown = run(&["inspect", compiled.to_str().unwrap()]);
    for line in
        [&format!("digest     {digest}"), "sequence   7", "issued at  2026-01-31T09:00:00Z", "max age    86400 s"]
    {
        assert!(shown.out.contains(line), "{line} is missing from\n{}", shown.out);
    }
    for line in [
        " entities",
        " bindings",
        " strings",
        "holders    most bindings: user/ana 1",
        "roles      most bindings: member 1",
    ] {
        assert!(shown.out.contains(line), "{line} is missing from\n{}", shown.out);
    }
    let shown = run(&["inspect", "--json", compiled.to_str().unwrap()]);
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    let tables = shown["tables"].as_object().unwrap();
    let bytes: u64 = tables.values().map(|bytes| bytes.as_u64().unwrap()).sum();
    assert!(bytes < shown["bytes"].as_u64().unwrap() && tables["bindings"] == 12, "{shown}");
    let ask = |source: &Path, user: &str| {
        run(&["check", "--json", "--snapshot", source.to_str().unwrap(), user, "access", "workspace/prod"])
    };
    for user in ["user/ana", "user/eve"] {
        let (left, right) = (ask(&source, user), ask(&compiled, user));
        let verdict = |text: &str| {
            let answer: serde_json::Value = serde_json::from_str(text).unwrap();
            (answer["decision"].clone(), answer["reason"].clone(), answer["snapshot"]["digest"].clone())
        };
        assert_eq!((left.code, verdict(&left.out)), (right.code, verdict(&right.out)), "{user}");
    }
}

#[test]
fn every_cut_and_every_changed_byte_is_refused() {
    use sidegate::index::file;
    let directory = tempfile::tempdir().unwrap();
    let (source, compiled) = (directory.path().join("policy.yaml"), directory.path().join("policy.sgate"));
    fs::write(&source, good()).unwrap();
    compile(&source, &compiled, &["--sequence", "3"]);
    let bytes = fs::read(&compiled).unwrap();
    assert!(file::open(bytes.clone()).is_ok_and(|(publication, _)| publication.sequence == 3));
    for length in 0..bytes.len() {
        assert!(file::open(bytes[..length].to_vec()).is_err(), "cut to {length}");
    }
    for (place, bit) in (0..bytes.len()).flat_map(|place| [(place, 1), (place, 0x80)]) {
        let mut changed = bytes.clone();
        changed[place] ^= bit;
        assert!(file::open(changed).is_err(), "byte {place} of {} with {bit:#x}", bytes.len());
    }
    assert!(file::open([bytes, vec![0]].concat()).is_err(), "longer");
}

#[test]
fn is_served_and_replaced_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (with, without) = (directory.path().join("with.yaml"), directory.path().join("without.yaml"));
    fs::write(&with, good()).unwrap();
    fs::write(&without, POLICY).unwrap();
    let live = directory.path().join("live.sgate");
    compile(&with, &live, &["--sequence", "5"]);
    let daemon = Daemon::serve(directory, &live, &[]).ready();
    let client = daemon.client();
    assert!(ana_may(&client));
    // The news of a swap follows it.
    let tells = |sequence| until("metrics tell", || daemon.metric("sidegate_snapshot_sequence") == sequence);
    tells(5);
    let rejected = || daemon.metric("sidegate_reloads_total{result=\"rejected\"}");
    compile(&without, &live, &["--sequence", "4"]);
    until("an older publication is refused", || rejected() == 1);
    assert!(ana_may(&client));
    let whole = fs::read(&live).unwrap();
    fs::write(&live, &whole[..whole.len() / 2]).unwrap();
    until("half a file is refused", || rejected() == 2);
    assert!(ana_may(&client));
    compile(&without, &live, &["--sequence", "6"]);
    until("a newer publication is live", || !ana_may(&client));
    tells(6);
}

#[test]
fn stands_alone_and_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("bad.yaml");
    fs::write(&bad, "sidegate: 1\nrolls: {}\n").unwrap();
    let output = directory.path().join("out.sgate");
    let line = |words: &[&str]| run(words).code;
    let (bad, out) = (bad.to_str().unwrap(), output.to_str().unwrap());
    assert_eq!(line(&["compile", bad, "-o", out]), Some(65));
    assert!(!output.exists(), "nothing is written");
    let policy = directory.path().join("policy.yaml");
    fs::write(&policy, good()).unwrap();
    let policy = policy.to_str().unwrap();
    assert_eq!(line(&["compile", policy, "-o", "/nowhere/out.sgate"]), Some(70));
    assert_eq!(line(&["compile", policy]), Some(64), "no output");
    assert_eq!(line(&["compile", policy, "-o", out, "--max-age", "1h"]), Some(64), "no moment of issue");
    assert_eq!(line(&["compile", policy, "-o", out, "--issued-at", "yesterday"]), Some(64));
    assert_eq!(line(&["inspect", "/nowhere"]), Some(65));
}

#[test]
fn replaces_files_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("policy.yaml"), good()).unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink("/dev/null", at("device")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    for name in ["directory", "device", "socket"] {
        let kind = |name| fs::symlink_metadata(at(name)).unwrap().file_type();
        let before = kind(name);
        let ended = run(&["compile", at("policy.yaml").to_str().unwrap(), "-o", at(name).to_str().unwrap()]);
        assert_eq!(ended.code, Some(70), "{name}");
        assert!(ended.err.contains(&format!("{name}`: it is not a regular file")), "{}", ended.err);
        assert_eq!(kind(name), before);
    }
    // A link to a file gives way to one, as does the link of a version that is replaced.
    symlink("policy.yaml", at("link")).unwrap();
    compile(&at("policy.yaml"), &at("link"), &[]);
    assert!(fs::symlink_metadata(at("link")).unwrap().is_file());
    assert_eq!(fs::read_to_string(at("policy.yaml")).unwrap(), good());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 5, "nothing unfinished is left");
}
