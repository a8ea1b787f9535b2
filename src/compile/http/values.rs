//! What a request says besides: each value has a declared name, a type that its source can give, and may be said at all.

use crate::compile::findings::Findings;
use crate::compile::layout::{ANY_TYPE, HttpPartSort, HttpValueOwner, SUBJECT_TYPES, ValueKind};
use crate::compile::schema::{AttributeInfo, Kind, ParameterType, Schema};
use crate::model::{Entity, HttpMapping, HttpRoute, Literal, Spanned, Supplier, Timestamp, order};

use super::template::{Scope, Sought};
use super::{PartInfo, TemplateInfo, ValueInfo};

/// Of one route.
pub(super) struct Values<'v, 's, 'p> {
    pub(super) scope: &'v Scope<'s, 'p>,
    pub(super) mapping: &'v HttpMapping,
    pub(super) route: &'v HttpRoute,
    pub(super) label: &'v str,
}

/// The type of what is named: its kind, and what a reference refers to.
type Typed = (ValueKind, ValueKind, u16);

impl Values<'_, '_, '_> {
    /// All of them; what is wrong is reported.
    pub(super) fn all(
        &self,
        kind: u16,
        permission: u32,
        subjects: &[TemplateInfo],
        findings: &mut Findings,
    ) -> Vec<ValueInfo> {
        let Values { mapping, route, .. } = self;
        let mut values = Vec::new();
        let both = [
            (HttpValueOwner::Subject, &mapping.subject_properties, &route.subject_properties),
            (HttpValueOwner::Action, &Vec::new(), &route.parameters),
            (HttpValueOwner::Resource, &Vec::new(), &route.properties),
            (HttpValueOwner::Context, &mapping.context, &route.context),
        ];
        for (owner, everywhere, own) in both {
            // What the route says goes before what is said of all.
            let general = everywhere.iter().filter(|(name, _)| own.iter().all(|(other, _)| other.value != name.value));
            for (name, value) in own.iter().chain(general) {
                let typed = match owner {
                    HttpValueOwner::Subject => self.of_subjects(subjects, name, findings),
                    HttpValueOwner::Action => self.of_action(permission, name, findings),
                    HttpValueOwner::Resource => self.attribute(kind, name, findings),
                    HttpValueOwner::Context => self.attribute(ANY_TYPE, name, findings),
                };
                values.extend(typed.and_then(|typed| self.value(owner, typed, (name, value), findings)));
            }
        }
        self.demand_parameters(permission, findings);
        order::by(&mut values, |one: &ValueInfo, other| (one.owner, &one.name).cmp(&(other.owner, &other.name)));
        values
    }

    fn schema(&self) -> &Schema<'_> {
        self.scope.schema
    }

    fn error(&self, at: &Spanned<String>, problem: &str, findings: &mut Findings) {
        findings.error(at.at, format!("{}: `{}` {problem}", self.label, at.value));
    }

    /// The type of a property that every possible subject has.
    fn of_subjects(&self, subjects: &[TemplateInfo], name: &Spanned<String>, findings: &mut Findings) -> Option<Typed> {
        let mut found = None;
        for subject in subjects {
            let kind = self.schema().type_number(&subject.kind)?;
            let typed = self.attribute(kind, name, findings)?;
            if found.is_some_and(|other| other != typed) {
                self.error(name, "is not of one type for every subject of the route", findings);
                return None;
            }
            found = Some(typed);
        }
        found
    }

    fn attribute(&self, owner: u16, name: &Spanned<String>, findings: &mut Findings) -> Option<Typed> {
        let whose =
            if owner == ANY_TYPE { "context".to_owned() } else { format!("`{}`", self.schema().type_name(owner)) };
        let number = self.schema().attribute(owner, &name.value);
        let Some(info) = number.and_then(|number| self.schema().attribute_info(number)) else {
            self.error(name, &format!("is no attribute of {whose}"), findings);
            return None;
        };
        if info.declared.from == Supplier::Snapshot {
            self.error(name, &format!("of {whose} comes from the snapshot alone: no request may say it"), findings);
            return None;
        }
        if info.declared.sensitive {
            self.error(name, &format!("of {whose} is sensitive: no request may say it"), findings);
            return None;
        }
        Some(typed(info))
    }

    fn of_action(&self, permission: u32, name: &Spanned<String>, findings: &mut Findings) -> Option<Typed> {
        let info = self.schema().permission_info(permission)?;
        let mut all = info.action.parameters.iter().zip(&info.parameters);
        let Some((_, target)) = all.find(|(declared, _)| declared.name.value == name.value) else {
            self.error(name, "is no parameter of the action", findings);
            return None;
        };
        Some(match *target {
            ParameterType::Entity(target) => (ValueKind::Reference, ValueKind::Absent, target),
            ParameterType::Role | ParameterType::Permission => (ValueKind::String, ValueKind::Absent, 0),
            ParameterType::Roles | ParameterType::Permissions => (ValueKind::List, ValueKind::String, 0),
        })
    }

    fn demand_parameters(&self, permission: u32, findings: &mut Findings) {
        let Some(info) = self.schema().permission_info(permission) else { return };
        for parameter in info.action.parameters.iter().filter(|parameter| !parameter.optional) {
            if self.route.parameters.iter().all(|(name, _)| name.value != parameter.name.value) {
                let message = format!("{} does not name the parameter `{}`", self.label, parameter.name.value);
                findings.error_with_help(self.route.action.at, message, "without it every request is denied");
            }
        }
    }

    fn value(
        &self,
        owner: HttpValueOwner,
        (kind, item_kind, reference): Typed,
        (name, value): (&Spanned<String>, &Spanned<Literal>),
        findings: &mut Findings,
    ) -> Option<ValueInfo> {
        let mut refuse = |problem: &str, help: &str| {
            let message = format!("{}: the value of `{}` {problem}", self.label, name.value);
            findings.error_with_help(value.at, message, help);
        };
        let target = (kind == ValueKind::Reference || item_kind == ValueKind::Reference).then_some(reference);
        let mut reference = target.map(|target| self.schema().type_name(target).to_owned());
        let part = match &value.value {
            Literal::String(text) if text.starts_with('{') => match self.scope.part(text, Sought::Resource) {
                Ok(part) => part,
                Err((problem, help)) => {
                    refuse(problem, help);
                    return None;
                }
            },
            constant => match self.constant(constant, kind, target) {
                Ok((text, of)) => {
                    reference = of.or(reference);
                    PartInfo { sort: HttpPartSort::Literal, text }
                }
                Err(problem) => {
                    refuse(
                        problem,
                        "write a value of the type that it is declared with, or a source such as `{claim.name}`",
                    );
                    return None;
                }
            },
        };
        if kind == ValueKind::List && part.sort != HttpPartSort::Claim {
            refuse("is a list, which only a claim can be", "take it from a claim");
            return None;
        }
        if target == Some(SUBJECT_TYPES) && part.sort != HttpPartSort::Literal {
            refuse("could be a subject of any type", "declare it as `ref` of one type: a source gives the id alone");
            return None;
        }
        if kind == ValueKind::Governor || item_kind == ValueKind::Governor {
            refuse("is a governor, which no request names", "leave it out");
            return None;
        }
        Some(ValueInfo { owner, kind, item_kind, name: name.value.clone(), part, reference })
    }

    /// A value that is written in the policy, as text, and the type of the entity that it names.
    fn constant(
        &self,
        value: &Literal,
        kind: ValueKind,
        target: Option<u16>,
    ) -> Result<(String, Option<String>), &'static str> {
        match (kind, value) {
            (ValueKind::Bool, Literal::Bool(flag)) => Ok((flag.to_string(), None)),
            (ValueKind::Int, Literal::Int(number)) => Ok((number.to_string(), None)),
            (ValueKind::String | ValueKind::Enum, Literal::String(text)) => Ok((text.clone(), None)),
            (ValueKind::Timestamp, Literal::String(text)) if Timestamp::parse(text).is_some() => {
                Ok((text.clone(), None))
            }
            (ValueKind::Reference, Literal::String(text)) => {
                let entity = Entity::parse(text).ok_or("is no `type/id`")?;
                let kind = self.schema().type_number(entity.kind);
                let fits = kind
                    .zip(target)
                    .is_some_and(|(kind, target)| crate::compile::values::refers_to(self.schema(), target, kind));
                if fits { Ok((entity.id.to_owned(), Some(entity.kind.to_owned()))) } else { Err("is of another type") }
            }
            _ => Err("is not of its type"),
        }
    }
}

fn typed(info: &AttributeInfo<'_>) -> Typed {
    let target = |kind: &Kind<'_>| if let Kind::Reference(target) = kind { *target } else { 0 };
    match &info.kind {
        Kind::List(item) => (ValueKind::List, item.code(), target(item)),
        scalar => (scalar.code(), ValueKind::Absent, target(scalar)),
    }
}
