//! Recomputes every answer with the reference engine, on exactly the snapshot and at the moment that it names.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use sidegate::model::{Decision, EntityName, Timestamp};
use tonic::Code;

use super::{Answer, Asked, Exchange, Failed, Named, Reply, Version, Versions};
use crate::reference::{self, NotAsked, Outcome};
use crate::support::Daemon;
use crate::support::question::Question;

/// How many findings are told in full.
const MOST_TOLD: usize = 8;

/// What the answers of a run come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Calls made.
    pub(crate) calls: usize,
    /// Answers that were recomputed.
    pub(crate) checked: usize,
    /// How many of them allowed something.
    pub(crate) allowed: usize,
    /// How many versions answered.
    pub(crate) versions: usize,
    /// Answers that are not what the reference says, or that name a snapshot which nobody wrote.
    pub(crate) wrong: usize,
    /// Accepted calls without an answer and without an error.
    pub(crate) lost: usize,
    /// Told by the daemon itself.
    pub(crate) panics: usize,
    /// Allows where the reference does not allow.
    pub(crate) fail_open: usize,
    /// Batches and lists that more than one snapshot answered.
    pub(crate) mixed: usize,
    /// Answers of one connection from a version that was written before an earlier answer's, or of an earlier moment.
    pub(crate) backwards: usize,
    /// Calls whose connection broke.
    pub(crate) broken: usize,
    /// Calls that the daemon refused, by code.
    pub(crate) refused: BTreeMap<String, usize>,
    /// Some of what is wrong, in words.
    pub(crate) told: Vec<String>,
}

impl Findings {
    /// # Panics
    /// Where anything is wrong, lost, open, mixed or backwards.
    pub(crate) fn assert_clean(&self) {
        let Self { wrong, lost, panics, fail_open, mixed, backwards, .. } = self;
        let all = [wrong, lost, panics, fail_open, mixed, backwards];
        assert!(all.into_iter().all(|count| *count == 0), "{self}\n{}", self.told.join("\n"));
        assert!(self.checked > 0, "nothing was asked: {self}");
    }

    /// As [`Findings::assert_clean`]; and no call broke or was refused.
    pub(crate) fn assert_all_answered(&self) {
        self.assert_clean();
        assert!(self.broken == 0 && self.refused.is_empty(), "{self}");
    }

    /// The same with what the daemon itself tells of panics.
    pub(crate) fn with_panics_of(mut self, daemon: &Daemon) -> Self {
        let said = daemon.process.err().iter().filter(|line| line.contains("panicked")).count();
        self.panics += said.max(usize::try_from(daemon.metric("sidegate_handler_panics_total")).unwrap());
        self
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.told.len() < MOST_TOLD {
            self.told.push(what());
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, checked, allowed, versions, wrong, lost, panics, fail_open, mixed, backwards, .. } = self;
        write!(
            f,
            "{calls} calls, {checked} answers checked ({allowed} allowed) from {versions} versions: wrong {wrong}, lost \
             {lost}, panics {panics}, fail_open {fail_open}, mixed {mixed}, backwards {backwards}; broken {}, refused {:?}",
            self.broken, self.refused
        )
    }
}

/// Checks what was exchanged on each connection.
pub(crate) fn check(connections: &[Vec<Exchange>], versions: &Versions, questions: &[Question]) -> Findings {
    let mut judge =
        Judge { versions, questions, known: HashMap::new(), seen: Vec::new(), findings: Findings::default() };
    for exchanges in connections {
        judge.connection(exchanges);
    }
    judge.findings.versions = judge.seen.len();
    judge.findings
}

struct Judge<'a> {
    versions: &'a Versions,
    questions: &'a [Question],
    /// What a version says at all times, where it does.
    known: HashMap<(usize, usize, bool), Answer>,
    seen: Vec<usize>,
    findings: Findings,
}

/// How far a connection has come: which version, which moment.
type Progress = (usize, Option<Timestamp>);

