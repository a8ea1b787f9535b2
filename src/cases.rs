//! Runs the tests that stand beside a policy: builds each one's snapshot, asks its question, compares the answer.
//!
//! It asks [`crate::decide`] as every door does, and decides nothing itself. The time is the test's, never the clock's.

mod http;
mod question;
#[cfg(test)]
mod tests;

use crate::decide::{self, ListError, Listing, Page, PageBounds};
use crate::document::Tested;
use crate::index::Index;
use crate::mapping::Unmapped;
use crate::model::{Ask, Case, Decision, EntityName, Facts, Malformed, Policy, Query, Request, Verdict, Wanted, order};

pub use question::with_request;

/// What became of one test.
#[derive(Debug)]
pub struct Outcome<'t> {
    /// The test.
    pub case: &'t Case,
    /// Why it failed; `None` where it passed.
    pub failure: Option<Failure>,
}

/// A test that failed, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was wanted.
    pub wanted: String,
    /// What came instead.
    pub got: String,
}

/// Runs every test, in the order in which they are written.
pub fn run(tested: &Tested) -> Vec<Outcome<'_>> {
    // Of the tests that give nothing of their own there is one snapshot, built once.
    let mut plain = None;
    let one = |case: &'_ Case| {
        let own;
        let built = if case.given == Facts::default() {
            plain.get_or_insert_with(|| tested.build(case))
        } else {
            own = tested.build(case);
            &own
        };
        judge(tested.policy(), case, built.as_ref().map_err(|report| report.lines().join("; ")))
    };
    let failures: Vec<_> = tested.cases().iter().map(one).collect();
    tested.cases().iter().zip(failures).map(|(case, failure)| Outcome { case, failure }).collect()
}

/// Compares a test with the answer of a snapshot, or with what is wrong with it: `None` where the test passes.
pub fn judge(policy: &Policy, case: &Case, snapshot: Result<&Index, String>) -> Option<Failure> {
    let failure = |got| Some(Failure { wanted: wanted(&case.wanted), got });
    match (snapshot, &case.wanted) {
        (Err(told), Wanted::Invalid(names)) => {
            let missing: Vec<_> = names.iter().filter(|name| !told.contains(name.as_str())).collect();
            if missing.is_empty() { None } else { failure(format!("a report that does not name {missing:?}: {told}")) }
        }
        (Err(told), _) => failure(format!("a snapshot that is refused: {told}")),
        (Ok(_), Wanted::Invalid(_)) => failure("a snapshot that is applied".to_owned()),
        (Ok(index), wanted) => {
            let got = Got::ask(policy, case, index);
            if got.is(wanted) { None } else { failure(got.to_string(policy, case, index)) }
        }
    }
}

/// An answer, to be compared.
#[derive(Debug)]
enum Got {
    Decision {
        verdict: Verdict,
        rule: Option<String>,
    },
    Names(Vec<String>),
    Levels(Vec<(String, String)>),
    Count(u64),
    Malformed(Malformed),
    /// The request of HTTP asks nothing.
    Unmapped(Unmapped),
    Broken(String),
}

impl Got {
    fn ask(policy: &Policy, case: &Case, index: &Index) -> Self {
        let time = case.time();
        match &case.query {
            Query::Decide(ask) => match with_request(policy, ask, |request| decide::authorize(index, request, time)) {
                Ok(verdict) => Self::Decision { verdict, rule: index.rule_id(verdict.because) },
                Err(malformed) => Self::Malformed(malformed),
            },
            Query::Actions(ask) => {
                match with_request(policy, ask, |request| decide::list_actions(index, request, time)) {
                    Ok(listed) => {
                        let allowed = listed.into_iter().filter(|one| one.verdict.is_allow());
                        Self::Names(allowed.map(|one| one.action).collect())
                    }
                    Err(malformed) => Self::Malformed(malformed),
                }
            }
            Query::Resources(ask, within) => {
                let within = within.as_ref().map(EntityName::as_entity);
                Self::list(policy, ask, |request| Listing::of_resources(index, request, within, time)?.page(0, WHOLE))
            }
            Query::Subjects(ask) => {
                Self::list(policy, ask, |request| Listing::of_subjects(index, request, time)?.page(0, WHOLE))
            }
            Query::Levels { subject, at } => {
                match decide::list_levels(index, subject.as_entity(), at.as_entity(), time) {
                    Ok(levels) => Self::Levels(levels.into_iter().map(|one| (one.governor, one.level)).collect()),
                    Err(problem) => Self::Broken(problem.to_string()),
                }
            }
            Query::Seats { class, at } => match decide::count_seats(index, class, at.as_entity(), time) {
                Ok(number) => Self::Count(number),
                Err(problem) => Self::Broken(problem.to_string()),
            },
            Query::Http(ask) => http::ask(index, ask, time),
            Query::Nothing => Self::Broken("a snapshot that is applied".to_owned()),
        }
    }

