//! What the parameters of an action name: entities, roles and permissions of the snapshot.
//!
//! A role is meant as it is seen from the resource, so that it can be found only once that has its place.

use crate::compile::layout::{MAX_PARAMETERS, NONE, ParameterKind, ParameterRecord, PermissionRecord, parameter_flags};
use crate::index::{Corrupt, Index};
use crate::model::{Entity, Properties, Reason, Value};

use super::placement::Target;
use super::question::{Stop, refers_to};

/// What one parameter names.
#[derive(Clone, Copy)]
pub(super) enum Parameter<'q> {
    /// Nothing.
    Absent,
    /// An entity.
    Entity(u32),
    /// A role of this name, not looked for yet.
    RoleNamed(&'q str),
    /// A role.
    Role(u32),
    /// Roles, each of which can be seen from the resource.
    Roles(&'q [Value<'q>]),
    /// A permission that exists.
    Permission,
    /// Permissions, each of which exists.
    Permissions(&'q [Value<'q>]),
}

/// Where the parameters of one question stand: apart from it, because most questions have none.
pub(super) type Room<'q> = Option<Parameters<'q>>;

/// What the parameters name, in the order in which the action declares them.
#[derive(Clone, Copy)]
pub(super) struct Parameters<'q>([Parameter<'q>; MAX_PARAMETERS]);

impl<'q> Parameters<'q> {
    /// No parameters.
    pub(super) const NONE: Self = Self([Parameter::Absent; MAX_PARAMETERS]);

    /// What a request's parameters name. All that is missing is found before all that is unknown: the order in which
    /// parameters are declared never matters.
    pub(super) fn named(
        index: &'q Index,
        action: &PermissionRecord,
        sent: Properties<'q>,
        room: &mut Room<'q>,
    ) -> Result<(), Stop> {
        let declared: &[ParameterRecord] = index.records(action.parameters.get(), action.parameters_end.get())?;
        let found = room.insert(Self::NONE);
        for parameter in declared {
            let optional = parameter.flags & parameter_flags::OPTIONAL != 0;
            if !optional && sent_parameter(index, parameter, sent)? == Value::Null {
                return Err(Reason::MissingParameter.into());
            }
        }
        for (parameter, place) in declared.iter().zip(&mut found.0) {
            let value = sent_parameter(index, parameter, sent)?;
            *place = one(index, parameter, value)?.ok_or(Reason::UnknownParameter)?;
        }
        Ok(())
    }

    /// Finds the roles that are named, as they are seen from the resource.
    pub(super) fn see_roles(&mut self, index: &'q Index, target: &Target<'q>) -> Result<(), Stop> {
        for parameter in &mut self.0 {
            match *parameter {
                Parameter::RoleNamed(name) => {
                    let role = role_seen_from(index, target, name)?;
                    *parameter = Parameter::Role(role.ok_or(Reason::UnknownParameter)?);
                }
                Parameter::Roles(names) => {
                    for name in names {
                        role_of(index, target, name)?.ok_or(Reason::UnknownParameter)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// One of them, by its place.
    pub(super) fn at(&self, place: u32) -> Option<Parameter<'q>> {
        self.0.get(usize::try_from(place).ok()?).copied()
    }

    /// All of them with their places.
    pub(super) fn all(&self) -> impl Iterator<Item = Parameter<'q>> + '_ {
        self.0.iter().copied()
    }
}

/// The role that an item of a list names, as it is seen from the resource.
pub(super) fn role_of(index: &Index, target: &Target<'_>, item: &Value<'_>) -> Result<Option<u32>, Corrupt> {
    match item {
        Value::String(name) => role_seen_from(index, target, name),
        _ => Ok(None),
    }
}

/// The permission that an item of a list names.
pub(super) fn permission_of(index: &Index, item: &Value<'_>) -> Result<Option<u32>, Corrupt> {
    match item {
        Value::String(name) => index.permission_of_name(name),
        _ => Ok(None),
    }
}

/// What a value names as a parameter; `None` where it is of a wrong type or names nothing that there is.
fn one<'q>(index: &Index, declared: &ParameterRecord, value: Value<'q>) -> Result<Option<Parameter<'q>>, Corrupt> {
    let kind = ParameterKind::from_code(declared.kind).ok_or(Corrupt)?;
    Ok(match (kind, value) {
        (_, Value::Null) => Some(Parameter::Absent),
        (ParameterKind::Entity, Value::Entity(entity)) => {
            entity_of(index, declared.reference.get(), entity)?.map(Parameter::Entity)
        }
        (ParameterKind::Role, Value::String(name)) => is_role(index, name)?.then_some(Parameter::RoleNamed(name)),
        (ParameterKind::Roles, Value::List(items)) => {
            let mut known = true;
            for item in items {
                known &= matches!(item, Value::String(name) if is_role(index, name)?);
            }
            known.then_some(Parameter::Roles(items))
        }
        (ParameterKind::Permission, Value::String(name)) => {
            index.permission_of_name(name)?.map(|_| Parameter::Permission)
        }
        (ParameterKind::Permissions, Value::List(items)) => {
            let mut known = true;
            for item in items {
                known &= permission_of(index, item)?.is_some();
            }
            known.then_some(Parameter::Permissions(items))
        }
        _ => None,
    })
}

/// Whether any role at all has this name.
fn is_role(index: &Index, name: &str) -> Result<bool, Corrupt> {
    Ok(index.role_defined_at(NONE, name)?.is_some() || index.is_role_somewhere(name)?)
}

/// The role of a name as seen from the resource: the built-in one, or that of the nearest definer at or above it.
fn role_seen_from(index: &Index, target: &Target<'_>, name: &str) -> Result<Option<u32>, Corrupt> {
    if let Some(built_in) = index.role_defined_at(NONE, name)? {
        return Ok(Some(built_in));
    }
    for scope in target.scopes(index) {
        if let Some(role) = index.role_defined_at(scope?.0, name)? {
            return Ok(Some(role));
        }
    }
    Ok(None)
}

fn sent_parameter<'q>(index: &Index, parameter: &ParameterRecord, sent: Properties<'q>) -> Result<Value<'q>, Corrupt> {
    let name = index.text(parameter.name.get())?;
    Ok(sent.iter().find(|(sent, _)| *sent == name).map_or(Value::Null, |(_, value)| *value))
}

/// A held entity, if it is of the type that a reference refers to.
fn entity_of(index: &Index, reference: u16, entity: Entity<'_>) -> Result<Option<u32>, Corrupt> {
    let Some((kind, record)) = index.type_named(entity.kind)? else { return Ok(None) };
    if !refers_to(reference, kind, record) {
        return Ok(None);
    }
    index.entity_named(kind, entity.id)
}
