//! The vocabulary: types, attributes, actions, operations and classes, resolved and numbered in name order.

mod attributes;
mod changes;
mod levels;
mod permissions;
mod select;
mod types;

use std::collections::HashMap;

use crate::model::{Action, Attribute, Change, Policy, Spanned};

use super::findings::Findings;
use super::layout::ANY_TYPE;

pub(super) use attributes::Kind;
pub(super) use select::OperationsOf;

/// The vocabulary.
#[derive(Debug)]
pub(super) struct Schema<'p> {
    /// Types of resources and of subjects, in name order.
    pub(super) types: Vec<TypeInfo<'p>>,
    /// Attributes and context keys, by owner, then name.
    pub(super) attributes: Vec<AttributeInfo<'p>>,
    /// Actions, by type, then name.
    pub(super) permissions: Vec<PermissionInfo<'p>>,
    type_numbers: HashMap<&'p str, u16>,
    attribute_numbers: HashMap<(u16, &'p str), u32>,
    permission_numbers: HashMap<(u16, &'p str), u32>,
    classes: HashMap<&'p str, Vec<u16>>,
    operations: HashMap<&'p str, u32>,
    /// The ladder, lowest first.
    pub(super) levels: Vec<&'p str>,
    /// Governors by path.
    pub(super) governors: Vec<GovernorInfo<'p>>,
}

/// What levels are set on.
#[derive(Debug)]
pub(super) struct GovernorInfo<'p> {
    /// Its path.
    pub(super) path: &'p str,
    /// The governor above it.
    pub(super) parent: Option<usize>,
}

/// Where a permission's governor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GovernorSource {
    /// Nowhere.
    Nothing,
    /// Always this one.
    Node(u32),
    /// What this attribute of the resource says.
    Attribute(u32),
}

/// A type.
#[derive(Debug)]
pub(super) struct TypeInfo<'p> {
    /// Its name.
    pub(super) name: &'p Spanned<String>,
    /// The types of which one is the parent's.
    pub(super) parents: Vec<u16>,
    /// What sort of type it is.
    pub(super) sort: TypeSort,
    /// Whether it has no parent.
    pub(super) root: bool,
    /// Whether the request may place its resources.
    pub(super) open: bool,
    /// Types that can stand above its resources, at any height.
    pub(super) ancestors: Vec<u16>,
}

/// What a type's entities are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeSort {
    /// They are asked about.
    Resource,
    /// They ask.
    Subject,
    /// They ask in the name of a subject.
    Credential,
    /// They hold what their members hold.
    Group,
    /// The same, of the language's own: `all(...)` and `members_of(...)`.
    BuiltIn,
    /// It has none.
    Virtual,
}

/// An attribute of a type, or a context key.
#[derive(Debug)]
pub(super) struct AttributeInfo<'p> {
    /// The type, or [`ANY_TYPE`] for a context key.
    pub(super) owner: u16,
    /// As declared.
    pub(super) declared: &'p Attribute,
    /// Its values.
    pub(super) kind: Kind<'p>,
}

/// What a parameter names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParameterType {
    /// An entity of a type, or of [`super::layout::SUBJECT_TYPES`].
    Entity(u16),
    /// A role.
    Role,
    /// Several roles.
    Roles,
    /// A permission.
    Permission,
    /// Several permissions.
    Permissions,
}

/// An action of a type.
#[derive(Debug)]
pub(super) struct PermissionInfo<'p> {
    /// The type.
    pub(super) owner: u16,
    /// As declared.
    pub(super) action: &'p Action,
    /// Its operation.
    pub(super) operation: Option<u32>,
    /// The type whose rules on operations govern it.
    pub(super) governor: u16,
    /// The level that it needs: a step of the ladder.
    pub(super) level: u8,
    /// What that level is read on.
    pub(super) level_governor: GovernorSource,
    /// What its parameters name.
    pub(super) parameters: Vec<ParameterType>,
    /// The second decision it needs: parameter, permission, whether it is a new resource under the parameter's entity.
    pub(super) also: Option<(u32, u32, bool)>,
    /// The change of facts that it stands for.
    pub(super) change: Option<ChangeInfo>,
}

