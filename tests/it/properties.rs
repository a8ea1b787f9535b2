//! Properties of decisions in small universes: equality with the reference engine, and the invariants of the design.
//!
//! `SIDEGATE_DECISIONS=N` asks for more decisions, `SIDEGATE_SEED=N` for others; a failure prints the seed and the
//! smallest universe found, as a source that can be loaded.

mod lists;
mod shrink;
mod totality;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::env;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use sidegate::compile::compile;
use sidegate::decide;
use sidegate::document::{Source, build, parse};
use sidegate::index::Index;
use sidegate::model::{Decision, Reason, Severity, Timestamp};

use crate::print::print;
use crate::reference::{self, NotAsked, Outcome};
use crate::support::question::Question;
use crate::universe::{ATTRIBUTES, Draw, Universe, question};

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

/// Every reason that a policy of today can give.
const REACHABLE: [Reason; 19] = [
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
    Reason::Ceiling,
    Reason::Plan,
    Reason::ConditionFalse,
    Reason::ConditionUnknown,
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
    run("invariants", decisions() / 20, invariants);
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
    let strategy = (vec(any::<u16>(), 900..2_400), vec(any::<u16>(), 900..3_200));
    let result = TestRunner::new(config).run(&strategy, |(world, asked)| {
        let Some(sample) = Sample::draw(&world, &asked, &tally) else { return Ok(()) };
        property(&sample, &mut Draw::new(&asked)).map_err(|broken| TestCaseError::fail(broken.why))
    });
    println!("{name}: seed {}, {tally}", seed());
    match result {
        Ok(()) => tally.check(name),
        Err(TestError::Fail(why, (world, asked))) => {
            let sample = Sample::draw(&world, &asked, &tally).expect("it was drawn before");
            panic!("{name}: seed {}: {}", seed(), shrink::report(sample, property, &asked, &why));
        }
        Err(error) => panic!("{name}: seed {}: {error}", seed()),
    }
}

impl Sample {
    fn draw(world: &[u16], asked: &[u16], tally: &Tally) -> Option<Self> {
        let universe = Universe::draw(&mut Draw::new(world));
        let index = tally.compiled(&universe)?;
        let mut draw = Draw::new(asked);
        let questions: Vec<_> = (0..QUESTIONS).map(|_| question(&mut draw, &universe)).collect();
        Some(Self { universe, index, questions })
    }
}

/// What happened to the universes that were drawn.
#[derive(Default)]
struct Tally {
    compiled: Cell<usize>,
    refused: Cell<usize>,
    reasons: RefCell<BTreeMap<String, usize>>,
}

impl Tally {
    fn compiled(&self, universe: &Universe) -> Option<Index> {
        let refused = reference::refuses(&universe.policy, &universe.facts);
        match compile(&universe.policy, &universe.facts) {
            Ok(compiled) => {
                assert!(!refused, "this loads, and should not:\n{}", print(universe));
                self.compiled.set(self.compiled.get() + 1);
                Some(Index::open(compiled.bytes).expect("what was compiled opens"))
            }
            Err(findings) => {
                assert!(refused, "this is refused: {findings:?}\n{}", print(universe));
                self.refused.set(self.refused.get() + 1);
                for finding in findings.into_iter().filter(|finding| finding.severity == Severity::Error) {
                    *self.reasons.borrow_mut().entry(finding.message).or_default() += 1;
                }
                None
            }
        }
    }

    fn check(&self, name: &str) {
        let all = self.compiled.get() + self.refused.get();
        assert!(self.refused.get() * 5 <= all, "{name}: too many universes were refused: {self}");
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} universes, {} refused", self.compiled.get(), self.refused.get())?;
        let reasons = self.reasons.borrow();
        let mut most: Vec<_> = reasons.iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        most.iter().take(5).try_for_each(|(why, count)| write!(f, "\n  {count} × {why}"))
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
        same(&engine, &reference, "engine and reference")
    })
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

