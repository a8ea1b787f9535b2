//! T6, T7, T15: reloads one after the other under load, storms of what is no change, and swaps in the middle of large
//! batches. One answer, one snapshot.

use std::fmt::Write;
use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use sidegate::client::Blocking;
use sidegate::model::EntityName;
use sidegate::service::proto::v1::{self, batch_authorize_result::Outcome};

use crate::checker::{Dice, Pace, Version, seed};
use crate::stage::{Script, Stage};
use crate::support::question::Question;
use crate::support::{Daemon, LIMIT, POLICY, good, until};

/// A world of so many users, of whom those that `holds` says are members.
pub(crate) fn world(users: usize, holds: impl Fn(usize) -> bool) -> String {
    let mut text = POLICY.replace("user/bob: {}}", "user/bob: {}");
    let at = text.find("resources:").unwrap();
    let (head, tail) = text.split_at(at);
    let mut body = head.trim_end().to_owned();
    for user in 0..users {
        write!(body, ", user/u{user}: {{}}").unwrap();
    }
    write!(body, "}}\n{tail}bindings:\n  - {{subject: user/ana, role: member, at: workspace/prod}}\n").unwrap();
    for user in (0..users).filter(|user| holds(*user)) {
        writeln!(body, "  - {{subject: user/u{user}, role: member, at: workspace/prod}}").unwrap();
    }
    text.clear();
    body
}

/// May user number so and so?
pub(crate) fn asks_of(user: usize) -> Question {
    let entity = |kind: &str, id: &str| EntityName { kind: kind.to_owned(), id: id.to_owned() };
    Question {
        subject: entity("user", &format!("u{user}")),
        subject_properties: Vec::new(),
        action: "access".to_owned(),
        action_properties: Vec::new(),
        resource: entity("workspace", "prod"),
        parent: None,
        resource_properties: Vec::new(),
        context: Vec::new(),
    }
}

#[test]
fn reloads_of_alternating_sizes_stay_right_under_load() {
    println!("seed {}", seed());
    let (mut dice, sizes) = (Dice::new(seed()), [60, 600]);
    let versions: Vec<_> =
        (0..=16).map(|number| Version::read(&world(sizes[number % 2], |user| (user * 7 + number) % 3 > 0))).collect();
    let questions = (0..80).map(|_| asks_of(dice.below(700))).collect();
    let script = Script { dice, to_come: Vec::new(), questions: Arc::new(questions) };
    let daemon = Daemon::start(&versions[0].text);
    let next = daemon.directory.path().join("next");
    let source = daemon.source();
    let mut stage = Stage::open(daemon, &versions[0], &script, Pace { lists: false, ..Pace::of(3) });
    for version in &versions[1..] {
        stage.write(version, |text| {
            fs::write(&next, text).unwrap();
            fs::rename(&next, &source).unwrap();
        });
        // The rate of changes, not a wait for them.
        thread::sleep(Duration::from_millis(100));
    }
    stage.wait_for(versions.last().unwrap());
    let findings = stage.close();
    findings.assert_all_answered();
    assert!(findings.versions >= 2, "{findings}");
}

#[test]
fn a_storm_of_no_changes_reloads_nothing() {
    let daemon = Daemon::start(&good()).ready();
    let directory = daemon.directory.path().join("beside");
    fs::create_dir(&directory).unwrap();
    for number in 0..2_000 {
        let unrelated = daemon.directory.path().join(format!("unrelated{number}"));
        fs::write(&unrelated, "no policy").unwrap();
        fs::remove_file(unrelated).unwrap();
        if number % 10 == 0 {
            // The same bytes at another time.
            File::options().append(true).open(daemon.source()).unwrap().set_modified(SystemTime::now()).unwrap();
        }
    }
    daemon.write(&good());
    daemon.write(POLICY);
    let client = daemon.client();
    until("the one change is served", || !crate::support::ana_may(&client));
    let reloads = |result: &str| daemon.metric(&format!("sidegate_reloads_total{{result=\"{result}\"}}"));
    until("metrics tell", || reloads("applied") == 2);
    assert_eq!((reloads("rejected"), reloads("unchanged")), (0, 0));
}

/// Asks batches of this size until it is stopped; each must be of one piece. How many there were.
fn batches(client: &Blocking, size: usize, stop: &AtomicBool) -> usize {
    let request = v1::BatchAuthorizeRequest {
        requests: vec![crate::support::question("ana", "access"); size],
        ..Default::default()
    };
    let (with, without) = (Version::read(&good()).digest, Version::read(POLICY).digest);
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        let answer = client.call(|client| client.batch(request.clone())).unwrap();
        assert_eq!(answer.results.len(), size);
        let allowed = answer.results.iter().filter(|result| match &result.outcome {
            Some(Outcome::Verdict(verdict)) => verdict.decision() == v1::Decision::Allow,
            other => panic!("{other:?}"),
        });
        let wanted = match answer.snapshot.unwrap().digest {
            digest if digest == with => size,
            digest if digest == without => 0,
            other => panic!("`{other}` was never written"),
        };
        assert_eq!(allowed.count(), wanted, "a batch from more than one snapshot");
        asked += 1;
    }
    asked
}

/// Lists, one on each page, until it is stopped: every page is of the same snapshot, or the list is refused.
fn pages(client: &Blocking, stop: &AtomicBool) -> (usize, usize) {
    let action = v1::Action { name: "access".to_owned(), ..Default::default() };
    let resource = crate::support::question("ana", "access").resource;
    let first = v1::ListSubjectsRequest { action: Some(action), resource, page_size: 1, ..Default::default() };
    let (mut whole, mut begun_again) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let (mut request, mut named, mut seen) = (first.clone(), None, 0);
        loop {
            let Ok(page) = client.call(|client| client.list_subjects(request.clone())) else {
                begun_again += 1;
                break;
            };
            let digest = page.snapshot.unwrap().digest;
            assert_eq!(*named.get_or_insert_with(|| digest.clone()), digest, "a list from more than one snapshot");
            seen += page.subjects.len();
            if page.next_page_token.is_empty() {
                assert_eq!(seen, usize::from(digest == Version::read(&good()).digest));
                whole += 1;
                break;
            }
            request.page_token = page.next_page_token;
        }
    }
    (whole, begun_again)
}

#[test]
fn a_large_batch_and_a_list_are_of_one_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("sidegate.toml");
    fs::write(&config, "[limits]\nbatch_items = 10000\nbatch_bytes = 16777216\n").unwrap();
    let daemon = Daemon::start_with(&good(), &["--config", config.to_str().unwrap()]).ready();
    let stop = AtomicBool::new(false);
    let connect = || Blocking::connect(&daemon.data, LIMIT).unwrap();
    let texts = [good(), POLICY.to_owned()];
    thread::scope(|scope| {
        let large = scope.spawn(|| batches(&connect(), 10_000, &stop));
        let small = scope.spawn(|| batches(&connect(), 100, &stop));
        let listed = scope.spawn(|| pages(&connect(), &stop));
        for number in 1..=30 {
            daemon.write(&texts[number % 2]);
            until("it is served", || daemon.log("a snapshot is live").len() > number);
        }
        stop.store(true, Ordering::Relaxed);
        let (large, small, listed) = (large.join().unwrap(), small.join().unwrap(), listed.join().unwrap());
        println!("{large} batches of 10,000, {small} of 100, {listed:?} lists (whole, begun again)");
        assert!(large > 0 && small > 0 && listed.0 > 0);
    });
}