/// A change of facts, its parameters by their places.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangeInfo {
    /// Which.
    pub(super) kind: Change,
    /// Whose bindings are changed.
    pub(super) target: u32,
    /// To which role.
    pub(super) role: Option<u32>,
    /// To which list.
    pub(super) permissions: Option<u32>,
    /// Whether the result must be valid.
    pub(super) valid: bool,
}

impl<'p> Schema<'p> {
    /// Resolves the vocabulary of a policy, with the language's own group types that its facts use.
    pub(super) fn resolve(policy: &'p Policy, built_in: &'p [Spanned<String>], findings: &mut Findings) -> Self {
        let (types, type_numbers) = types::resolve(policy, built_in, findings);
        let mut schema = Self {
            types,
            attributes: Vec::new(),
            permissions: Vec::new(),
            type_numbers,
            attribute_numbers: HashMap::new(),
            permission_numbers: HashMap::new(),
            classes: HashMap::new(),
            operations: HashMap::new(),
            levels: Vec::new(),
            governors: Vec::new(),
        };
        levels::resolve(policy, &mut schema, findings);
        schema.classes = types::classes(policy, &schema, findings);
        schema.attributes = attributes::resolve(policy, &schema, findings);
        schema.attribute_numbers = schema
            .attributes
            .iter()
            .zip(0..)
            .map(|(attribute, number)| ((attribute.owner, attribute.declared.name.value.as_str()), number))
            .collect();
        permissions::resolve(policy, &mut schema, findings);
        levels::of_permissions(policy, &mut schema, findings);
        schema
    }

    /// The number of a type.
    pub(super) fn type_number(&self, name: &str) -> Option<u16> {
        self.type_numbers.get(name).copied()
    }

    /// A type by number.
    pub(super) fn type_info(&self, number: u16) -> Option<&TypeInfo<'p>> {
        self.types.get(usize::from(number))
    }

    /// What a type's entities are for.
    pub(super) fn sort(&self, number: u16) -> Option<TypeSort> {
        self.type_info(number).map(|info| info.sort)
    }

    /// A type's name.
    pub(super) fn type_name(&self, number: u16) -> &'p str {
        self.types.get(usize::from(number)).map_or("?", |info| info.name.value.as_str())
    }

    /// The number of a type's attribute.
    pub(super) fn attribute(&self, owner: u16, name: &str) -> Option<u32> {
        self.attribute_numbers.get(&(owner, name)).copied()
    }

    /// The number of a context key.
    pub(super) fn context_key(&self, name: &str) -> Option<u32> {
        self.attribute(ANY_TYPE, name)
    }

    /// An attribute by number.
    pub(super) fn attribute_info(&self, number: u32) -> Option<&AttributeInfo<'p>> {
        self.attributes.get(usize::try_from(number).ok()?)
    }

    /// The number of a type's action.
    pub(super) fn permission(&self, owner: u16, action: &str) -> Option<u32> {
        self.permission_numbers.get(&(owner, action)).copied()
    }

    /// The number of a permission, by `type.action`.
    pub(super) fn permission_named(&self, name: &str) -> Option<u32> {
        let (kind, action) = name.split_once('.')?;
        self.permission(self.type_number(kind)?, action)
    }

    /// A permission by number.
    pub(super) fn permission_info(&self, number: u32) -> Option<&PermissionInfo<'p>> {
        self.permissions.get(usize::try_from(number).ok()?)
    }

    /// An operation's name.
    pub(super) fn operation_name(&self, number: u32) -> Option<&'p str> {
        self.operations.iter().find(|(_, known)| **known == number).map(|(name, _)| *name)
    }

    /// A permission's name, `type.action`.
    pub(super) fn permission_name(&self, number: u32) -> String {
        match self.permission_info(number) {
            Some(permission) => format!("{}.{}", self.type_name(permission.owner), permission.action.name.value),
            None => "?".to_owned(),
        }
    }

    /// The attributes that a type has, for an error that names them.
    pub(super) fn attribute_names(&self, owner: u16) -> Vec<&'p str> {
        let mine = self.attributes.iter().filter(|attribute| attribute.owner == owner);
        mine.map(|attribute| attribute.declared.name.value.as_str()).collect()
    }
}
