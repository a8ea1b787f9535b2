//! The verbs, on a file and against a daemon: exit codes, text for people, one JSON object for machines.

use std::fs;
use std::net::TcpListener;

use serde_json::Value as Json;

use crate::support::{Daemon, Ended, Process, command, good, run, until};

/// A good and a bad snapshot on disk, and the addresses of a daemon that serves, one that does not, and none.
struct Places {
    serving: Daemon,
    waiting: Daemon,
    nobody: String,
}

impl Places {
    fn new() -> Self {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = taken.local_addr().unwrap().to_string();
        drop(taken);
        Self {
            serving: Daemon::start(&good()).ready(),
            waiting: Daemon::start("sidegate: 1\nrolls: {}\nrollen: {}\n"),
            nobody,
        }
    }

    /// Runs a line in which names stand for places.
    fn run(&self, line: &str) -> Ended {
        let good = self.serving.source();
        let bad = self.waiting.source();
        let words: Vec<&str> = line
            .split(' ')
            .map(|word| match word {
                "GOOD" => good.to_str().unwrap(),
                "BAD" => bad.to_str().unwrap(),
                "SERVING" => &self.serving.data,
                "WAITING" => &self.waiting.data,
                "NOBODY" => &self.nobody,
                other => other,
            })
            .collect();
        run(&words)
    }
}

/// What each line ends with.
const LINES: [(&str, i32); 59] = [
    ("check --snapshot GOOD user/ana access workspace/prod", 0),
    ("check --snapshot GOOD user/ana leave workspace/prod", 1),
    ("check --snapshot GOOD user/eve access workspace/prod", 1),
    ("check --snapshot GOOD --context mfa=true user/ana access workspace/prod", 0),
    ("check --snapshot BAD user/ana access workspace/prod", 65),
    ("check --snapshot /nowhere user/ana access workspace/prod", 65),
    ("check --server SERVING user/ana access workspace/prod", 0),
    ("check --server SERVING user/ana leave workspace/prod", 1),
    ("check --server WAITING user/ana access workspace/prod", 69),
    ("check --server NOBODY user/ana access workspace/prod", 69),
    ("check --server not::an::address user/ana access workspace/prod", 64),
    ("check --snapshot GOOD user access workspace/prod", 64),
    ("check --snapshot GOOD user/ana access", 64),
    ("check user/ana access workspace/prod", 64),
    ("check --snapshot GOOD --server SERVING user/ana access workspace/prod", 64),
    ("check --snapshot GOOD --property colour=red user/ana access workspace/prod", 64),
    ("check --snapshot GOOD user/ana a\tb workspace/prod", 64),
    ("check --server SERVING user/ana a\tb workspace/prod", 64),
    ("explain --snapshot GOOD user/ana access workspace/prod", 0),
    ("explain --snapshot GOOD user/bob access workspace/prod", 1),
    ("explain --snapshot BAD user/bob access workspace/prod", 65),
    ("explain --server SERVING user/ana access workspace/prod", 0),
    ("explain --server SERVING user/bob access workspace/prod", 1),
    ("explain --server WAITING user/bob access workspace/prod", 69),
    ("explain --server NOBODY user/bob access workspace/prod", 69),
    ("validate GOOD", 0),
    ("validate BAD", 65),
    ("validate /nowhere", 65),
    ("list actions --snapshot GOOD user/ana workspace/prod", 0),
    ("list actions --snapshot GOOD --all user/bob workspace/prod", 0),
    ("list actions --snapshot BAD user/ana workspace/prod", 65),
    ("list actions --server SERVING user/ana workspace/prod", 0),
    ("list actions --server WAITING user/ana workspace/prod", 69),
    ("list actions --server NOBODY user/ana workspace/prod", 69),
    ("list resources --snapshot GOOD user/ana access workspace", 0),
    ("list resources --snapshot GOOD user/ana fly ghost", 0),
    ("list resources --snapshot GOOD user/ana access workspace --parent account/orbit", 64),
    ("list resources --snapshot BAD user/ana access workspace", 65),
    ("list resources --server SERVING user/ana access workspace", 0),
    ("list resources --server WAITING user/ana access workspace", 69),
    ("who-can --snapshot GOOD access workspace/prod", 0),
    ("who-can --snapshot GOOD access workspace/prod --property subject.x=1", 64),
    ("who-can --server SERVING access workspace/prod --type user", 0),
    ("who-can --server NOBODY access workspace/prod", 69),
    ("levels --snapshot GOOD user/ana workspace/prod", 0),
    ("levels --snapshot GOOD user/nobody workspace/prod", 64),
    ("levels --server SERVING user/ana workspace/prod", 0),
    ("levels --server SERVING user/ana workspace/none", 64),
    ("levels --server WAITING user/ana workspace/prod", 69),
    ("seats --snapshot GOOD workspace/prod", 0),
    ("seats --snapshot GOOD workspace/prod ghost", 64),
    ("seats --server SERVING workspace/prod", 0),
    ("seats --server SERVING workspace/prod ghost", 64),
    ("seats --server NOBODY workspace/prod", 69),
    ("health --server SERVING", 0),
    ("health --server WAITING", 1),
    ("health --server NOBODY", 69),
    ("health --server SERVING --service no.such.Service", 69),
    ("health --server SERVING --service sidegate.v1.AuthorizationService", 0),
];

