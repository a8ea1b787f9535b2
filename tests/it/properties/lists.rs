//! I11: a list, in pages of whatever size, is exactly what Authorize allows, one by one.

use sidegate::decide::{self, ListError, Listing, PageBounds};
use sidegate::index::Index;
use sidegate::model::{Entity, EntityName, Facts, Malformed, Timestamp};

use super::{Broken, Sample};
use crate::support::question::Question;
use crate::universe::chain;

/// Most allowed and most looked at on a page: small, large, and one of them deciding alone.
const BOUNDS: [(usize, u32); 8] = [(1, 1_000), (5, 1_000), (16, 7), (53, 3), (100, 1), (1_000, 1_000), (1, 2), (0, 0)];

/// Who is allowed, and how many a missing value left out.
type Answer = Result<(Vec<EntityName>, u32), Malformed>;

/// Lists of some of the questions against their checks: each is as much work as hundreds of checks.
pub(super) fn agree(sample: &Sample) -> Result<(), Broken> {
    sample.questions.iter().step_by(3).try_for_each(|(question, time)| {
        let agree = lists_agree(&sample.index, &sample.universe.facts, question, *time);
        agree.map_err(|why| Broken { question: Some(Box::new((question.clone(), *time))), why })
    })
}

/// Every list that a question can be made into.
fn lists_agree(index: &Index, facts: &Facts, question: &Question, time: Timestamp) -> Result<(), String> {
    let within = question.parent.as_ref();
    resources(index, facts, question, None, time)?;
    resources(index, facts, question, within, time)?;
    subjects(index, facts, question, &question.subject.kind, time)?;
    subjects(index, facts, question, "", time)
}

fn resources(
    index: &Index,
    facts: &Facts,
    question: &Question,
    within: Option<&EntityName>,
    time: Timestamp,
) -> Result<(), String> {
    let is_within = |own| within.is_none_or(|scope| chain(facts, own).iter().any(|above| *above.name == *scope));
    let of_type = facts.resources.iter().filter(|own| own.name.kind == question.resource.kind);
    let candidates = of_type.filter(|own| is_within(own)).map(|own| own.name.value.clone());
    let wanted = checked(index, candidates.collect(), time, |resource| Question { resource, ..question.clone() });
    compare("resources", &wanted, |from, bounds| {
        question.with(|request| {
            let within = within.map(EntityName::as_entity);
            page(&Listing::of_resources(index, request, within, time)?, from, bounds)
        })
    })
}

fn subjects(index: &Index, facts: &Facts, question: &Question, kind: &str, time: Timestamp) -> Result<(), String> {
    // Credentials are listed only where their type is named.
    let credentials = facts.credentials.iter().map(|own| own.name.value.clone()).filter(|own| own.kind == kind);
    let names = facts.subjects.iter().map(|own| own.name.value.clone());
    let candidates = names.filter(|own| kind.is_empty() || own.kind == kind).chain(credentials).collect();
    let wanted = checked(index, candidates, time, |subject| Question { subject, ..question.clone() });
    let subject = EntityName { kind: kind.to_owned(), id: String::new() };
    let question = Question { subject, ..question.clone() };
    compare("subjects", &wanted, |from, bounds| {
        question.with(|request| page(&Listing::of_subjects(index, request, time)?, from, bounds))
    })
}

/// What Authorize says of every candidate.
fn checked(
    index: &Index,
    candidates: Vec<EntityName>,
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

struct Page {
    allowed: Vec<EntityName>,
    undetermined: u32,
    next: Option<u32>,
}

fn page(listing: &Listing<'_, '_>, from: u32, bounds: PageBounds) -> Result<Page, ListError> {
    let decide::Page { allowed, undetermined, next } = listing.page(from, bounds)?;
    assert!(allowed.len() <= bounds.allowed.max(1), "a page of {}, wanted {}", allowed.len(), bounds.allowed);
    let owned = |name: Entity<'_>| EntityName { kind: name.kind.to_owned(), id: name.id.to_owned() };
    Ok(Page { allowed: allowed.into_iter().map(owned).collect(), undetermined, next })
}

fn compare(
    what: &str,
    wanted: &Answer,
    ask: impl Fn(u32, PageBounds) -> Result<Page, ListError>,
) -> Result<(), String> {
    let mut orders = Vec::new();
    for (allowed, looked_at) in BOUNDS {
        let bounds = PageBounds { allowed, looked_at };
        let listed = whole(&ask, bounds);
        if let Ok((order, _)) = &listed {
            orders.push(order.clone());
        }
        let listed = listed.map(|(mut names, undetermined)| {
            names.sort();
            (names, undetermined)
        });
        let same = match (&listed, wanted) {
            (Ok(listed), Ok(wanted)) => listed == wanted,
            (Err(ListError::Malformed(listed)), Err(wanted)) => listed == wanted,
            _ => false,
        };
        if !same {
            return Err(format!("I11: {what} in pages of {bounds:?} are {listed:?}, checked one by one {wanted:?}"));
        }
    }
    let is_fixed = orders.windows(2).all(|pair| pair[0] == pair[1]);
    let beyond = ask(u32::MAX, PageBounds { allowed: 1, looked_at: 1 });
    let is_empty = beyond.is_ok_and(|page| page.allowed.is_empty() && page.next.is_none());
    match (is_fixed, is_empty || wanted.is_err()) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("I11: {what} stand in another order on pages of another size")),
        (true, false) => Err(format!("I11: {what} go on behind the last")),
    }
}

/// Every page, one behind the other.
fn whole(
    ask: &impl Fn(u32, PageBounds) -> Result<Page, ListError>,
    bounds: PageBounds,
) -> Result<(Vec<EntityName>, u32), ListError> {
    let (mut allowed, mut undetermined, mut from) = (Vec::new(), 0, 0);
    loop {
        let page = ask(from, bounds)?;
        allowed.extend(page.allowed);
        undetermined += page.undetermined;
        match page.next {
            None => return Ok((allowed, undetermined)),
            Some(next) => {
                assert!(next > from, "a page that does not go on");
                from = next;
            }
        }
    }
}
