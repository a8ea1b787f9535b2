//! A running daemon as a door: real files, the real reload, gRPC over a socket.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sidegate::app::{self, Running};
use sidegate::client::{Blocking, ClientError, Listed};
use sidegate::config::Config;
use sidegate::document;
use sidegate::model::{Decision, EntityName};
use sidegate::service::proto::health_v1::health_check_response::ServingStatus;
use sidegate::service::proto::v1;
use sidegate::snapshot::Status;
use tempfile::TempDir;
use tonic::Code;

use super::daemon::{Door, policy, source};
use super::question::Question;
use super::translate::FactsText;
use super::wire;

/// Longer than any honest wait; the usual one is a few milliseconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A daemon that serves a directory, with a client of it.
pub(crate) struct Served {
    pub(crate) directory: TempDir,
    pub(crate) running: Running,
    pub(crate) client: Blocking,
}

impl Served {
    /// Serves files of these names and texts, and waits until the first load has an outcome.
    pub(crate) fn start(files: &[(&str, &[u8])]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let config = Config {
            snapshot: Some(directory.path().to_owned()),
            listen: Some(([127, 0, 0, 1], 0).into()),
            ops_listen: None,
            debounce: Duration::from_millis(1),
            workers: 1,
            ..Config::default()
        };
        let running = app::start(&config).unwrap();
        let client = Blocking::connect(&running.addresses().data.unwrap().to_string(), LIMIT).unwrap();
        let served = Self { directory, running, client };
        served.wait_until("the first load ends", |status| status.generation > 0 || status.failure.is_some());
        served
    }

    fn wait_until(&self, what: &str, done: impl Fn(&Status) -> bool) -> Status {
        let begun = Instant::now();
        loop {
            let status = self.running.store().status();
            if done(&status) {
                return status;
            }
            assert!(begun.elapsed() < LIMIT, "waited in vain until {what}: {status:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A refusal with the facts that it speaks of, whose lines a daemon does not tell: what it does not name stands there.
    fn with_text(&self, told: &str) -> String {
        format!("{told}\n{}", fs::read_to_string(self.directory.path().join("facts.yaml")).unwrap_or_default())
    }

    /// Puts another text in a file's place, in one step.
    fn replace(&self, name: &str, text: &[u8]) {
        let next = self.directory.path().join("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.directory.path().join(name)).unwrap();
    }

    fn is_live(&self, digest: [u8; 32]) -> bool {
        self.running.store().read(|live| live.is_some_and(|live| live.index.digest() == digest))
    }

    /// Whether it is up, and says that it has nothing to answer from.
    fn is_unavailable(&self) -> bool {
        let answer = self.client.call(|client| client.authorize(v1::AuthorizeRequest::default()));
        let unavailable = matches!(answer, Err(ClientError::Refused { code: Code::Unavailable, .. }));
        unavailable && self.client.call(|client| client.health("")).unwrap() == ServingStatus::NotServing
    }
}

/// The door: a daemon for every first load, since a refused one must be its first. The same load again finds it still
/// there.
#[derive(Default)]
pub(crate) struct Socket {
    live: Option<(Served, Vec<u8>, String)>,
}

impl Socket {
    fn live(&self) -> Result<&Served, String> {
        self.live.as_ref().map(|(served, ..)| served).ok_or_else(|| "no snapshot".to_owned())
    }
}

impl Door for Socket {
    fn name(&self) -> &'static str {
        "daemon"
    }

    fn load(&mut self, pack: &Path, facts: &FactsText) -> Result<(), String> {
        let policy = policy(pack).bytes;
        if self.live.as_ref().is_some_and(|(_, own, yaml)| *own == policy && *yaml == facts.yaml) {
            return Ok(());
        }
        self.live = None;
        let served = Served::start(&[("policy.yaml", &policy), ("facts.yaml", facts.yaml.as_bytes())]);
        if let Some(failure) = served.running.store().status().failure {
            assert!(served.is_unavailable(), "a refused first load must leave the daemon up and without an answer");
            return Err(served.with_text(&failure.rendered));
        }
        self.live = Some((served, policy, facts.yaml.clone()));
        Ok(())
    }

    fn reload(&mut self, pack: &Path, facts: &FactsText) -> Result<(), String> {
        // Taken: what is live afterwards is not the pack's first load any more.
        let (served, own, _) = self.live.take().ok_or("no snapshot")?;
        let generation = served.running.store().status().generation;
        served.replace("facts.yaml", facts.yaml.as_bytes());
        let built = document::build(vec![source("facts.yaml", &facts.yaml), policy(pack)]);
        let outcome = if built.is_ok_and(|built| served.is_live(built.index.digest())) {
            // Nothing new: no swap would be told of.
            Ok(())
        } else {
            let told = |status: &Status| status.generation > generation || status.failure.is_some();
            let status = served.wait_until("the reload ends", told);
            status.failure.map_or(Ok(()), |failure| Err(served.with_text(&failure.rendered)))
        };
        self.live = Some((served, own, String::new()));
        outcome
    }

    fn authorize(&mut self, question: &Question) -> Result<Decision, String> {
        let request = wire::authorize(question);
        let answer = self.live()?.client.call(|client| client.authorize(request)).map_err(|error| error.to_string())?;
        match answer.decision() {
            v1::Decision::Allow => Ok(Decision::Allow),
            v1::Decision::Deny => Ok(Decision::Deny),
            v1::Decision::Unspecified => Err("an answer without a decision".to_owned()),
        }
    }

    fn list_actions(&mut self, question: &Question) -> Result<Vec<String>, String> {
        let request = wire::list_actions(question);
        let answer =
            self.live()?.client.call(|client| client.list_actions(request)).map_err(|error| error.to_string())?;
        let allows = |listed: &v1::ActionVerdict| {
            listed.verdict.as_ref().is_some_and(|verdict| verdict.decision() == v1::Decision::Allow)
        };
        Ok(answer.actions.into_iter().filter(allows).map(|listed| listed.action).collect())
    }

    fn list_resources(&mut self, question: &Question) -> Result<Vec<String>, String> {
        // Small pages: the lists of cases are short, and are to go over several.
        let request = v1::ListResourcesRequest { page_size: 2, ..wire::list_resources(question) };
        names(self.live()?.client.call(|client| client.every_resource(request)))
    }

    fn list_subjects(&mut self, question: &Question) -> Result<Vec<String>, String> {
        let request = v1::ListSubjectsRequest { page_size: 2, ..wire::list_subjects(question) };
        names(self.live()?.client.call(|client| client.every_subject(request)))
    }

    fn count_seats(&mut self, class: &str, scope: &EntityName) -> Result<u64, String> {
        let seat_classes = vec![class.to_owned()];
        let request = v1::CountSeatsRequest { scope: Some(wire::entity(scope)), seat_classes, ..Default::default() };
        let answer = self.live()?.client.call(|client| client.count_seats(request));
        let counts = answer.map_err(|error| error.to_string())?.counts;
        let own = counts.iter().find(|count| count.seat_class == class);
        own.map(|count| count.count).ok_or_else(|| format!("`{class}` is not counted: {counts:?}"))
    }
}

fn names(listed: Result<Listed, ClientError>) -> Result<Vec<String>, String> {
    let entities = listed.map_err(|error| error.to_string())?.entities;
    let mut names: Vec<_> = entities.iter().map(|entity| format!("{}/{}", entity.r#type, entity.id)).collect();
    names.sort();
    Ok(names)
}
