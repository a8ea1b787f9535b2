//! T1, T2: every way in which a source is changed, under load; each final version is served, and every answer that was
//! given meanwhile is the reference's on the version that it names.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::checker::{Dice, Findings, Load, Version, Versions, check, now, seed};
use crate::support::question::Question;
use crate::support::{Daemon, until};
use crate::writers::{FILE, Volume, Way};

/// Versions to come, and questions about all of them.
pub(crate) struct Script {
    pub(crate) dice: Dice,
    pub(crate) to_come: Vec<Version>,
    pub(crate) questions: Arc<Vec<Question>>,
}

impl Script {
    pub(crate) fn draw(versions: usize) -> Self {
        println!("seed {}", seed());
        let (mut dice, now) = (Dice::new(seed()), now());
        let (mut to_come, mut questions) = (Vec::<Version>::new(), Vec::new());
        while to_come.len() < versions {
            let world = Version::draw(&mut dice, now);
            questions.extend(world.questions(&mut dice, 40, now));
            for _ in 0..5 {
                let varied = world.varied(&mut dice);
                to_come.extend(Some(varied).filter(|own| to_come.iter().all(|other| other.digest != own.digest)));
            }
            to_come.push(world);
        }
        to_come.truncate(versions);
        Self { dice, to_come, questions: Arc::new(questions) }
    }
}

/// A daemon under load whose source is changed.
pub(crate) struct Stage {
    pub(crate) daemon: Daemon,
    pub(crate) versions: Versions,
    load: Load,
    questions: Arc<Vec<Question>>,
}

impl Stage {
    pub(crate) fn open(daemon: Daemon, first: &Version, script: &Script, clients: usize) -> Self {
        let mut versions = Versions::default();
        versions.note(first);
        let daemon = daemon.ready();
        let load = Load::start(&daemon.data, &script.questions, clients, seed());
        Self { daemon, versions, load, questions: Arc::clone(&script.questions) }
    }

    /// Writes a version, of which the answers may tell from now on.
    pub(crate) fn write(&mut self, version: &Version, write: impl FnOnce(&str)) {
        self.versions.note(version);
        write(&version.text);
    }

    /// Waits until a version answers.
    pub(crate) fn wait_for(&self, version: &Version) {
        let client = self.daemon.client();
        let request = crate::support::question("nobody", "nothing");
        until("the version is served", || {
            // Whatever it answers, it names its snapshot; where the question is malformed, the next one is not.
            let answer = client.call(|client| client.authorize(request.clone()));
            answer.is_ok_and(|answer| answer.snapshot.is_some_and(|from| from.digest == version.digest))
        });
    }

    /// Ends the load, after some answers more, and checks everything.
    pub(crate) fn close(self) -> Findings {
        let enough = self.load.answered() + 50;
        until("the last version has answered the load too", || self.load.answered() > enough);
        let findings = check(&self.load.stop(), &self.versions, &self.questions).with_panics_of(&self.daemon);
        println!("{findings}");
        assert_eq!(self.daemon.terminate().code, Some(0));
        findings
    }
}

#[test]
fn every_swap_of_a_kubernetes_volume_is_served() {
    let mut script = Script::draw(31);
    let directory = tempfile::tempdir().unwrap();
    let mut volume = Volume::new(directory.path());
    let first = script.to_come.remove(0);
    volume.swap(&first.text);
    let source = directory.path().to_owned();
    let daemon = Daemon::serve(directory, &source, &[]);
    let mut stage = Stage::open(daemon, &first, &script, 4);
    let last = script.to_come.len() - 1;
    for (number, version) in script.to_come.iter().enumerate() {
        stage.write(version, |text| volume.swap(text));
        if script.dice.below(3) > 0 || number == last {
            stage.wait_for(version);
        } else {
            // Superseded soon: it may be served or not.
            thread::sleep(Duration::from_millis(script.dice.next() % 60));
        }
    }
    assert_eq!(stage.daemon.metric("sidegate_reloads_total{result=\"rejected\"}"), 0, "never half of a swap");
    let findings = stage.close();
    findings.assert_all_answered();
    assert!(findings.versions >= 10, "{findings}");
}

#[test]
fn every_way_of_writing_is_served() {
    for is_directory in [false, true] {
        let mut script = Script::draw(1 + 3 * Way::ALL.len());
        let directory: TempDir = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        let first = script.to_come.remove(0);
        Way::prepare(&root, &first.text);
        let source = if is_directory { root.join("current") } else { root.join("current").join(FILE) };
        let mut stage = Stage::open(Daemon::serve(directory, &source, &[]), &first, &script, 2);
        let mut ways: Vec<Way> = [Way::ALL; 3].concat();
        for version in &script.to_come {
            let way = ways.remove(script.dice.below(ways.len()));
            stage.write(version, |text| way.write(&root, text));
            stage.wait_for(version);
        }
        stage.close().assert_all_answered();
    }
}
