//! Universes drawn from the bytes, as the properties of `tests/it` draw them from a seed.

use sidegate::compile::compile;
use sidegate::decide::{self, Listing, PageBounds};
use sidegate::index::Index;
use sidegate::model::{Entity, EntityName, Malformed, Timestamp};

use crate::reference::{self, NotAsked, Outcome};
use crate::support::question::Question;
use crate::universe::{Draw, Universe, chain, question};

/// How many questions each universe is asked.
const QUESTIONS: usize = 24;

/// The bytes are choices, two bytes each: the first two say how many of them make the universe, the rest its questions.
/// The engine must answer each as the reference does.
///
/// # Panics
/// When it does not.
pub fn decide_reference(data: &[u8]) {
    with_universe(data, |universe, index, questions| {
        for (question, time) in questions {
            let engine = question.with(|request| decide::authorize(index, request, time));
            let engine = engine.map_err(|_| NotAsked).map(|verdict| Outcome {
                decision: verdict.decision,
                reason: verdict.reason,
                rule: index.rule_id(verdict.because),
                undetermined: verdict.undetermined,
            });
            let Universe { policy, facts } = universe;
            let reference = question.with(|request| reference::decide(policy, facts, request, time));
            assert_eq!(engine, reference, "{question:?} at {time}\n{universe:#?}");
        }
    });
}

/// The bytes are choices as in [`decide_reference`]. What a list holds, in pages of sizes drawn too, must be what is
/// allowed one by one.
///
/// # Panics
/// When it is not.
pub fn list_decide(data: &[u8]) {
    let sizes: Vec<_> = data.iter().rev().take(3).map(|size| usize::from(*size)).collect();
    let bounds = PageBounds {
        allowed: sizes.first().copied().unwrap_or(1),
        looked_at: u32::try_from(sizes.get(1).copied().unwrap_or(1)).unwrap_or(1),
    };
    with_universe(data, |universe, index, questions| {
        for (question, time) in questions.take(6) {
            resources(universe, index, &question, time, bounds);
            subjects(universe, index, &question, time, bounds);
        }
    });
}

fn with_universe(data: &[u8], test: impl FnOnce(&Universe, &Index, &mut dyn Iterator<Item = (Question, Timestamp)>)) {
    let choices: Vec<u16> =
        data.chunks(2).map(|pair| pair.iter().rev().fold(0, |sum, byte| sum << 8 | u16::from(*byte))).collect();
    let Some((split, choices)) = choices.split_first() else { return };
    let (world, asked) = choices.split_at(usize::from(*split).min(choices.len()));
    let universe = Universe::draw(&mut Draw::new(world));
    let Ok(compiled) = compile(&universe.policy, &universe.facts) else { return };
    assert!(!reference::refuses(&universe.policy, &universe.facts), "this should be refused: {universe:#?}");
    let index = Index::open(compiled.bytes).expect("what was compiled opens");
    let mut draw = Draw::new(asked);
    test(&universe, &index, &mut (0..QUESTIONS).map(|_| question(&mut draw, &universe)));
}

/// Who or what is allowed, sorted, and how many a missing value left out.
type Answer = Result<(Vec<EntityName>, u32), Malformed>;

fn resources(universe: &Universe, index: &Index, question: &Question, time: Timestamp, bounds: PageBounds) {
    let facts = &universe.facts;
    for within in [None, question.parent.as_ref()] {
        let is_within =
            |own: &&_| within.is_none_or(|scope| chain(facts, own).iter().any(|above| *above.name == *scope));
        let of_type = facts.resources.iter().filter(|own| own.name.kind == question.resource.kind);
        let candidates = of_type.filter(is_within).map(|own| own.name.value.clone());
        let wanted = one_by_one(index, candidates, time, |resource| Question { resource, ..question.clone() });
        let listed = question.with(|request| {
            let within = within.map(EntityName::as_entity);
            whole(Listing::of_resources(index, request, within, time), bounds)
        });
        same(&listed, &wanted, question, universe);
    }
}

fn subjects(universe: &Universe, index: &Index, question: &Question, time: Timestamp, bounds: PageBounds) {
    let candidates = universe.facts.subjects.iter().map(|own| own.name.value.clone());
    let wanted = one_by_one(index, candidates, time, |subject| Question { subject, ..question.clone() });
    let everybody = EntityName { kind: String::new(), id: String::new() };
    let question = Question { subject: everybody, ..question.clone() };
    let listed = question.with(|request| whole(Listing::of_subjects(index, request, time), bounds));
    same(&listed, &wanted, &question, universe);
}

fn same(listed: &Answer, wanted: &Answer, question: &Question, universe: &Universe) {
    assert_eq!(listed, wanted, "listed, and one by one: {question:?}\n{universe:#?}");
}

fn one_by_one(
    index: &Index,
    candidates: impl Iterator<Item = EntityName>,
    time: Timestamp,
    question: impl Fn(EntityName) -> Question,
) -> Answer {
    let (mut allowed, mut undetermined) = (Vec::new(), 0);
    for candidate in candidates {
        let verdict = question(candidate.clone()).with(|request| decide::authorize(index, request, time))?;
        undetermined += u32::from(verdict.undetermined && !verdict.is_allow());
        allowed.extend(verdict.is_allow().then_some(candidate));
    }
    allowed.sort();
    Ok((allowed, undetermined))
}

/// Every page of a list, one behind the other.
fn whole(listing: Result<Listing<'_, '_>, decide::ListError>, bounds: PageBounds) -> Answer {
    let malformed = |error| match error {
        decide::ListError::Malformed(malformed) => malformed,
        decide::ListError::Corrupt(corrupt) => panic!("{corrupt}"),
    };
    let listing = listing.map_err(malformed)?;
    let (mut allowed, mut undetermined, mut from) = (Vec::new(), 0, Some(0));
    while let Some(start) = from {
        let page = listing.page(start, bounds).map_err(malformed)?;
        let owned = |name: Entity<'_>| EntityName { kind: name.kind.to_owned(), id: name.id.to_owned() };
        allowed.extend(page.allowed.into_iter().map(owned));
        undetermined += page.undetermined;
        assert!(page.next.is_none_or(|next| next > start), "a page that does not go on");
        from = page.next;
    }
    allowed.sort();
    Ok((allowed, undetermined))
}
