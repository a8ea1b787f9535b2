//! I10 and I13: the same input is the same index, in whatever form it was written, and its bytes say everything.

use sidegate::document::{Input, Source, build, build_streamed, parse};
use sidegate::index::Index;
use sidegate::index::file::{Publication, header, open};
use sidegate::model::Facts;

use super::{Broken, Sample, ask, opened, same};
use crate::print::{json_lines, print};
use crate::universe::Universe;

pub(super) fn decide_alike(sample: &Sample) -> Result<(), Broken> {
    deterministic(sample)?;
    ordered(sample)?;
    reopened(sample)?;
    round_trip(sample)
}

fn deterministic(sample: &Sample) -> Result<(), Broken> {
    let again = opened(&sample.universe).filter(|again| again.bytes() == sample.index.bytes());
    let again = again.ok_or_else(|| Broken { question: None, why: "I10: compiled twice, two indexes".to_owned() })?;
    sample.each(|question, time| {
        same(&ask(&sample.index, question, time), &ask(&again, question, time), "I10: two answers")
    })
}

/// What an author may write in any order has the same digest in any.
fn ordered(sample: &Sample) -> Result<(), Broken> {
    match opened(&sample.universe.shuffled()) {
        Some(other) if other.bytes() == sample.index.bytes() => Ok(()),
        Some(_) => Err(Broken { question: None, why: "I10: in another order, another index".to_owned() }),
        None => Err(Broken { question: None, why: "I10: in another order, refused".to_owned() }),
    }
}

fn reopened(sample: &Sample) -> Result<(), Broken> {
    let again = Index::open(sample.index.bytes().to_vec());
    let again =
        again.map_err(|error| Broken { question: None, why: format!("I13: it does not open again: {error}") })?;
    sample.each(|question, time| {
        same(&ask(&sample.index, question, time), &ask(&again, question, time), "I13: opened again, answers")
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
    let facts = Universe { policy: sample.universe.policy.clone(), facts: Facts::default() };
    let lines = build(vec![
        Source { name: "policy.yaml".to_owned(), bytes: print(&facts).into_bytes() },
        Source { name: "facts.jsonl".to_owned(), bytes: json_lines(&sample.universe).into_bytes() },
    ]);
    let lines = lines.map_err(|report| broken(format!("as lines of JSON, it is refused: {report}")))?;
    if built.index.bytes() != lines.index.bytes() {
        return Err(broken("as YAML and as lines of JSON, two indexes".to_owned()));
    }
    let lines = json_lines(&sample.universe);
    let streamed = build_streamed(vec![
        Input::whole(Source { name: "policy.yaml".to_owned(), bytes: print(&facts).into_bytes() }),
        Input::lines("facts.jsonl".to_owned(), lines.as_bytes()),
    ]);
    let streamed = streamed.map_err(|report| broken(format!("line by line, it is refused: {report}")))?;
    if built.index.bytes() != streamed.index.bytes() {
        return Err(broken("whole and line by line, two indexes".to_owned()));
    }
    let file = [header(&Publication::default(), &streamed.index).as_slice(), streamed.index.bytes()].concat();
    let (_, compiled) = open(file).map_err(|error| broken(format!("compiled, it does not open: {error}")))?;
    sample.each(|question, time| {
        same(&ask(&sample.index, question, time), &ask(&compiled, question, time), "I13: compiled, answers")
    })?;
    sample.each(|question, time| {
        same(&ask(&sample.index, question, time), &ask(&built.index, question, time), "I13: printed, answers")
    })
}
