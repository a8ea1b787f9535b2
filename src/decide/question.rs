//! The question, resolved against the vocabulary: type, then action of that type, then subject, then parameters.

use std::hint::black_box;

use crate::compile::layout::{ParameterKind, ParameterRecord, PermissionRecord, SUBJECT_TYPES, TypeRecord, type_flags};
use crate::index::{Corrupt, Index, Sought};
use crate::model::{Malformed, Properties, Reason, Request, Timestamp};

use super::credentials::{Asker, Asking, Key};
use super::is_resource_type;
use super::parameters::{Parameters, Room};
use super::placement::Target;

/// A question whose every name is known.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    /// The snapshot.
    pub(super) index: &'q Index,
    /// The moment, read once by the caller.
    pub(super) time: Timestamp,
    /// Who asks; a credential's owner.
    pub(super) subject: u32,
    /// The subject's type.
    pub(super) subject_kind: u16,
    /// What the request says about the subject; nothing where a credential asks, because then it speaks of that one.
    pub(super) subject_properties: Properties<'q>,
    /// What asks in the subject's name, if something does.
    pub(super) credential: Option<Key<'q>>,
    /// The situation.
    pub(super) context: Properties<'q>,
    /// What would be done.
    pub(super) permission: u32,
    /// The same.
    pub(super) action: &'q PermissionRecord,
    /// What it would be done to.
    pub(super) target: Target<'q>,
    /// What the parameters name.
    pub(super) parameters: &'q Parameters<'q>,
}

/// Why a question is not decided on paths.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// It is denied for this reason.
    Because(Reason),
    /// It cannot be asked; apart, because it is large and rare.
    Malformed(Box<Malformed>),
}

impl From<Corrupt> for Stop {
    fn from(Corrupt: Corrupt) -> Self {
        Self::Because(Reason::Internal)
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Because(reason)
    }
}

/// The names of a request, as far as they are known without a look at any entity: type, then action of that type, then
/// the type of who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'q> {
    kind: u16,
    record: &'q TypeRecord,
    permission: u32,
    action: &'q PermissionRecord,
    resource: Sought<'q>,
    asking: Asking<'q>,
}

/// What is sought is sought together: the waits for both are one, and for many requests they are few.
impl<'q> Names<'q> {
    #[inline]
    pub(super) fn of(index: &'q Index, request: &Request<'q>) -> Result<Self, Stop> {
        let (kind, record) = match index.type_named(request.resource.kind)? {
            Some((number, record)) if is_resource_type(record) => (number, record),
            _ => return Err(Reason::UnknownType.into()),
        };
        let permission = index.permission_named(kind, request.action)?.ok_or(Reason::UnknownAction)?;
        let action: &PermissionRecord = index.record(permission)?;
        let resource = index.seek(kind, request.resource.id);
        let asking = Asking::named(index, request.subject)?;
        Ok(Self { kind, record, permission, action, resource, asking })
    }

    /// Reads where they would be.
    #[inline]
    pub(super) fn look(&mut self, index: &Index) -> Result<(), Corrupt> {
        index.look(&mut self.resource)?;
        index.look(&mut self.asking.sought)
    }

    /// Reads what is there.
    #[inline]
    pub(super) fn approach(&mut self, index: &Index) -> Result<(), Corrupt> {
        index.approach(&mut self.asking.sought)?;
        index.approach(&mut self.resource)
    }

    /// Reads what belongs to it. What goes wrong here goes wrong again if it is needed.
    #[inline]
    pub(super) fn touch(&mut self, index: &Index) {
        let asking = index.touch(&mut self.asking.sought);
        let resource = index.touch(&mut self.resource);
        // Without this nothing would have to be read for it.
        black_box((asking.ok(), resource.ok()));
    }
}

impl<'q> Question<'q> {
    /// Resolves a request; its parameters are put into the room.
    #[inline]
    pub(super) fn resolve(
        index: &'q Index,
        request: &Request<'q>,
        time: Timestamp,
        room: &'q mut Room<'q>,
    ) -> Result<Self, Stop> {
        let mut names = Names::of(index, request)?;
        names.look(index)?;
        names.approach(index)?;
        if index.is_far() {
            names.touch(index);
        }
        Self::of_names(index, request, &names, time, room)
    }

