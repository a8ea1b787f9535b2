//! The long form of a verdict, in plain words: the path of an allow, the nearest misses of a denial.
//!
//! It is the same decision, listened to; it allocates and is not for the hot path.

mod credentials;

use crate::compile::layout::{ForbidRecord, ParameterRecord, ProgramRecord, RoleRecord};
use crate::index::{Corrupt, Index, optional};
use crate::model::{Because, Malformed, Reason, Request, Timestamp, Verdict, order};

use super::decide;
use super::levels::governor;
use super::parameters::Room;
use super::purview::Outside;
use super::question::{Question, undeclared};
use super::trace::{PathSeen, Trace};
use super::truth::Truth;

/// How many paths and forbids are told.
const MOST: usize = 100;

/// The long form of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The same verdict as [`super::authorize`] gives.
    pub verdict: Verdict,
    /// One line in plain words.
    pub summary: String,
    /// What was looked at, the one that decided first.
    pub considered: Vec<Consideration>,
    /// Properties that the policy does not declare (`resource.properties.colour`): they were ignored.
    pub ignored_properties: Vec<String>,
}

/// One path or forbid that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consideration {
    /// The rule or forbid, by the name the author wrote; empty for a role that has no rule on this action.
    pub rule_id: String,
    /// Where the role is held; empty for a forbid.
    pub scope: String,
    /// How far it got: `Granted` for an open path, `Forbidden` for a forbid that applies.
    pub reason: Reason,
    /// Whether a missing value decided it.
    pub undetermined: bool,
    /// In plain words.
    pub text: String,
}

/// Decides and says why.
///
/// # Errors
/// As [`super::authorize`].
pub fn explain(index: &Index, request: &Request<'_>, time: Timestamp) -> Result<Explanation, Malformed> {
    let mut seen = Seen::default();
    let verdict = decide(index, request, time, &mut seen)?;
    let teller = Teller { index, request, time };
    let mut considered = teller.considered(&seen, verdict).unwrap_or_default();
    considered.truncate(MOST);
    let summary = teller
        .summary(verdict, &considered)
        .unwrap_or_else(|Corrupt| "the snapshot is inconsistent in itself".to_owned());
    let ignored_properties = teller.ignored().unwrap_or_default();
    Ok(Explanation { verdict, summary, considered, ignored_properties })
}

#[derive(Default)]
struct Seen {
    paths: Vec<PathSeen>,
    other_roles: Vec<(u32, u32, Option<u32>)>,
    forbids: Vec<(u32, Truth)>,
}

impl Trace for Seen {
    const EVERYTHING: bool = true;

    fn path(&mut self, path: PathSeen) {
        if self.paths.len() < MOST {
            self.paths.push(path);
        }
    }

    fn other_role(&mut self, role: u32, scope: u32, through: Option<u32>) {
        if self.other_roles.len() < MOST {
            self.other_roles.push((role, scope, through));
        }
    }

    fn forbid(&mut self, forbid: u32, applies: Truth) {
        // One that names a subject and its groups is met several times.
        if self.forbids.len() < MOST && !self.forbids.contains(&(forbid, applies)) {
            self.forbids.push((forbid, applies));
        }
    }
}

struct Teller<'t> {
    index: &'t Index,
    request: &'t Request<'t>,
    time: Timestamp,
}

