//! Properties of decisions in small universes: equality with the reference engine, and the invariants of the design.
//!
//! `SIDEGATE_DECISIONS=N` asks for more decisions, `SIDEGATE_SEED=N` for others; a failure prints the seed and the
//! smallest universe found, as a source that can be loaded.

mod counts;
mod forms;
mod invariants;
mod lists;
mod load;
mod narrowing;
mod shrink;
mod totality;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::env;
use std::hint::black_box;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use sidegate::compile::compile;
use sidegate::decide::{self, Ahead};
use sidegate::index::Index;
use sidegate::model::{Decision, Malformed, Reason, Request, Severity, Timestamp, Verdict};

use crate::reference::{self, NotAsked, Outcome};
use crate::support::question::Question;
use crate::universe::{Draw, Universe, question};

/// How many questions each universe is asked.
const QUESTIONS: usize = 50;

/// A universe, its index and questions about it.
struct Sample {
    universe: Universe,
    index: Index,
    questions: Vec<(Question, Timestamp)>,
}

/// Why a sample breaks a property: about which question, if about one.
struct Broken {
    question: Option<Box<(Question, Timestamp)>>,
    why: String,
}

/// Every reason but that of a broken snapshot.
const REACHABLE: [Reason; 22] = [
    Reason::Granted,
    Reason::UnknownType,
    Reason::UnknownAction,
    Reason::UnknownSubject,
    Reason::Disabled,
    Reason::MissingParameter,
    Reason::UnknownParameter,
    Reason::UnknownResource,
    Reason::ContradictsSnapshot,
    Reason::NoGrant,
    Reason::Expired,
    Reason::LevelTooLow,
    Reason::Narrowed,
    Reason::NotInCustomSet,
    Reason::Ceiling,
    Reason::Plan,
    Reason::OutOfPurview,
    Reason::ConditionFalse,
    Reason::ConditionUnknown,
    Reason::CredentialScope,
    Reason::SecondObject,
    Reason::Forbidden,
];

thread_local! {
    /// How often each reason was given.
    static SEEN: RefCell<BTreeMap<Reason, usize>> = const { RefCell::new(BTreeMap::new()) };
}

type Answer = Result<Outcome, NotAsked>;

type Property = fn(&Sample, &mut Draw<'_>) -> Result<(), Broken>;

#[test]
fn equals_the_reference_engine() {
    run("equality", decisions(), equality);
    let seen = SEEN.take();
    println!("equality: {seen:?}");
    let unseen: Vec<_> = REACHABLE.iter().filter(|reason| !seen.contains_key(reason)).collect();
    assert!(unseen.is_empty(), "the questions never led to {unseen:?}");
}

#[test]
fn invariants_hold() {
    run("invariants", decisions() / 20, invariants::hold);
}

/// How many decisions the run is worth.
fn decisions() -> usize {
    env::var("SIDEGATE_DECISIONS").map_or(100_000, |text| text.parse().expect("SIDEGATE_DECISIONS is a number"))
}

fn seed() -> u64 {
    env::var("SIDEGATE_SEED").map_or(1, |text| text.parse().expect("SIDEGATE_SEED is a number"))
}

/// Runs a property over as many universes as the decisions need, and reports the smallest that breaks it.
fn run(name: &str, decisions: usize, property: Property) {
    let cases = u32::try_from(decisions / QUESTIONS).expect("fewer decisions") + 1;
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed()),
        max_shrink_iters: 300,
        ..Config::default()
    };
    let tally = Tally::default();
    let strategy = (vec(any::<u16>(), 1_200..3_600), vec(any::<u16>(), 1_500..4_800));
    let result = TestRunner::new(config).run(&strategy, |(world, asked)| {
        let sample = Sample::draw(&world, &asked, &tally).map_err(TestCaseError::fail)?;
        property(&sample, &mut Draw::new(&asked)).map_err(|broken| TestCaseError::fail(broken.why))
    });
    println!("{name}: seed {}, {tally}", seed());
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, (world, asked))) => {
            let small = Sample::draw(&world, &asked, &tally).map_or_else(
                |_| load::report(Universe::draw(&mut Draw::new(&world))),
                |sample| shrink::report(sample, property, &asked, &why),
            );
            panic!("{name}: seed {}: {small}", seed());
        }
        Err(error) => panic!("{name}: seed {}: {error}", seed()),
    }
}

impl Sample {
    /// A universe without mistakes, which loads.
    fn draw(world: &[u16], asked: &[u16], tally: &Tally) -> Result<Self, String> {
        let universe = Universe::draw(&mut Draw::new(world));
        let index = tally.compiled(&universe)?;
        let mut draw = Draw::new(asked);
        let questions: Vec<_> = (0..QUESTIONS).map(|_| question(&mut draw, &universe)).collect();
        Ok(Self { universe, index, questions })
    }
}

