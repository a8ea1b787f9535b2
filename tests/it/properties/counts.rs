//! I11: seats are counted and levels listed as the reference does it, one subject and one scope after the other.

use sidegate::decide;
use sidegate::index::Index;
use sidegate::model::Timestamp;

use super::{Broken, Sample};
use crate::reference;
use crate::support::question::Question;
use crate::universe::{LEVELS, Universe};

pub(super) fn agree(sample: &Sample) -> Result<(), Broken> {
    sample.each(|question, time| {
        seats(&sample.index, &sample.universe, question, time)?;
        levels(&sample.index, &sample.universe, question, time)
    })
}

/// Of each class, in the scope that the question is about.
fn seats(index: &Index, universe: &Universe, question: &Question, time: Timestamp) -> Result<(), String> {
    let Universe { policy, facts } = universe;
    let scope = &question.resource;
    let held = facts.resources.iter().any(|own| *own.name == *scope);
    for class in &policy.seats {
        let counted = decide::count_seats(index, &class.name, scope.as_entity(), time).ok();
        let wanted = held.then(|| reference::seats(policy, facts, &class.name, scope, time));
        if counted != wanted.and_then(|wanted| u64::try_from(wanted).ok()) {
            return Err(format!("I11: {counted:?} seats of `{}` are counted, not {wanted:?}", *class.name));
        }
    }
    Ok(())
}

fn levels(index: &Index, universe: &Universe, question: &Question, time: Timestamp) -> Result<(), String> {
    let Universe { policy, facts } = universe;
    let (subject, scope) = (&question.subject, &question.resource);
    let asker = facts.subjects.iter().find(|own| *own.name == *subject);
    let held = facts.resources.iter().any(|own| *own.name == *scope);
    let listed = decide::list_levels(index, subject.as_entity(), scope.as_entity(), time);
    let Some(asker) = asker.filter(|_| held) else { return Ok(()) };
    let wanted = reference::levels(policy, facts, subject, scope, time);
    let wanted: Vec<_> =
        wanted.into_iter().map(|(path, step)| (path, LEVELS[if asker.disabled { 0 } else { step }])).collect();
    let listed = listed.map_err(|error| format!("I11: no levels: {error}"))?;
    let listed: Vec<_> = listed.iter().map(|own| (own.governor.as_str(), own.level.as_str())).collect();
    if listed == wanted { Ok(()) } else { Err(format!("I11: levels {listed:?} are listed, not {wanted:?}")) }
}