impl Judge<'_> {
    fn connection(&mut self, exchanges: &[Exchange]) {
        let mut progress = (0, None);
        for exchange in exchanges {
            self.findings.calls += 1;
            match &exchange.outcome {
                Ok(replies) => self.replies(exchange.asked, replies, &mut progress),
                Err(Failed::Lost) => {
                    self.findings.lost += 1;
                    self.findings.tell(|| format!("lost: {exchange:?}"));
                }
                Err(Failed::Transport) => self.findings.broken += 1,
                Err(Failed::Refused(code)) if is_part_of_lists(exchange.asked, *code) => {}
                Err(Failed::Refused(code)) => {
                    *self.findings.refused.entry(format!("{code:?}")).or_default() += 1;
                }
            }
        }
    }

    fn replies(&mut self, asked: Asked, replies: &[Reply], progress: &mut Progress) {
        let is_one = matches!(asked, Asked::Batch | Asked::Resources | Asked::Subjects);
        if is_one && replies.windows(2).any(|pair| pair[0].from != pair[1].from) {
            self.findings.mixed += 1;
            self.findings.tell(|| format!("mixed: {asked:?} {replies:?}"));
        }
        let pages = if matches!(asked, Asked::Resources | Asked::Subjects) { replies.len() - 1 } else { 0 };
        for reply in &replies[pages..] {
            self.reply(asked, reply);
            self.order(&reply.from, progress);
        }
    }

    /// Recomputes one answer.
    fn reply(&mut self, asked: Asked, reply: &Reply) {
        self.findings.checked += 1;
        let allows = matches!(reply.answer, Answer::Verdict { allow: true, .. });
        self.findings.allowed += usize::from(allows);
        if reply.from.digest.is_empty() && reply.answer == Answer::NotAsked {
            // A refusal as a whole names no snapshot: it must be right of one.
            let any =
                (0..self.versions.all().len()).any(|number| self.wanted(asked, reply, number) == Answer::NotAsked);
            self.note(any, false, || format!("{asked:?} was refused as malformed, and is not: {reply:?}"));
            return;
        }
        let Some((number, _)) = self.versions.find(&reply.from) else {
            self.note(false, allows, || format!("{asked:?} was answered from a snapshot that nobody wrote: {reply:?}"));
            return;
        };
        if !self.seen.contains(&number) {
            self.seen.push(number);
        }
        let wanted = self.wanted(asked, reply, number);
        let open = match (&reply.answer, &wanted) {
            (Answer::List(listed), Answer::List(allowed)) => listed.iter().any(|own| !allowed.contains(own)),
            (_, Answer::Verdict { allow, .. }) => allows && !allow,
            _ => allows,
        };
        let question = &self.questions[reply.question];
        let right = reply.from.at.is_some() && same(&reply.answer, &wanted);
        self.note(right, open, || format!("{asked:?} {question:?}\n  said   {reply:?}\n  wanted {wanted:?}"));
    }

    fn note(&mut self, right: bool, open: bool, what: impl FnOnce() -> String) {
        self.findings.wrong += usize::from(!right);
        self.findings.fail_open += usize::from(open);
        if !right || open {
            self.findings.tell(what);
        }
    }

    /// What the reference says.
    fn wanted(&mut self, asked: Asked, reply: &Reply, number: usize) -> Answer {
        let version = &self.versions.all()[number];
        let question = &self.questions[reply.question];
        let time = reply.from.at.unwrap_or(Timestamp::EPOCH);
        let place = (number, reply.question, matches!(asked, Asked::One | Asked::Batch | Asked::Stream));
        let compute = || match asked {
            Asked::One | Asked::Batch | Asked::Stream => version.verdict(question, time),
            Asked::Resources => version.resources(question, time),
            Asked::Subjects => version.subjects(question, time),
        };
        if version.is_timeless && place.2 {
            return self.known.entry(place).or_insert_with(compute).clone();
        }
        compute()
    }

    /// Whether a connection goes on in the order of writing and of time.
    fn order(&mut self, from: &Named, (place, moment): &mut Progress) {
        if from.digest.is_empty() {
            return;
        }
        let later = self.versions.find(from).and_then(|(number, _)| self.versions.place(number, *place));
        let falls = from.at < *moment;
        if later.is_none() || falls {
            self.findings.backwards += 1;
            self.findings.tell(|| format!("backwards: {from:?} after version {place} at {moment:?}"));
        }
        *place = later.unwrap_or(*place);
        *moment = from.at.max(*moment);
    }
}

impl Version {
    /// What the reference says of a question to this version.
    pub(super) fn verdict(&self, question: &Question, time: Timestamp) -> Answer {
        let outcome =
            question.with(|request| reference::decide(&self.universe.policy, &self.universe.facts, request, time));
        match outcome {
            Err(NotAsked) => Answer::NotAsked,
            Ok(Outcome { decision, reason, rule, undetermined }) => Answer::Verdict {
                allow: decision == Decision::Allow,
                reason: reason.code().to_owned(),
                rule: rule.unwrap_or_default(),
                undetermined,
            },
        }
    }

    fn resources(&self, question: &Question, time: Timestamp) -> Answer {
        let of_type = self.universe.facts.resources.iter().filter(|own| own.name.kind == question.resource.kind);
        let question = Question { parent: None, resource_properties: Vec::new(), ..question.clone() };
        self.one_by_one(of_type.map(|own| &own.name.value), time, |resource| Question { resource, ..question.clone() })
    }

    pub(super) fn subjects(&self, question: &Question, time: Timestamp) -> Answer {
        let question = Question { subject_properties: Vec::new(), ..question.clone() };
        let all = self.universe.facts.subjects.iter().map(|own| &own.name.value);
        self.one_by_one(all, time, |subject| Question { subject, ..question.clone() })
    }

    fn one_by_one<'a>(
        &self,
        candidates: impl Iterator<Item = &'a EntityName>,
        time: Timestamp,
        question: impl Fn(EntityName) -> Question,
    ) -> Answer {
        let is_allowed = |name: &&EntityName| {
            matches!(self.verdict(&question((*name).clone()), time), Answer::Verdict { allow: true, .. })
        };
        Answer::List(candidates.filter(is_allowed).cloned().collect())
    }
}

/// Lists have an order of their own, which pages tell of; what is in them is what counts here.
fn same(left: &Answer, right: &Answer) -> bool {
    match (left, right) {
        (Answer::List(left), Answer::List(right)) => {
            left.len() == right.len() && left.iter().all(|name| right.contains(name))
        }
        _ => left == right,
    }
}

/// A list whose snapshot was replaced is begun again, and a list of what is malformed is refused.
fn is_part_of_lists(asked: Asked, code: Code) -> bool {
    matches!(asked, Asked::Resources | Asked::Subjects)
        && matches!(code, Code::FailedPrecondition | Code::InvalidArgument)
}
