//! The shape of the sections that say what there is: subject types, context, types and shapes with attributes and
//! actions. Each document knows how to become its noun.

use super::decode::{Decode, Entries, Many, OrEmpty, Turn, Turned, decode_items, documents, refuse};
use super::node::Node;
use super::sink::Sink;
use super::text::{ActionName, Id, Name, TypeExpression, plain, plain_all};
use crate::model::{
    Action, Also, AlsoTarget, Attribute, Change, GovernedBy, GroupType, Literal, Parameter, Position, Spanned,
    SubjectType, Supplier, ValueType,
};

documents! {
    /// What is known of a kind of subject.
    SubjectTypeDoc {
        attributes = "attributes": Option<Entries<Name, AttributeForm>>,
    }

    /// A kind of group.
    GroupTypeDoc {
        members = "members": Many<Spanned<Name>, 1>,
    }

    /// A type.
    TypeDoc {
        shape = "shape": Option<Spanned<Name>>,
        governed_by = "governed_by": Option<GovernorForm>,
        parent = "parent": Option<Many<Spanned<Name>, 1>>,
        root = "root": Option<Spanned<bool>>,
        open = "open": Option<Spanned<bool>>,
        is_virtual = "virtual": Option<Spanned<bool>>,
        attributes = "attributes": Option<Entries<Name, AttributeForm>>,
        actions = "actions": Option<ActionsForm>,
    }

    /// What several types have in common.
    ShapeDoc {
        governed_by = "governed_by": Option<GovernorForm>,
        parent = "parent": Option<Many<Spanned<Name>, 1>>,
        root = "root": Option<Spanned<bool>>,
        open = "open": Option<Spanned<bool>>,
        is_virtual = "virtual": Option<Spanned<bool>>,
        attributes = "attributes": Option<Entries<Name, AttributeForm>>,
        actions = "actions": Option<ActionsForm>,
    }

    /// An attribute.
    AttributeDoc {
        value_type = "type": Spanned<TypeExpression>,
        values = "values": Option<Spanned<Vec<Spanned<Id>>>>,
        from = "from": Option<Spanned<Supplier>>,
        default = "default": Option<Spanned<Literal>>,
        optional = "optional": Option<bool>,
        sensitive = "sensitive": Option<bool>,
    }

    /// An action.
    #[derive(Default)]
    ActionDoc {
        operation = "operation": Option<Spanned<Name>>,
        governed_by = "governed_by": Option<Spanned<Name>>,
        level = "level": Option<Spanned<Name>>,
        creates = "creates": Option<bool>,
        parameters = "parameters": Option<Entries<Name, ParameterForm>>,
        also = "also": Option<Turned<AlsoDoc>>,
        change = "change": Option<Spanned<Change>>,
        result = "result": Option<Spanned<Valid>>,
    }

    /// Something that an action's request names.
    ParameterDoc {
        value_type = "type": Spanned<TypeExpression>,
        values = "values": Option<Spanned<Vec<Spanned<Id>>>>,
        optional = "optional": Option<bool>,
    }

    /// A second object.
    AlsoDoc {
        action = "action": Spanned<Name>,
        on = "on": Option<Spanned<Name>>,
        under = "under": Option<Spanned<Name>>,
    }
}

/// The governor of a type: its path, or the attribute that names it.
#[derive(Debug, Clone)]
pub(super) struct GovernorForm(pub(super) GovernedBy);

documents! {
    /// The attribute that names a governor.
    GovernorDoc {
        attribute = "attribute": Spanned<Name>,
    }
}

/// What the result of a change must be: `valid`.
#[derive(Debug)]
pub(super) struct Valid;

impl Decode for Valid {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match node.text() {
            Some("valid") => Some(Self),
            _ => refuse(node, "`valid`", sink),
        }
    }
}

impl Decode for Change {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match node.text() {
            Some("grant") => Some(Self::Grant),
            Some("revoke") => Some(Self::Revoke),
            Some("replace") => Some(Self::Replace),
            Some("customise") => Some(Self::Customise),
            _ => refuse(node, "`grant`, `revoke`, `replace` or `customise`", sink),
        }
    }
}

