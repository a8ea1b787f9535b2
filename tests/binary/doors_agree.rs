//! Two doors never disagree: the same drawn questions through every door of one daemon, and every answer is the same.
//!
//! A door is one [`Door`] and one line of [`doors`]. What some door cannot say is left out of the question for all.

mod authzen;
mod envoy;
mod grpc;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sidegate::document::{Source, build};
use tonic::transport::{Channel, Endpoint};

use crate::print::print;
use crate::support::question::Question;
use crate::support::{Daemon, block_on};
use crate::universe::{Draw, Universe, question};

/// Worlds, and questions about each: 10,000 together.
const WORLDS: usize = 10;
const QUESTIONS: usize = 1_000;

/// What must be the same through every door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Verdict {
        allow: bool,
        reason: String,
        rule: String,
        undetermined: bool,
        digest: String,
    },
    /// The question cannot be asked.
    Malformed,
}

/// A world with questions that every door can ask.
pub(crate) struct Asked {
    pub(crate) universe: Universe,
    pub(crate) questions: Vec<Question>,
}

/// One way to ask a daemon.
#[tonic::async_trait]
pub(crate) trait Door {
    /// For a failure.
    fn name(&self) -> &'static str;

    /// One answer to each question, in order.
    async fn ask(&self, daemon: &Target, asked: &Asked) -> Vec<Answer>;
}

/// Where a daemon listens.
pub(crate) struct Target {
    /// `host:port` of the data listener.
    pub(crate) data: String,
    /// A connection to it.
    pub(crate) channel: Channel,
}

/// Every door; the first is what the others are held against.
fn doors() -> Vec<Box<dyn Door>> {
    vec![
        Box::new(grpc::Authorize),
        Box::new(grpc::Batch),
        Box::new(grpc::Stream),
        Box::new(envoy::Check),
        Box::new(authzen::Evaluation),
        Box::new(authzen::Evaluations),
    ]
}

/// Takes out of a question what a door cannot say; `None` where nothing is left to ask.
fn sayable(universe: &Universe, question: Question) -> Option<Question> {
    envoy::sayable(universe, question)
}

/// The source of a world, with what a door needs in it.
fn source(asked: &Asked) -> String {
    format!("{}{}", print(&asked.universe), envoy::section(asked))
}

#[test]
fn every_door_gives_the_same_answer_to_the_same_question() {
    let mut runner = TestRunner::deterministic();
    let (mut all, mut allowed, mut malformed) = (0, 0, 0);
    for world in 0..WORLDS {
        let (asked, text) = draw(&mut runner);
        let daemon = Daemon::start(&text).ready();
        let answers = block_on(async {
            let channel = Endpoint::from_shared(format!("http://{}", daemon.data)).unwrap().connect().await.unwrap();
            let target = Target { data: daemon.data.clone(), channel };
            let mut answers = Vec::new();
            for door in doors() {
                answers.push((door.name(), door.ask(&target, &asked).await));
            }
            answers
        });
        let ((first, wanted), others) = answers.split_first().unwrap();
        assert_eq!(wanted.len(), asked.questions.len(), "{first}");
        for (name, told) in others {
            assert_eq!(told.len(), wanted.len(), "{name}");
            for ((question, wanted), told) in asked.questions.iter().zip(wanted).zip(told) {
                assert_eq!(told, wanted, "world {world}: {name} differs from {first} on {question:?}");
            }
        }
        all += wanted.len();
        allowed += wanted.iter().filter(|answer| matches!(answer, Answer::Verdict { allow: true, .. })).count();
        malformed += wanted.iter().filter(|answer| **answer == Answer::Malformed).count();
        assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
    }
    assert_eq!(all, WORLDS * QUESTIONS);
    assert!((all / 50..all * 9 / 10).contains(&allowed), "{allowed} of {all} were allowed: the questions show little");
    assert!((1..all / 10).contains(&malformed), "{malformed} of {all} were malformed");
}

/// A world that loads, with questions about it; a few of them malformed.
fn draw(runner: &mut TestRunner) -> (Asked, String) {
    let mut choices = |most: usize| vec(any::<u16>(), most).new_tree(runner).unwrap().current();
    loop {
        let universe = Universe::draw(&mut Draw::new(&choices(2_400)));
        let plain = Source { name: "policy.yaml".to_owned(), bytes: print(&universe).into_bytes() };
        if build(vec![plain]).is_err() {
            continue;
        }
        let mut questions = Vec::with_capacity(QUESTIONS);
        while questions.len() < QUESTIONS {
            let mut drawn = question(&mut Draw::new(&choices(200)), &universe).0;
            if questions.len() % 40 == 7 {
                drawn.resource.id = "x".repeat(1025);
            }
            questions.extend(sayable(&universe, drawn));
        }
        let asked = Asked { universe, questions };
        let text = source(&asked);
        let whole = Source { name: "policy.yaml".to_owned(), bytes: text.clone().into_bytes() };
        if let Err(report) = build(vec![whole]) {
            panic!("the doors' own part is refused: {}", report.lines().join("\n"));
        }
        return (asked, text);
    }
}
