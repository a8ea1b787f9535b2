//! More callers than there are places: every call is answered right or told to come again, none is lost.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use sidegate::client::{Client, ClientError, allows};
use sidegate::service::proto::v1::{self, batch_authorize_result::Outcome};
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{Daemon, LIMIT, block_on, good, question};
use crate::vitals::unharmed;

/// What became of the calls.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicUsize,
    shed: AtomicUsize,
}

impl Tally {
    /// An answer, or a word that there was none: anything else is lost.
    fn take<T>(&self, answer: Result<T, ClientError>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.answered.fetch_add(1, SeqCst);
                Some(answer)
            }
            Err(ClientError::Refused { code: Code::ResourceExhausted | Code::Unavailable, .. }) => {
                self.shed.fetch_add(1, SeqCst);
                None
            }
            Err(error) => panic!("lost: {error:?}"),
        }
    }
}

fn list() -> v1::ListActionsRequest {
    let asked = question("ana", "access");
    v1::ListActionsRequest { subject: asked.subject, resource: asked.resource, ..Default::default() }
}

/// One of the five kinds of calls, with what it must be answered.
async fn ask(client: &Client, number: usize, tally: &Tally) {
    match number % 5 {
        0 | 1 => {
            let (user, right) = if number.is_multiple_of(2) { ("ana", true) } else { ("bob", false) };
            if let Some(answer) = tally.take(client.authorize(question(user, "access")).await) {
                assert_eq!(allows(&answer), right);
            }
        }
        2 => {
            let requests = (0..200).map(|item| question(if item % 2 == 0 { "ana" } else { "bob" }, "access")).collect();
            let batch = v1::BatchAuthorizeRequest { requests, ..Default::default() };
            if let Some(answer) = tally.take(client.batch(batch).await) {
                assert_eq!(answer.results.len(), 200);
                for (item, result) in answer.results.iter().enumerate() {
                    let Some(Outcome::Verdict(verdict)) = &result.outcome else { panic!("{result:?}") };
                    assert_eq!(verdict.decision() == v1::Decision::Allow, item % 2 == 0);
                }
            }
        }
        3 => {
            if let Some(answer) = tally.take(client.list_actions(list()).await) {
                let allowed = answer.actions.iter().map(|listed| listed.verdict.as_ref().unwrap().decision());
                assert_eq!(allowed.collect::<Vec<_>>(), [v1::Decision::Allow, v1::Decision::Deny]);
            }
        }
        _ => {
            if let Some(answer) = tally.take(client.explain(question("bob", "access")).await) {
                assert!(answer.response.is_some_and(|answer| !allows(&answer)));
            }
        }
    }
}

#[test]
fn ten_times_too_many_calls_are_answered_or_shed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, "[limits]\nexpensive_calls = 2\nstreams = 16\nconnections = 64\n").unwrap();
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    let tally = unharmed(&daemon, "ten times too many", || {
        block_on(async {
            let tally = Arc::new(Tally::default());
            let mut calls = JoinSet::new();
            for _ in 0..20 {
                let client = Client::connect(&daemon.data, LIMIT).await.unwrap();
                // The stream limit holds the rest back at the client.
                for lane in 0..50 {
                    let (client, tally) = (client.clone(), Arc::clone(&tally));
                    calls.spawn(async move {
                        for number in 0..5 {
                            ask(&client, lane + number, &tally).await;
                        }
                    });
                }
            }
            while let Some(call) = calls.join_next().await {
                call.unwrap();
            }
            tally
        })
    });
    let [answered, shed] = [&tally.answered, &tally.shed].map(|count| count.load(SeqCst));
    println!("{answered} answered, {shed} shed");
    assert_eq!(answered + shed, 20 * 50 * 5);
    assert!(answered >= 2 * 20 * 50, "single questions are not shed");
    assert!(shed > 0, "the cap of expensive calls holds");
}

#[test]
fn clients_over_the_cap_are_turned_away_and_those_within_it_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, "[limits]\nconnections = 8\n").unwrap();
    let daemon = Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready();
    block_on(async {
        let mut within = Vec::new();
        for _ in 0..8 {
            let client = Client::connect(&daemon.data, LIMIT).await.unwrap();
            client.authorize(question("ana", "access")).await.unwrap();
            within.push(client);
        }
        let tally = Arc::new(Tally::default());
        let mut calls = JoinSet::new();
        for number in 0..100 {
            let (address, tally) = (daemon.data.clone(), Arc::clone(&tally));
            calls.spawn(async move {
                match Client::connect(&address, LIMIT).await {
                    Ok(client) => {
                        // Its connection was closed at once: that is an error, never an answer.
                        client.authorize(question("ana", "access")).await.unwrap_err();
                    }
                    Err(error) => println!("{number}: {error}"),
                }
                tally.shed.fetch_add(1, SeqCst);
            });
        }
        for client in &within {
            for (user, right) in [("ana", true), ("bob", false)] {
                assert_eq!(allows(&client.authorize(question(user, "access")).await.unwrap()), right);
            }
        }
        while let Some(call) = calls.join_next().await {
            call.unwrap();
        }
        assert_eq!(tally.shed.load(SeqCst), 100);
    });
    assert!(daemon.metric("sidegate_shed_total{what=\"connection\"}") >= 100);
}