/// What happened to the universes that were drawn.
#[derive(Default)]
struct Tally {
    compiled: Cell<usize>,
    asked: Cell<usize>,
    refused: RefCell<BTreeMap<String, usize>>,
}

impl Tally {
    /// The index of a universe; both engines must agree on whether there is one.
    fn compiled(&self, universe: &Universe) -> Result<Index, String> {
        let refused = reference::refuses(&universe.policy, &universe.facts);
        match compile(&universe.policy, &universe.facts) {
            Ok(_) if refused => Err("I19: this loads, and should not".to_owned()),
            Ok(compiled) => {
                self.compiled.set(self.compiled.get() + 1);
                self.asked.set(self.asked.get() + QUESTIONS);
                Ok(Index::open(compiled.bytes).expect("what was compiled opens"))
            }
            Err(findings) => {
                let errors: Vec<_> =
                    findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
                for finding in &errors {
                    *self.refused.borrow_mut().entry(finding.message.clone()).or_default() += 1;
                }
                Err(format!("this is refused: {errors:?}"))
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} universes, {} questions", self.compiled.get(), self.asked.get())?;
        let refused = self.refused.borrow();
        let mut most: Vec<_> = refused.iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        most.iter().take(12).try_for_each(|(why, count)| write!(f, "\n  {count} × {why}"))
    }
}

/// The engine's answer in the reference's form.
fn ask(index: &Index, question: &Question, time: Timestamp) -> Answer {
    let verdict = question.with(|request| decide::authorize(index, request, time)).map_err(|_| NotAsked)?;
    Ok(Outcome {
        decision: verdict.decision,
        reason: verdict.reason,
        rule: index.rule_id(verdict.because),
        undetermined: verdict.undetermined,
    })
}

fn equality(sample: &Sample, _: &mut Draw<'_>) -> Result<(), Broken> {
    let Universe { policy, facts } = &sample.universe;
    sample.each(|question, time| {
        let engine = ask(&sample.index, question, time);
        let reference = question.with(|request| reference::decide(policy, facts, request, time));
        if let Ok(outcome) = &reference {
            SEEN.with_borrow_mut(|seen| *seen.entry(outcome.reason).or_default() += 1);
        }
        let heap = question.with(|request| {
            allocation_counter::measure(|| {
                black_box(decide::authorize(&sample.index, request, time).ok());
                black_box(ahead(&sample.index, request, time).ok());
            })
        });
        let alone = question.with(|request| decide::authorize(&sample.index, request, time));
        let read_ahead = question.with(|request| ahead(&sample.index, request, time));
        never(alone != read_ahead, "reading ahead changes the answer")?;
        // What is wrong with a malformed request is told in words.
        never(engine.is_ok() && heap.count_total > 0, "deciding allocates")?;
        same(&engine, &reference, "engine and reference")
    })
}

/// The same answer in the way in which several questions are answered.
fn ahead(index: &Index, request: &Request<'_>, time: Timestamp) -> Result<Verdict, Malformed> {
    let mut ahead = [Ahead::new(index, *request)];
    Ahead::read(&mut ahead);
    let [one] = ahead;
    one.authorize(time)
}

fn same(left: &Answer, right: &Answer, what: &str) -> Result<(), String> {
    if left == right { Ok(()) } else { Err(format!("{what} differ:\n  {left:?}\n  {right:?}")) }
}

impl Sample {
    /// Tests something of every question.
    fn each(&self, mut test: impl FnMut(&Question, Timestamp) -> Result<(), String>) -> Result<(), Broken> {
        self.questions.iter().try_for_each(|(question, time)| {
            test(question, *time).map_err(|why| Broken { question: Some(Box::new((question.clone(), *time))), why })
        })
    }

    /// The answers of another universe beside this one's.
    fn beside(
        &self,
        other: &Universe,
        mut test: impl FnMut(&Answer, &Answer) -> Result<(), String>,
    ) -> Result<(), Broken> {
        let Some(index) = opened(other) else { return Ok(()) };
        self.each(|question, time| test(&ask(&self.index, question, time), &ask(&index, question, time)))
    }
}

fn opened(universe: &Universe) -> Option<Index> {
    let compiled = compile(&universe.policy, &universe.facts).ok()?;
    Index::open(compiled.bytes).ok()
}

fn allows(outcome: &Answer) -> bool {
    outcome.as_ref().is_ok_and(|outcome| outcome.decision == Decision::Allow)
}

fn never(wrong: bool, what: &str) -> Result<(), String> {
    if wrong { Err(what.to_owned()) } else { Ok(()) }
}