impl Teller<'_> {
    /// What was looked at: what the verdict names first, then by how far it got.
    fn considered(&self, seen: &Seen, verdict: Verdict) -> Result<Vec<Consideration>, Corrupt> {
        let mut list = Vec::new();
        let mut paths = seen.paths.clone();
        let named = |path: &PathSeen| matches!(verdict.because, Because::Rule { role, .. } if role == path.role && path.reason == verdict.reason);
        order::by_key(&mut paths, |path| {
            (!named(path), path.reason != Reason::Granted, std::cmp::Reverse(path.reason), path.role)
        });
        for (forbid, applies) in seen.forbids.iter().filter(|(_, applies)| *applies != Truth::False) {
            list.push(self.forbid(*forbid, *applies)?);
        }
        order::by_key(&mut list, |told| (told.undetermined, told.rule_id.clone()));
        for path in &paths {
            list.push(self.path(path)?);
        }
        for (role, scope, through) in &seen.other_roles {
            list.push(self.other_role(*role, *scope, *through)?);
        }
        Ok(list)
    }

    fn forbid(&self, forbid: u32, applies: Truth) -> Result<Consideration, Corrupt> {
        let record: &ForbidRecord = self.index.record(forbid)?;
        let rule_id = self.index.text(record.id.get())?.to_owned();
        let condition = match optional(record.when) {
            Some(program) => format!(": `{}` is {}", self.condition(program)?, word(applies)),
            None => String::new(),
        };
        let text = format!("`{rule_id}` forbids {}{condition}", self.action());
        let undetermined = applies == Truth::Unknown;
        Ok(Consideration { rule_id, scope: String::new(), reason: Reason::Forbidden, undetermined, text })
    }

    fn path(&self, path: &PathSeen) -> Result<Consideration, Corrupt> {
        let scope = self.index.entity_name(path.scope)?;
        let role = self.index.role_name(path.role)?;
        let through = self.through(path.through)?;
        let gives = format!("`{role}` at `{scope}`{through} grants {}", self.action());
        let condition = |truth: &str| -> Result<String, Corrupt> {
            let program = path.program.ok_or(Corrupt)?;
            Ok(format!("`{}` is {truth}", self.condition(program)?))
        };
        let text = match path.reason {
            Reason::Granted => gives,
            Reason::Expired => format!("{gives}, but is not in force now"),
            Reason::LevelTooLow | Reason::Narrowed => self.level(path, &gives)?,
            Reason::NotInCustomSet => format!("{gives}, but the holder's own list leaves it out"),
            Reason::Ceiling => format!("{gives}, but a limit of the role never lets it through"),
            Reason::Plan if path.undetermined => format!(
                "{gives}, but only when {}, because a value is missing",
                condition("known to be true; it is unknown")?
            ),
            Reason::Plan => format!("{gives}, but only when {}", condition("true; it is false")?),
            Reason::ConditionFalse => format!("{gives}, but {}", condition("false")?),
            Reason::ConditionUnknown => {
                format!("{gives}, but {}, because a value is missing or of a wrong type", condition("unknown")?)
            }
            Reason::OutOfPurview => format!("{gives}, but {}", self.outside(path.outside.ok_or(Corrupt)?)?),
            Reason::CredentialScope => format!("{gives}, but {}", self.credential_scope()?),
            Reason::SecondObject => format!("{gives}, but the second object that the action touches is denied"),
            reason => format!("{gives}, but {reason}"),
        };
        let rule_id = format!("roles/{role}/{}.{}", self.request.resource.kind, self.request.action);
        Ok(Consideration { rule_id, scope, reason: path.reason, undetermined: path.undetermined, text })
    }

    /// Which level is needed, and on what.
    fn level(&self, path: &PathSeen, gives: &str) -> Result<String, Corrupt> {
        let mut room = None;
        let question = self.question(&mut room)?;
        let needed = self.index.level_name(question.action.level)?;
        let Some(governor) = governor(&question)? else {
            return Ok(format!("{gives}, but the resource does not say what governs it"));
        };
        let on = self.index.governor_path(governor)?;
        Ok(match path.reason {
            Reason::Narrowed => format!("{gives}, but an override takes the level `{needed}` on `{on}` away"),
            _ => format!("{gives}, but not with the level `{needed}` on `{on}`"),
        })
    }

    /// What lies outside the purview.
    fn outside(&self, outside: Outside) -> Result<String, Corrupt> {
        Ok(match outside {
            Outside::Role(role) => format!("not for assigning `{}`", self.index.role_name(role)?),
            Outside::Holds { role, scope } => format!(
                "not over somebody who holds `{}` at `{}`",
                self.index.role_name(role)?,
                self.index.entity_name(scope)?
            ),
            Outside::Elsewhere(place) => format!("`{}` lies outside of where the role is held", self.parameter(place)?),
            Outside::Result(violation) => {
                format!("the facts after it could not be loaded: {}", violation.words(self.index)?)
            }
            Outside::Unnamed => "the request does not name a parameter that its purview depends on".to_owned(),
        })
    }

    fn parameter(&self, place: u32) -> Result<&str, Corrupt> {
        let mut room = None;
        let question = self.question(&mut room)?;
        let place = question.action.parameters.get().checked_add(place).ok_or(Corrupt)?;
        let parameter: &ParameterRecord = self.index.record(place)?;
        self.index.text(parameter.name.get())
    }

    fn question<'q>(&'q self, room: &'q mut Room<'q>) -> Result<Question<'q>, Corrupt> {
        Question::resolve(self.index, self.request, self.time, room).map_err(|_| Corrupt)
    }

    fn other_role(&self, role: u32, scope: u32, through: Option<u32>) -> Result<Consideration, Corrupt> {
        let (scope, through) = (self.index.entity_name(scope)?, self.through(through)?);
        let role = self.index.role_name(role)?;
        let text = format!("`{role}` at `{scope}`{through} does not grant {}", self.action());
        Ok(Consideration { rule_id: String::new(), scope, reason: Reason::NoGrant, undetermined: false, text })
    }

    /// The group that holds it, in words.
    fn through(&self, group: Option<u32>) -> Result<String, Corrupt> {
        group.map_or(Ok(String::new()), |group| Ok(format!(" (through `{}`)", self.index.holder_name(group)?)))
    }

    /// One line for the person whose call was answered.
    fn summary(&self, verdict: Verdict, considered: &[Consideration]) -> Result<String, Corrupt> {
        let Request { subject, action, resource, .. } = self.request;
        let first = || considered.first().map_or("nothing decided", |told| told.text.as_str());
        Ok(match verdict.reason {
            Reason::Granted => format!("allowed: {}", first()),
            Reason::UnknownType => format!("denied: `{}` is no type that can be asked about", resource.kind),
            Reason::UnknownAction => format!("denied: `{}` has no action `{action}`", resource.kind),
            Reason::UnknownSubject => format!("denied: the snapshot holds no subject `{subject}`"),
            Reason::Disabled => self.disabled()?,
            Reason::MissingParameter => match self.demanded()? {
                Some(key) => format!("denied: `{subject}` is a credential that must send the context key `{key}`"),
                None => format!("denied: action `{action}` demands a parameter that the request does not name"),
            },
            Reason::UnknownParameter => format!(
                "denied: a parameter of `{action}` names what the snapshot does not hold or `{resource}` does not see, or something of the wrong type"
            ),
            Reason::UnknownResource => {
                format!("denied: the snapshot does not hold `{resource}`, and the request does not place it")
            }
            Reason::ContradictsSnapshot => {
                "denied: the request says something that the snapshot knows to be otherwise".to_owned()
            }
            Reason::NoGrant => self.no_grant(considered)?,
            Reason::Internal => "denied: the snapshot is inconsistent in itself".to_owned(),
            Reason::Expired
            | Reason::LevelTooLow
            | Reason::Narrowed
            | Reason::NotInCustomSet
            | Reason::Ceiling
            | Reason::Plan
            | Reason::OutOfPurview
            | Reason::ConditionFalse
            | Reason::ConditionUnknown
            | Reason::CredentialScope
            | Reason::SecondObject
            | Reason::Forbidden => format!("denied: {}", first()),
        })
    }

    /// Who holds nothing useful here learns which roles would be.
    fn no_grant(&self, considered: &[Consideration]) -> Result<String, Corrupt> {
        let Request { subject, resource, .. } = self.request;
        let held = if let Some(told) = considered.first() {
            told.text.clone()
        } else {
            let owner = self.owner()?.map(|owner| format!("`{owner}`, the owner of `{subject}`,"));
            let holder = owner.unwrap_or_else(|| format!("`{subject}`"));
            format!("{holder} holds no role on `{resource}` or above it")
        };
        let would = self.roles_that_would()?;
        Ok(match would.as_slice() {
            [] => format!("denied: {held}; no role grants it"),
            would => format!("denied: {held}; it is granted by {}", would.join(", ")),
        })
    }

    fn roles_that_would(&self) -> Result<Vec<String>, Corrupt> {
        const SHOWN: usize = 5;
        let Some((kind, _)) = self.index.type_named(self.request.resource.kind)? else { return Ok(Vec::new()) };
        let Some(permission) = self.index.permission_named(kind, self.request.action)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for role in 0..self.index.count::<RoleRecord>() {
            let record: &RoleRecord = self.index.record(role)?;
            // A tenant's own roles are not told to others.
            if optional(record.definer).is_none() && !self.index.rules_on(role, permission)?.is_empty() {
                names.push(format!("`{}`", self.index.role_name(role)?));
            }
        }
        if names.len() > SHOWN {
            names.truncate(SHOWN);
            names.push("…".to_owned());
        }
        Ok(names)
    }

    fn condition(&self, program: u32) -> Result<&str, Corrupt> {
        let record: &ProgramRecord = self.index.record(program)?;
        self.index.text(record.text.get())
    }

    fn action(&self) -> String {
        format!("{} on {}", self.request.action, self.request.resource.kind)
    }

    fn ignored(&self) -> Result<Vec<String>, Corrupt> {
        let mut room = None;
        let Ok(question) = self.question(&mut room) else { return Ok(Vec::new()) };
        let asker = question.credential.map_or(question.subject_kind, |key| key.kind);
        undeclared(self.index, self.request, question.target.kind, asker, question.permission)
    }
}

fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown, because a value is missing or of a wrong type",
    }
}