#[test]
fn every_verb_ends_with_its_code_in_text_and_in_json() {
    let places = Places::new();
    until("health follows", || places.run("health --server SERVING").code == Some(0));
    for (line, code) in LINES {
        let Ended { code: text_code, out, err } = places.run(line);
        assert_eq!(text_code, Some(code), "{line}\n{out}\n{err}");
        assert_eq!(err.is_empty(), code < 2, "troubles and nothing else go to standard error: {line}\n{err}");
        let Ended { code: json_code, out, err } = places.run(&format!("{line} --json"));
        assert_eq!(json_code, Some(code), "{line} --json\n{out}\n{err}");
        if code == 64 && out.is_empty() {
            // A command line that is not understood may not have meant JSON either.
            continue;
        }
        let object: Json = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line} --json: {error}\n{out}"));
        assert!(object.is_object(), "{line} --json\n{out}");
    }
}

#[test]
fn answers_say_what_they_are_for() {
    let places = Places::new();
    let json = |line: &str| serde_json::from_str::<Json>(&places.run(line).out).unwrap();
    let told = places.run("check --snapshot GOOD user/ana access workspace/prod").out;
    assert_eq!(told, "ALLOW GRANTED roles/member/workspace.access\n");
    let [from_file, from_daemon] = ["--snapshot GOOD", "--server SERVING"].map(|whom| {
        let mut answer = json(&format!("check --json {whom} user/ana access workspace/prod"));
        assert!(answer["evaluated_at"].take().as_str().unwrap().ends_with('Z'));
        answer
    });
    assert_eq!(from_file, from_daemon, "the same from a file and from a daemon");
    assert_eq!(from_file["decision"], "ALLOW");
    let explained = json("explain --json --server SERVING user/bob access workspace/prod");
    assert_eq!(explained["answer"]["reason"], "NO_GRANT");
    assert!(!explained["summary"].as_str().unwrap().is_empty());
    let listed = ["--snapshot GOOD", "--server SERVING"]
        .map(|whom| json(&format!("list actions --json --all {whom} user/ana workspace/prod")));
    assert_eq!(listed[0]["actions"], listed[1]["actions"]);
    assert_eq!(listed[0]["actions"].as_array().unwrap().len(), 2);
    for (what, call) in [
        ("resources", "list resources --json WHOM user/ana access workspace"),
        ("subjects", "who-can --json WHOM access workspace/prod"),
    ] {
        let listed = ["--snapshot GOOD", "--server SERVING"].map(|whom| json(&call.replace("WHOM", whom)));
        assert_eq!(listed[0][what], listed[1][what]);
        assert_eq!(listed[0]["snapshot"], listed[1]["snapshot"]);
        assert_eq!(listed[0][what].as_array().unwrap().len(), 1);
    }
    let found = json("validate --json BAD");
    assert_eq!(found["valid"], false);
    let lines: Vec<_> = found["findings"].as_array().unwrap().iter().map(|one| one["line"].as_i64().unwrap()).collect();
    assert_eq!(lines, [2, 3], "every mistake at once");
    let told = places.run("validate BAD");
    assert!(told.out.contains("policy.yaml:2:1") && told.out.contains("^^^^^"), "{}", told.out);
}

#[test]
fn help_and_version_are_answers() {
    for line in [&["--help"][..], &["serve", "--help"], &["check", "--help"], &["--version"]] {
        let ended = run(line);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{line:?}");
        assert!(!ended.out.is_empty());
    }
    assert_eq!(run(&[]).code, Some(64));
    assert_eq!(run(&["fly"]).code, Some(64));
}

#[test]
fn the_demo_answers_from_the_files_that_it_prints() {
    let demo = Process::spawn(&mut command(&["demo", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]));
    let printed = |name: &str| {
        let mut found = None;
        until(name, || {
            let value = |line: &String| line.strip_prefix(name)?.strip_prefix(' ').map(|rest| rest.trim().to_owned());
            found = demo.out().iter().find_map(value);
            found.is_some()
        });
        found.unwrap()
    };
    let (address, facts) = (printed("grpc"), printed("facts"));
    until("it serves", || run(&["health", "--server", &printed("ops")]).code == Some(0));
    let check = |action: &[&str]| run(&[&["check", "--server", &address, "user/ana"], action].concat()).code;
    assert_eq!(check(&["update", "analytics_dashboard/kpi"]), Some(0));
    assert_eq!(check(&["update", "bot/helper"]), Some(1));
    let text = fs::read_to_string(&facts).unwrap();
    let gives = |line: &&str| line.contains("user/ana") && line.contains("role");
    let without = text.lines().filter(|line| !gives(line)).collect::<Vec<_>>().join("\n");
    assert_ne!(text, without);
    fs::write(&facts, without).unwrap();
    until("the edit is served", || check(&["update", "analytics_dashboard/kpi"]) == Some(1));
    demo.signal(rustix::process::Signal::INT);
    assert_eq!(demo.end().code, Some(0));
    assert!(!fs::exists(&facts).unwrap(), "the copy is removed");
}
