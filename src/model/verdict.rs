//! An answer: the decision, the reason code, and what decided.

use std::fmt;

/// The answer itself. Closed: a third answer must break every match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Denied; also the answer whenever anything is missing or broken.
    Deny,
    /// Allowed.
    Allow,
}

/// Why, as a code (DESIGN section 2). The path reasons stand in the order in which a path is tested: the later one got
/// further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A path opened and no forbid applied.
    Granted,
    /// The resource's type is not in the vocabulary, or is never asked about.
    UnknownType,
    /// The type has no such action.
    UnknownAction,
    /// The snapshot holds no such subject.
    UnknownSubject,
    /// The subject is disabled.
    Disabled,
    /// A parameter that the action demands is missing.
    MissingParameter,
    /// A parameter names an unknown entity or one of the wrong type.
    UnknownParameter,
    /// The snapshot does not hold the resource, and the request cannot place it.
    UnknownResource,
    /// The request says something that the snapshot knows to be otherwise.
    ContradictsSnapshot,
    /// No binding on the resource or an ancestor gives this action.
    NoGrant,
    /// A binding would give it, but is not in force.
    Expired,
    /// The level would not suffice even without overrides.
    LevelTooLow,
    /// An override took the level away.
    Narrowed,
    /// The holder's customised set leaves it out.
    NotInCustomSet,
    /// A limit of the role never lets it through.
    Ceiling,
    /// A limit of the role lets it through only under a condition that does not hold.
    Plan,
    /// The parameters lie outside the purview of the binding.
    OutOfPurview,
    /// The rule's condition is false.
    ConditionFalse,
    /// The rule's condition rests on a value that is missing.
    ConditionUnknown,
    /// The credential's scope does not cover it.
    CredentialScope,
    /// The second object that the action touches is denied.
    SecondObject,
    /// A path is open, but a forbid applies.
    Forbidden,
    /// The snapshot is inconsistent in itself: a bug, counted, never an allow.
    Internal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 23] = [
        Self::Granted,
        Self::UnknownType,
        Self::UnknownAction,
        Self::UnknownSubject,
        Self::Disabled,
        Self::MissingParameter,
        Self::UnknownParameter,
        Self::UnknownResource,
        Self::ContradictsSnapshot,
        Self::NoGrant,
        Self::Expired,
        Self::LevelTooLow,
        Self::Narrowed,
        Self::NotInCustomSet,
        Self::Ceiling,
        Self::Plan,
        Self::OutOfPurview,
        Self::ConditionFalse,
        Self::ConditionUnknown,
        Self::CredentialScope,
        Self::SecondObject,
        Self::Forbidden,
        Self::Internal,
    ];

    /// The code, as the wire and the command line print it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Granted => "GRANTED",
            Self::UnknownType => "UNKNOWN_TYPE",
            Self::UnknownAction => "UNKNOWN_ACTION",
            Self::UnknownSubject => "UNKNOWN_SUBJECT",
            Self::Disabled => "DISABLED",
            Self::MissingParameter => "MISSING_PARAMETER",
            Self::UnknownParameter => "UNKNOWN_PARAMETER",
            Self::UnknownResource => "UNKNOWN_RESOURCE",
            Self::ContradictsSnapshot => "CONTRADICTS_SNAPSHOT",
            Self::NoGrant => "NO_GRANT",
            Self::Expired => "EXPIRED",
            Self::LevelTooLow => "LEVEL_TOO_LOW",
            Self::Narrowed => "NARROWED",
            Self::NotInCustomSet => "NOT_IN_CUSTOM_SET",
            Self::Ceiling => "CEILING",
            Self::Plan => "PLAN",
            Self::OutOfPurview => "OUT_OF_PURVIEW",
            Self::ConditionFalse => "CONDITION_FALSE",
            Self::ConditionUnknown => "CONDITION_UNKNOWN",
            Self::CredentialScope => "CREDENTIAL_SCOPE",
            Self::SecondObject => "SECOND_OBJECT",
            Self::Forbidden => "FORBIDDEN",
            Self::Internal => "INTERNAL",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What decided, by number within the snapshot; [`crate::index::Index::rule_id`] gives the name the author wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Nothing that has a name: no grant, or the question itself.
    Nothing,
    /// A role's rule on a permission.
    Rule {
        /// The role.
        role: u32,
        /// The permission.
        permission: u32,
    },
    /// A forbid or a block.
    Forbid(u32),
}

/// The whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Allow or deny.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// Which rule or forbid decided.
    pub because: Because,
    /// Whether a missing value decided: what the verdict names was unknown, neither true nor false.
    pub undetermined: bool,
}

impl Verdict {
    /// A denial that no rule has a part in.
    pub fn deny(reason: Reason) -> Self {
        Self { decision: Decision::Deny, reason, because: Because::Nothing, undetermined: false }
    }

    /// Whether the answer is an allow.
    pub fn is_allow(&self) -> bool {
        self.decision == Decision::Allow
    }
}