fn invariants(sample: &Sample, draw: &mut Draw<'_>) -> Result<(), Broken> {
    let universe = &sample.universe;
    sample.beside(&universe.without_bindings(), |_, none| never(allows(none), "I1: allowed without a role"))?;
    for stopped in [universe.blocked(), universe.forbidden_unless_known()] {
        sample.beside(&stopped, |before, after| {
            never(allows(after), "I2: allowed in spite of a forbid")?;
            let named =
                after.as_ref().is_ok_and(|after| matches!(after.reason, Reason::Forbidden | Reason::SecondObject));
            never(allows(before) && !named, "I2: a forbid stopped it and is not the reason")
        })?;
    }
    if let Some(more) = universe.with_binding(draw) {
        sample.beside(&more, |before, after| {
            never(allows(before) && !allows(after), "I3: a further role took something away")
        })?;
    }
    sample.beside(&universe.with_block(draw), |before, after| {
        never(allows(after) && !allows(before), "I3: a block gave something")
    })?;
    forgetting_never_widens(sample)?;
    if let Some(narrowed) = universe.narrowed(draw) {
        opened(&narrowed).ok_or_else(|| Broken { question: None, why: "I7: a lowered level is refused".to_owned() })?;
        sample.beside(&narrowed, |before, after| {
            never(allows(after) && !allows(before), "I7: a lower level gave something")
        })?;
    }
    sample.beside(&universe.shuffled(), |before, after| same(before, after, "I5: answers in another order"))?;
    sample.beside(&universe.with_another_tenant(), |before, after| {
        same(before, after, "I8: answers beside another tenant")
    })?;
    deterministic(sample)?;
    round_trip(sample)?;
    let index = opened(&universe.renamed())
        .ok_or_else(|| Broken { question: None, why: "I13: renamed ids are refused".to_owned() })?;
    sample.each(|question, time| {
        same(
            &ask(&sample.index, question, time),
            &ask(&index, &question.renamed(), time),
            "I13: answers under other ids",
        )
    })?;
    sample.each(|question, time| doors_agree(&sample.index, question, time))?;
    lists::agree(sample)
}

fn forgetting_never_widens(sample: &Sample) -> Result<(), Broken> {
    for attribute in ATTRIBUTES.iter().filter(|attribute| sample.universe.is_unknown_when_forgotten(attribute)) {
        let Some(index) = opened(&sample.universe.forgetting(attribute)) else { continue };
        sample.each(|question, time| {
            let before = ask(&sample.index, question, time);
            // What contradicts, or is malformed, was no value to forget.
            let Ok(Outcome { reason, .. }) = &before else { return Ok(()) };
            let after = ask(&index, &question.forgetting(attribute), time);
            let widened = *reason != Reason::ContradictsSnapshot && !allows(&before) && allows(&after);
            never(widened, &format!("I4: forgetting `{attribute}` gave something"))
        })?;
    }
    Ok(())
}

fn deterministic(sample: &Sample) -> Result<(), Broken> {
    let again = opened(&sample.universe).filter(|again| again.bytes() == sample.index.bytes());
    let again = again.ok_or_else(|| Broken { question: None, why: "I10: compiled twice, two indexes".to_owned() })?;
    sample.each(|question, time| {
        same(&ask(&sample.index, question, time), &ask(&again, question, time), "I10: two answers")
    })
}

fn round_trip(sample: &Sample) -> Result<(), Broken> {
    let text = print(&sample.universe);
    let broken = |why: String| Broken { question: None, why: format!("I13: {why}") };
    let source = Source { name: "printed.yaml".to_owned(), bytes: text.clone().into_bytes() };
    let (policy, facts) = parse(std::slice::from_ref(&source)).map_err(|findings| broken(format!("{findings:?}")))?;
    let again = print(&Universe { policy, facts });
    if again != text {
        return Err(broken(format!("read as\n{again}, printed was\n{text}")));
    }
    let built = build(vec![source]).map_err(|report| broken(format!("printed, it is refused: {report}")))?;
    sample.each(|question, time| {
        same(&ask(&sample.index, question, time), &ask(&built.index, question, time), "I13: printed, answers")
    })
}

/// Explain and the list of actions say what Authorize says.
fn doors_agree(index: &Index, question: &Question, time: Timestamp) -> Result<(), String> {
    let verdict = question.with(|request| decide::authorize(index, request, time));
    let explained =
        question.with(|request| decide::explain(index, request, time)).map(|explanation| explanation.verdict);
    never(verdict != explained, &format!("I14: explained as {explained:?}, is {verdict:?}"))?;
    let Ok(listed) = question.with(|request| decide::list_actions(index, request, time)) else { return Ok(()) };
    listed.into_iter().try_for_each(|listed| {
        let one = Question { action: listed.action.clone(), ..question.clone() };
        let verdict = one.with(|request| decide::authorize(index, request, time));
        never(verdict.as_ref() != Ok(&listed.verdict), &format!("I11: listed as {listed:?}, is {verdict:?}"))
    })
}