    fn list<'i>(policy: &Policy, ask: &Ask, list: impl FnOnce(&Request<'_>) -> Result<Page<'i>, ListError>) -> Self {
        match with_request(policy, ask, list) {
            Ok(page) => Self::Names(page.allowed.iter().map(ToString::to_string).collect()),
            Err(ListError::Malformed(malformed)) => Self::Malformed(malformed),
            Err(ListError::Corrupt(corrupt)) => Self::Broken(corrupt.to_string()),
        }
    }

    fn is(&self, wanted: &Wanted) -> bool {
        match (self, wanted) {
            (Self::Decision { verdict, rule: found }, Wanted::Decision { decision, reason, rule, undetermined }) => {
                verdict.decision == *decision
                    && reason.is_none_or(|reason| verdict.reason == reason)
                    && (rule.is_none() || rule == found)
                    && undetermined.is_none_or(|undetermined| verdict.undetermined == undetermined)
            }
            (Self::Names(found), Wanted::Names(names)) => sorted(found) == sorted(names),
            (Self::Levels(found), Wanted::Levels(levels)) => levels.iter().all(|level| found.contains(level)),
            (Self::Count(found), Wanted::Count(number)) => found == number,
            (Self::Malformed(malformed), Wanted::Malformed(field)) => malformed.field == *field,
            (Self::Unmapped(unmapped), Wanted::Malformed(code)) => unmapped.code() == code,
            (Self::Unmapped(_), Wanted::Decision { decision, reason: None, rule: None, undetermined: None }) => {
                *decision == Decision::Deny
            }
            _ => false,
        }
    }

    fn to_string(&self, policy: &Policy, case: &Case, index: &Index) -> String {
        match self {
            Self::Decision { verdict, rule } => {
                let undetermined = if verdict.undetermined { " (a missing value decided)" } else { "" };
                let rule = rule.as_deref().map_or_else(String::new, |rule| format!(" {rule}"));
                let reason = verdict.reason;
                format!("{} {reason}{rule}{undetermined}{}", word(verdict.decision), why(policy, case, index))
            }
            Self::Names(names) => format!("[{}]", sorted(names).join(", ")),
            Self::Levels(levels) => told(levels),
            Self::Count(number) => number.to_string(),
            Self::Malformed(malformed) => format!("a malformed question: {malformed}"),
            Self::Unmapped(unmapped) => format!("a denial, {}: {unmapped}", unmapped.code()),
            Self::Broken(what) => what.clone(),
        }
    }
}

/// Everything on one page.
const WHOLE: PageBounds = PageBounds { allowed: usize::MAX, looked_at: u32::MAX };

/// What `explain` says, and the properties that a typing mistake may have hidden.
fn why(policy: &Policy, case: &Case, index: &Index) -> String {
    let Query::Decide(ask) = &case.query else { return String::new() };
    let told = with_request(policy, ask, |request| decide::explain(index, request, case.time()));
    let Ok(told) = told else { return String::new() };
    let ignored = told.ignored_properties.iter().map(|name| format!("; `{name}` is not declared and was ignored"));
    format!("; {}{}", told.summary, ignored.collect::<String>())
}

fn wanted(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Decision { decision, reason, rule, undetermined } => {
            let reason = reason.map_or_else(String::new, |reason| format!(" {reason}"));
            let rule = rule.as_deref().map_or_else(String::new, |rule| format!(" {rule}"));
            let undetermined = match undetermined {
                None => "",
                Some(true) => " (a missing value decides)",
                Some(false) => " (no missing value decides)",
            };
            format!("{}{reason}{rule}{undetermined}", word(*decision))
        }
        Wanted::Malformed(field) => format!("a malformed question, because of `{field}`"),
        Wanted::Names(names) => format!("[{}]", sorted(names).join(", ")),
        Wanted::Levels(levels) => told(levels),
        Wanted::Count(number) => number.to_string(),
        Wanted::Invalid(names) => format!("a snapshot that is refused, naming {names:?}"),
    }
}

fn told(levels: &[(String, String)]) -> String {
    let one = |(governor, level): &(String, String)| format!("{governor}: {level}");
    format!("{{{}}}", levels.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "ALLOW",
        Decision::Deny => "DENY",
    }
}

fn sorted(names: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    order::natural(&mut names);
    names
}
