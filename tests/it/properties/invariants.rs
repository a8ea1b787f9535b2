//! The invariants of the design, of each universe and of changes to it whose effect is known.

use sidegate::decide;
use sidegate::index::Index;
use sidegate::model::{Reason, Timestamp};

use super::{Broken, Outcome, Sample, allows, ask, counts, forms, lists, narrowing, never, opened, same};
use crate::support::question::Question;
use crate::universe::{ADMIN, ATTRIBUTES, Draw};

pub(super) fn hold(sample: &Sample, draw: &mut Draw<'_>) -> Result<(), Broken> {
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
        let index =
            opened(&more).ok_or_else(|| Broken { question: None, why: "I3: a further role is refused".to_owned() })?;
        // What somebody holds may well keep others from administering it.
        sample.each(|question, time| {
            let took = !ADMIN.contains(&question.action.as_str())
                && allows(&ask(&sample.index, question, time))
                && !allows(&ask(&index, question, time));
            never(took, "I3: a further role took something away")
        })?;
    }
    sample.beside(&universe.with_block(draw), |before, after| {
        never(allows(after) && !allows(before), "I3: a block gave something")
    })?;
    forgetting_never_widens(sample)?;
    narrowing::never_widens(sample, draw)?;
    sample.beside(&universe.shuffled(), |before, after| same(before, after, "I5: answers in another order"))?;
    sample.beside(&universe.with_another_tenant(), |before, after| {
        same(before, after, "I8: answers beside another tenant")
    })?;
    forms::decide_alike(sample)?;
    let index = opened(&universe.renamed())
        .ok_or_else(|| Broken { question: None, why: "I13: renamed ids are refused".to_owned() })?;
    sample.each(|question, time| {
        same(
            &ask(&sample.index, question, time),
            &ask(&index, &question.renamed(), time),
            "I13: answers under other ids",
        )
    })?;
    sample.each(|question, time| is_its_bytes(&sample.index, question, time))?;
    sample.each(|question, time| doors_agree(&sample.index, question, time))?;
    lists::agree(sample)?;
    counts::agree(sample)
}

/// I12: who is named almost like somebody is nobody.
fn is_its_bytes(index: &Index, question: &Question, time: Timestamp) -> Result<(), String> {
    let own = &question.subject.id;
    for id in [own.to_uppercase(), format!("{own} "), format!("{own}\u{301}"), format!("{own}/")] {
        let mut other = question.clone();
        other.subject.id.clone_from(&id);
        let aliased = id != *own && allows(&ask(index, &other, time));
        never(aliased, &format!("I12: `{id}` was allowed like `{own}`"))?;
    }
    Ok(())
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
        // A parameter of another action is none of this one's.
        let is_anothers = matches!(&verdict, Err(malformed) if malformed.field.starts_with("action.properties"));
        let differs = !is_anothers && verdict.as_ref() != Ok(&listed.verdict);
        never(differs, &format!("I11: listed as {listed:?}, is {verdict:?}"))
    })
}