    /// The same from its names.
    #[inline]
    pub(super) fn of_names(
        index: &'q Index,
        request: &Request<'q>,
        names: &Names<'q>,
        time: Timestamp,
        room: &'q mut Room<'q>,
    ) -> Result<Self, Stop> {
        let Names { kind, record: type_record, permission, action, resource, asking } = *names;
        let Asker { subject, kind: subject_kind, key } = Asker::find(index, &asking, request.subject_properties, time)?;
        if index.strict_properties() {
            let asking = key.map_or(subject_kind, |key| key.kind);
            refuse_undeclared(index, request, kind, asking, permission)?;
        }
        if let Some(key) = &key
            && key.missing(index, request.context)?.is_some()
        {
            return Err(Reason::MissingParameter.into());
        }
        if action.parameters != action.parameters_end {
            Parameters::named(index, action, request.action_properties, room)?;
        }
        let target = Target::place(index, request, resource, type_record, action)?;
        let parameters = match room {
            Some(parameters) => {
                parameters.see_roles(index, &target)?;
                parameters
            }
            None => &Parameters::NONE,
        };
        let question = Self {
            index,
            time,
            subject,
            subject_kind,
            subject_properties: if key.is_some() { &[] } else { request.subject_properties },
            credential: key,
            context: request.context,
            permission,
            action,
            target,
            parameters,
        };
        question.refuse_contradictions()?;
        Ok(question)
    }

    /// Whether the parameter of a place is one that names roles.
    pub(super) fn names_roles(&self, place: usize) -> Result<bool, Corrupt> {
        let declared: &[ParameterRecord] =
            self.index.records(self.action.parameters.get(), self.action.parameters_end.get())?;
        let Some(parameter) = declared.get(place) else { return Ok(false) };
        let kind = ParameterKind::from_code(parameter.kind).ok_or(Corrupt)?;
        Ok(matches!(kind, ParameterKind::Role | ParameterKind::Roles))
    }

    /// A request may fill what the snapshot lacks where the schema lets it; it never contradicts.
    #[inline]
    fn refuse_contradictions(&self) -> Result<(), Stop> {
        let resource = super::values::contradicts(self.index, self.target.kind, self.target.entity, self.target.sent)?;
        let (kind, asker, sent) = match &self.credential {
            Some(key) => (key.kind, key.entity, key.sent),
            None => (self.subject_kind, self.subject, self.subject_properties),
        };
        let subject = super::values::contradicts(self.index, kind, Some(asker), sent)?;
        if resource || subject { Err(Reason::ContradictsSnapshot.into()) } else { Ok(()) }
    }
}

/// Whether a reference may name an entity of a type.
pub(super) fn refers_to(reference: u16, kind: u16, record: &TypeRecord) -> bool {
    reference == kind || (reference == SUBJECT_TYPES && record.flags.get() & type_flags::SUBJECT != 0)
}

/// Under `strict_properties`, the first undeclared property makes the request malformed.
fn refuse_undeclared(
    index: &Index,
    request: &Request<'_>,
    kind: u16,
    subject_kind: u16,
    permission: u32,
) -> Result<(), Stop> {
    match undeclared(index, request, kind, subject_kind, permission)?.into_iter().next() {
        None => Ok(()),
        Some(field) => Err(Stop::Malformed(Box::new(Malformed::new(field, "is not declared by the policy")))),
    }
}

/// The properties of a request that the policy does not declare, as the wire names them.
pub(super) fn undeclared(
    index: &Index,
    request: &Request<'_>,
    kind: u16,
    subject_kind: u16,
    permission: u32,
) -> Result<Vec<String>, Corrupt> {
    let mut fields = Vec::new();
    for (name, _) in request.subject_properties {
        if index.attribute_named(subject_kind, name)?.is_none() {
            fields.push(format!("subject.properties.{name}"));
        }
    }
    for (name, _) in request.action_properties {
        if index.parameter_named(permission, name)?.is_none() {
            fields.push(format!("action.properties.{name}"));
        }
    }
    for (name, _) in request.resource_properties {
        if index.attribute_named(kind, name)?.is_none() {
            fields.push(format!("resource.properties.{name}"));
        }
    }
    for (name, _) in request.context {
        if index.context_key_named(name)?.is_none() {
            fields.push(format!("context.{name}"));
        }
    }
    Ok(fields)
}
