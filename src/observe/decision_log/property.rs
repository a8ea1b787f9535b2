//! The names of properties whose values may be logged, and whether the policy lets them.

use std::fmt;

use crate::{
    compile::layout::attribute_flags,
    index::{Corrupt, Index},
};

/// Whose property it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The subject.
    Subject,
    /// The action: a parameter.
    Action,
    /// The resource.
    Resource,
    /// The situation.
    Context,
}

impl Owner {
    const ALL: [Self; 4] = [Self::Subject, Self::Action, Self::Resource, Self::Context];

    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Context => "context",
        }
    }
}

/// `context.mfa`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyName {
    /// Whose.
    pub owner: Owner,
    /// The name.
    pub name: String,
}

impl PropertyName {
    /// Reads `owner.name`.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('.')?;
        let owner = Owner::ALL.into_iter().find(|known| known.name() == owner)?;
        (!name.is_empty()).then(|| Self { owner, name: name.to_owned() })
    }
}

impl fmt::Display for PropertyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.owner.name(), self.name)
    }
}

/// The numbers by which a policy knows what a question names, where it does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// The subject's type.
    pub(super) subject: Option<u16>,
    /// The resource's type.
    pub(super) resource: Option<u16>,
    /// The action.
    pub(super) permission: Option<u32>,
}

/// Whether a value may be written as far as the policy goes: it declares the property, and not as sensitive. Of a type
/// that it does not know it cannot say so.
pub(super) fn may_be_written(index: &Index, known: Known, PropertyName { owner, name }: &PropertyName) -> bool {
    let attribute = match owner {
        Owner::Subject => known.subject.map(|kind| index.attribute_named(kind, name)),
        Owner::Resource => known.resource.map(|kind| index.attribute_named(kind, name)),
        Owner::Context => Some(index.context_key_named(name)),
        Owner::Action => {
            let parameter = known.permission.map(|permission| index.parameter_named(permission, name));
            return matches!(parameter, Some(Ok(Some(_))));
        }
    };
    let Some(Ok(Some(attribute))) = attribute else { return false };
    let sensitive = |number| Ok::<_, Corrupt>(index.attribute(number)?.flags & attribute_flags::SENSITIVE != 0);
    matches!(sensitive(attribute), Ok(false))
}

#[cfg(test)]
mod tests {
    use super::{Owner, PropertyName};

    #[test]
    fn names_are_read_and_shown_alike() {
        for text in ["context.mfa", "resource.a.b", "subject.team", "action.to"] {
            assert_eq!(PropertyName::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(PropertyName::parse("context.mfa").unwrap().owner, Owner::Context);
        for text in ["", "mfa", "context.", "ancestor.x", ".x", "Context.mfa"] {
            assert_eq!(PropertyName::parse(text), None, "{text}");
        }
    }
}