impl Decode for GovernorForm {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        if node.text().is_some() {
            return Spanned::<Id>::decode(node, sink).map(|path| Self(GovernedBy::Node(plain(path))));
        }
        GovernorDoc::decode(node, sink).map(|doc| Self(GovernedBy::Attribute(plain(doc.attribute))))
    }
}

/// An attribute: only its type, or a mapping.
#[derive(Debug)]
pub(super) struct AttributeForm {
    value_type: ValueType,
    from: Option<Spanned<Supplier>>,
    default: Option<Spanned<Literal>>,
    optional: bool,
    sensitive: bool,
}

/// A parameter: only its type, or a mapping.
#[derive(Debug)]
pub(super) struct ParameterForm {
    value_type: ValueType,
    optional: bool,
}

/// Actions: a list of names, or a mapping from names to details.
#[derive(Debug)]
pub(super) struct ActionsForm(Vec<(Spanned<ActionName>, ActionDoc)>);

impl Decode for AttributeForm {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        if node.text().is_some() {
            let value_type = value_type(Spanned::decode(node, sink)?, None, sink)?;
            return Some(Self { value_type, from: None, default: None, optional: false, sensitive: false });
        }
        let AttributeDoc { value_type: written, values, from, default, optional, sensitive } = type_or(node, sink)?;
        Some(Self {
            value_type: value_type(written, values, sink)?,
            from,
            default,
            optional: optional.unwrap_or(false),
            sensitive: sensitive.unwrap_or(false),
        })
    }
}

impl Decode for ParameterForm {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        if node.text().is_some() {
            let value_type = value_type(Spanned::decode(node, sink)?, None, sink)?;
            return Some(Self { value_type, optional: false });
        }
        let ParameterDoc { value_type: written, values, optional } = type_or(node, sink)?;
        Some(Self { value_type: value_type(written, values, sink)?, optional: optional.unwrap_or(false) })
    }
}

impl Decode for ActionsForm {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        if let Some(items) = node.items() {
            let names: Vec<Spanned<ActionName>> = decode_items(items, sink);
            crate::document::refuse_twice("the action", &names, |name| name.value.0.as_str(), |name| name.at, sink);
            return Some(Self(names.into_iter().map(|name| (name, ActionDoc::default())).collect()));
        }
        if node.entries().is_some() {
            let entries: Entries<ActionName, OrEmpty<ActionDoc>> = Entries::decode(node, sink)?;
            return Some(Self(entries.0.into_iter().map(|(name, OrEmpty(details))| (name, details)).collect()));
        }
        refuse(node, "a list of names, or a mapping from names to details", sink)
    }
}

