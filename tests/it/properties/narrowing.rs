//! I7 and I18: what restricts never gives.

use sidegate::model::Timestamp;

use super::{Broken, Sample, allows, ask, never, opened};
use crate::universe::{Draw, MOMENTS, Universe};

pub(super) fn never_widens(sample: &Sample, draw: &mut Draw<'_>) -> Result<(), Broken> {
    let universe = &sample.universe;
    let narrower = [
        ("a lowered level", universe.narrowed(draw)),
        ("a shorter list", universe.with_a_shorter_list(draw)),
        ("a narrower credential", Some(universe.with_narrower_credentials(draw))),
        ("something disabled", universe.with_something_disabled(draw)),
    ];
    for (what, narrower) in narrower {
        let Some(narrower) = narrower else { continue };
        // Only disabling can break what loading demands: a base that is disabled is none.
        if what != "something disabled" && opened(&narrower).is_none() {
            return Err(Broken { question: None, why: format!("I7: {what} is refused") });
        }
        sample.beside(&narrower, |before, after| {
            never(allows(after) && !allows(before), &format!("I7: {what} gave something"))
        })?;
    }
    ends(sample, universe)
}

/// When every binding has ended, nothing is allowed, whatever was allowed before.
fn ends(sample: &Sample, universe: &Universe) -> Result<(), Broken> {
    let end = Timestamp::parse(MOMENTS[1]).expect("a moment");
    let index = opened(&universe.ending(end))
        .ok_or_else(|| Broken { question: None, why: "I18: bindings that end are refused".to_owned() })?;
    sample.each(|question, time| {
        let late = time.max(end);
        never(allows(&ask(&index, question, late)), "I18: allowed after every binding ended")
    })
}
