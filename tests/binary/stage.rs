//! A daemon under load, whose source is changed while every answer is written down to be checked.

use std::sync::Arc;

use sidegate::service::proto::v1;

use crate::checker::{Dice, Findings, Load, Pace, Version, Versions, check, now, seed};
use crate::support::question::Question;
use crate::support::{Daemon, until};

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

impl Script {
    /// Versions of a few worlds by turns, each under a sequence of its own.
    pub(crate) fn numbered(worlds: usize, versions: usize) -> Self {
        println!("seed {}", seed());
        let (mut dice, now) = (Dice::new(seed()), now());
        let worlds: Vec<_> = (0..worlds).map(|_| Version::draw(&mut dice, now)).collect();
        let questions = worlds.iter().flat_map(|world| world.questions(&mut dice, 40, now)).collect();
        let version = |number: usize| {
            worlds[number % worlds.len()].varied(&mut dice).with_sequence(u64::try_from(number).unwrap() + 1)
        };
        let to_come = (0..versions).map(version).collect();
        Self { dice: Dice::new(seed()), to_come, questions: Arc::new(questions) }
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
    pub(crate) fn open(daemon: Daemon, first: &Version, script: &Script, pace: Pace) -> Self {
        let mut versions = Versions::default();
        versions.note(first);
        let daemon = daemon.ready();
        let load = Load::start(&daemon.data, &script.questions, pace);
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
            let is_it = |from: v1::SnapshotRef| from.digest == version.digest && from.sequence == version.sequence;
            answer.is_ok_and(|answer| answer.snapshot.is_some_and(is_it))
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