fn type_or<T: Decode>(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<T> {
    if node.entries().is_none() {
        return refuse(node, "a type, or a mapping with `type`", sink);
    }
    T::decode(node, sink)
}

fn value_type(
    written: Spanned<TypeExpression>,
    values: Option<Spanned<Vec<Spanned<Id>>>>,
    sink: &mut Sink<'_>,
) -> Option<ValueType> {
    let at = written.at;
    let (is_enum, values_at) = (written.value.is_enum(), values.as_ref().map(|values| values.at));
    match (is_enum, values_at) {
        (true, None) => {
            let help = "write `{type: enum, values: [...]}`";
            sink.error_with(at, "an enum needs its `values`", help);
            return None;
        }
        (false, Some(values_at)) => {
            sink.error_with(values_at, "only an enum has `values`", "write `type: enum`, or remove `values`");
            return None;
        }
        _ => {}
    }
    let values = values.map_or_else(Vec::new, |values| values.value);
    if is_enum && values.is_empty() {
        sink.error(values_at.unwrap_or(at), "an enum needs at least one value");
        return None;
    }
    crate::document::refuse_twice("the value", &values, |value| value.value.0.as_str(), |value| value.at, sink);
    Some(written.value.with_values(plain_all(values)))
}

impl TypeExpression {
    fn is_enum(&self) -> bool {
        match self {
            Self::Enum => true,
            Self::List(item) => item.is_enum(),
            Self::Bool
            | Self::Int
            | Self::String
            | Self::Timestamp
            | Self::Governor
            | Self::Role
            | Self::Permission
            | Self::Reference(_) => false,
        }
    }

    fn with_values(self, values: Vec<Spanned<String>>) -> ValueType {
        match self {
            Self::Bool => ValueType::Bool,
            Self::Int => ValueType::Int,
            Self::String => ValueType::String,
            Self::Timestamp => ValueType::Timestamp,
            Self::Enum => ValueType::Enum(values),
            Self::Governor => ValueType::Governor,
            Self::Role => ValueType::Role,
            Self::Permission => ValueType::Permission,
            Self::List(item) => ValueType::List(Box::new(item.with_values(values))),
            Self::Reference(name) => ValueType::Reference(name),
        }
    }
}

impl AttributeForm {
    /// The attribute of this name.
    pub(super) fn into_attribute(self, name: Spanned<Name>) -> Attribute {
        Attribute {
            name: plain(name),
            value_type: self.value_type,
            from: self.from.map_or_else(Supplier::default, |from| from.value),
            default: self.default,
            optional: self.optional,
            sensitive: self.sensitive,
        }
    }

    /// The context key of this name, which only a request can say.
    pub(super) fn into_context(self, name: Spanned<Name>, sink: &mut Sink<'_>) -> Attribute {
        if let Some(from) = self.from.as_ref().filter(|from| from.value != Supplier::Request) {
            let message = format!("`context.{}`: context always comes from the request", name.value.0);
            sink.error_with(from.at, message, "remove `from`");
        }
        Attribute { from: Supplier::Request, ..self.into_attribute(name) }
    }
}

/// The attributes of a mapping that may be left out.
pub(super) fn attributes(entries: Option<Entries<Name, AttributeForm>>) -> Vec<Attribute> {
    Entries::or_none(entries).into_iter().map(|(name, form)| form.into_attribute(name)).collect()
}

/// The actions of a form that may be left out.
pub(super) fn actions(form: Option<ActionsForm>) -> Vec<Action> {
    let actions = form.map_or_else(Vec::new, |form| form.0);
    actions.into_iter().map(|(name, details)| details.into_action(name)).collect()
}

impl SubjectTypeDoc {
    pub(super) fn into_subject_type(self, name: Spanned<String>) -> SubjectType {
        SubjectType { name, attributes: attributes(self.attributes) }
    }
}

impl GroupTypeDoc {
    pub(super) fn into_group_type(self, name: Spanned<String>) -> GroupType {
        GroupType { name, members: plain_all(self.members.0) }
    }
}

impl ActionDoc {
    fn into_action(self, name: Spanned<ActionName>) -> Action {
        let parameters = Entries::or_none(self.parameters).into_iter().map(|(name, form)| Parameter {
            name: plain(name),
            value_type: form.value_type,
            optional: form.optional,
        });
        Action {
            operation: self.operation.map(plain),
            governed_by: self.governed_by.map(plain),
            level: self.level.map(plain),
            creates: self.creates.unwrap_or(false),
            parameters: parameters.collect(),
            also: self.also.map(|also| also.0),
            change: self.change,
            valid_result: self.result.map(|valid| valid.at),
            name: plain(name),
        }
    }
}

impl Turn for AlsoDoc {
    type Noun = Also;

    fn turn(self, at: Position, sink: &mut Sink<'_>) -> Option<Also> {
        let target = match (self.on, self.under) {
            (Some(on), None) => AlsoTarget::On(plain(on)),
            (None, Some(under)) => AlsoTarget::Under(plain(under)),
            _ => {
                let help = "`on` names the second object, `under` the parent of a new one";
                sink.error_with(at, "`also` needs exactly one of `on` and `under`", help);
                return None;
            }
        };
        Some(Also { action: plain(self.action), target })
    }
}
